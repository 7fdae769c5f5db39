/* The controlling terminal: the program's settings of the user's terminal, and the foreground group of a pseudo terminal of the
 * computation. The checkpoint thread opens /dev/tty in its own table. */
#include <asm/ioctls.h>
#include <asm/termbits.h>

#include "library.h"
#include "log.h"
#include "ptys.h"
#include "resource.h"
#include "sys.h"
#include "vpid.h"

#define LOG_MODULE "terminal"

static struct {
    bool has_first, has_now;
    struct termios2 first, now; /* when the program was started (or restarted), and at the checkpoint */
    bool foreground;
    uint32_t pty, pty_group; /* as in struct image_process */
    bool leader;
} terminal;

static long open_terminal(void)
{
    return sys_open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
}

static bool settings(struct termios2 *to)
{
    long fd = open_terminal();
    bool known = fd >= 0 && sys_ioctl((int)fd, TCGETS2, to) == 0;

    if (fd >= 0)
        sys_close((int)fd);
    return known;
}

void terminal_start(void)
{
    terminal.has_first = settings(&terminal.first);
}

void terminal_describe(struct image_process *process, uint64_t device)
{
    unsigned major = (unsigned)(device >> 8) & 0xfff, number = (unsigned)((device & 0xff) | ((device >> 12) & 0xfff00));

    process->pty = 0;
    if (major >= 136 && major <= 143 && ptys_marked((int)number, true, lib.upcoming))
        process->pty = (uint32_t)ptys_virtual((int)number) + 1;
    terminal.pty = process->pty;
    terminal.pty_group = process->pty_group;
    terminal.leader = process->sid == process->pid;
    terminal.foreground = process->foreground;
    terminal.has_now = !process->pty && process->foreground && settings(&terminal.now);
}

static bool same_modes(const struct termios2 *a, const struct termios2 *b)
{
    bool same = a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag;

    for (int i = 0; i < NCCS && same; i++)
        same = a->c_cc[i] == b->c_cc[i];
    return same;
}

/* Modes, not the speed and frame of the line, which are the new terminal's. */
static void set_modes(int fd)
{
    struct termios2 here;

    if (sys_ioctl(fd, TCGETS2, &here) < 0)
        return;
    here.c_iflag = terminal.now.c_iflag;
    here.c_oflag = terminal.now.c_oflag;
    here.c_lflag = terminal.now.c_lflag;
    for (int i = 0; i < NCCS; i++)
        here.c_cc[i] = terminal.now.c_cc[i];
    sys_ioctl(fd, TCSETS2, &here);
}

void terminal_reconnect(void)
{
    long fd = open_terminal();

    if (fd < 0)
        return;
    if (terminal.pty) {
        int group = vpid_to_real((int)terminal.pty_group);
        if (terminal.leader && terminal.pty_group && sys_ioctl((int)fd, TIOCSPGRP, &group) < 0)
            log_trace("group %d can't be put in the foreground of its terminal", group);
    } else if (terminal.has_first && terminal.has_now && lib.handoff.flags & HANDOFF_TERMINAL && !same_modes(&terminal.first, &terminal.now)) {
        set_modes((int)fd);
    }
    sys_close((int)fd);
}
