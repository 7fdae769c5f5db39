#include "terminals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "die.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int terminal = -1; /* our own, if we are in its foreground */

/* --- pseudo terminals of the computation --- */

static struct handoff_pty ptys[HANDOFF_PTYS];
static unsigned pty_count;

static int number_of(int master)
{
    unsigned number;

    return ioctl(master, TIOCGPTN, &number) ? -1 : (int)number;
}

/* The kernel gives the lowest number that is free: numbers below the wanted one are held until it comes up. */
static int open_master(int wanted)
{
    int spare[256], spares = 0, master = -1;

    while (spares < (int)(sizeof spare / sizeof *spare)) {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (master < 0 || number_of(master) == wanted)
            break;
        spare[spares++] = master;
        if (number_of(master) > wanted) {
            master = -1;
            break;
        }
        master = -1;
    }
    for (int i = 0; i < spares; i++)
        if (master < 0 && i == 0)
            master = spare[0]; /* another number then */
        else
            close(spare[i]);
    return master;
}

static struct handoff_pty *find(int virtual)
{
    for (unsigned i = 0; i < pty_count; i++)
        if (ptys[i].virtual == virtual)
            return &ptys[i];
    return NULL;
}

/* Descriptors 0 to 2 and those of images stay where they are; the program's own numbers do not matter here. */
static void make(int virtual)
{
    int unlocked = 0, master;

    if (find(virtual))
        return;
    if (pty_count == HANDOFF_PTYS)
        die(FAIL_RESTART, "the restart failed: more than %d pseudo terminals", HANDOFF_PTYS);
    master = open_master(virtual);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked))
        die(FAIL_RESTART, "the restart failed: a pseudo terminal can't be made (%m); is /dev/pts mounted and /dev/ptmx there?");
    ptys[pty_count++] = (struct handoff_pty){.virtual = virtual, .master = master, .slave = -1};
}

static int open_slave(int master)
{
    int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    char path[32];

    if (fd >= 0 || (errno != ENOTTY && errno != EINVAL))
        return fd;
    snprintf(path, sizeof path, "/dev/pts/%d", number_of(master)); /* before Linux 4.13 */
    return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

void terminals_make(const struct image_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        uint32_t size;
        const struct image_pty *list = image_record(&set->images[i].image, IMAGE_REC_PTYS, 0, &size);

        for (uint32_t n = 0; list && n < size / sizeof *list; n++)
            make((int)list[n].number);
    }
    /* A controlling terminal is one only as long as somebody has its slave open. */
    for (size_t i = 0; i < set->count; i++) {
        const struct image_process *process = set->images[i].image.process;
        struct handoff_pty *pty = process->pty ? find((int)process->pty - 1) : NULL;

        if (!pty || pty->slave >= 0)
            continue;
        pty->slave = open_slave(pty->master);
        if (pty->slave < 0)
            die(FAIL_RESTART, "the restart failed: a pseudo terminal can't be opened: %m");
    }
}

void terminals_take(const struct image_process *process)
{
    const struct handoff_pty *pty = process->pty ? find((int)process->pty - 1) : NULL;

    if (pty && ioctl(pty->slave, TIOCSCTTY, 0))
        warn("process %u gets no controlling terminal: %m", process->pid);
}

void terminals_hand_over(struct handoff *handoff)
{
    memcpy(handoff->pty, ptys, sizeof ptys);
    handoff->pty_count = pty_count;
    if (terminal >= 0)
        handoff->flags |= HANDOFF_TERMINAL;
    for (unsigned i = 0; i < pty_count; i++) {
        fcntl(ptys[i].master, F_SETFD, 0);
        if (ptys[i].slave >= 0)
            fcntl(ptys[i].slave, F_SETFD, 0);
    }
}

void terminals_close(void)
{
    for (unsigned i = 0; i < pty_count; i++) {
        close(ptys[i].master);
        if (ptys[i].slave >= 0)
            close(ptys[i].slave);
    }
    pty_count = 0;
}

/* --- our own --- */

#define REPAINT_MS 150

static struct termios ours, theirs;
static bool theirs_known;
static struct winsize size;

void terminal_remember(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0 && tcgetpgrp(fd) == getpgrp() && !tcgetattr(fd, &ours))
        terminal = fd;
    else if (fd >= 0)
        close(fd);
}

/* In the foreground is our group, or one of the program's (a shell that was restarted); not the group of the shell that we were started by. */
static bool in_foreground(void)
{
    pid_t group = terminal >= 0 ? tcgetpgrp(terminal) : -1;

    return group > 0 && (group == getpgrp() || group != getpgid(getppid()));
}

/* From the background this would stop us, were the signal not blocked. */
static void set(const struct termios *settings)
{
    sigset_t output, before;

    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    sigprocmask(SIG_BLOCK, &output, &before);
    tcsetattr(terminal, TCSADRAIN, settings);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_ours(void)
{
    struct termios now;

    theirs_known = in_foreground() && !tcgetattr(terminal, &theirs);
    now = theirs;
    if (theirs_known && memcmp(&now, &ours, sizeof now))
        set(&ours);
}

void terminal_theirs(void)
{
    if (theirs_known && in_foreground())
        set(&theirs);
}

/* The kernel tells the foreground group of a changed size (SIGWINCH). Programs that compare sizes would find that nothing has happened when
 * the new terminal is as large as the old one, so they are shown a smaller one for a moment. */
int terminal_repaint_begin(void)
{
    struct termios now;
    struct winsize smaller;

    if (!in_foreground())
        return 0;
    kill(-tcgetpgrp(terminal), SIGWINCH);
    if (tcgetattr(terminal, &now) || now.c_lflag & ICANON || ioctl(terminal, TIOCGWINSZ, &size) || size.ws_row < 2)
        return 0; /* it goes line by line */
    smaller = size;
    smaller.ws_row--;
    ioctl(terminal, TIOCSWINSZ, &smaller);
    return REPAINT_MS;
}

void terminal_repaint_end(void)
{
    struct winsize now;

    /* Unless the user has changed it meanwhile. */
    if (!ioctl(terminal, TIOCGWINSZ, &now) && now.ws_row == size.ws_row - 1 && now.ws_col == size.ws_col)
        ioctl(terminal, TIOCSWINSZ, &size);
}
