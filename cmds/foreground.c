#include "foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator_start.h"
#include "die.h"
#include "fmt.h"
#include "msg.h"
#include "sys.h"
#include "terminals.h"

struct child {
    pid_t pid;
    const char *image;
    bool ours; /* else `process` tells of its end */
    bool ended;
    int status; /* wait(2), or UNKNOWN */
    int process; /* pidfd_open(2), or -1 */
};
enum { UNKNOWN = -1 };

/* Asked of a process by others. `ends`: before the program runs, it ends the restart. */
static const struct {
    int signal;
    bool ends;
} handed_on[] = {
    {SIGHUP, true},   {SIGINT, true},   {SIGQUIT, true},  {SIGTERM, true},  {SIGUSR1, false},
    {SIGUSR2, false}, {SIGALRM, false}, {SIGTSTP, false}, {SIGCONT, false}, {SIGWINCH, false},
};
enum { HANDED_ON = sizeof handed_on / sizeof *handed_on };

static struct child *children;
static size_t count;
static int signals = -1;
static struct {
    int fd; /* -1: there is none, or we don't deal with it */
    pid_t group;
    bool given; /* it is the program's, or will be when that runs */
} terminal = {.fd = -1};

void foreground_begin(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (int i = 0; i < HANDED_ON; i++)
        sigaddset(&set, handed_on[i].signal);
    sigaddset(&set, SIGTTOU); /* we may change the foreground from the background: tcsetpgrp(3) */
    /* Our caller may ignore them; then signalfd would not see them, and children that end would be gone unseen. */
    signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        die(FAIL_TOOL, "sigprocmask: %m");
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        die(FAIL_TOOL, "signalfd: %m");
}

void foreground_add(pid_t pid, const char *image, bool ours)
{
    children = realloc(children, (count + 1) * sizeof *children);
    if (!children)
        die(FAIL_TOOL, "no memory");
    children[count] = (struct child){.pid = pid, .image = image, .ours = ours, .process = -1};
    if (!ours)
        children[count].process = (int)syscall(SYS_pidfd_open, pid, 0);
    count++;
}

/* --- the terminal --- */

void foreground_terminal(pid_t group)
{
    terminal.fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    terminal.group = group;
    terminal.given = terminal.fd >= 0 && tcgetpgrp(terminal.fd) == getpgrp();
}

/* If it is ours to give. */
static void give_terminal(void)
{
    if (terminal.fd >= 0 && tcgetpgrp(terminal.fd) == getpgrp())
        terminal.given = !tcsetpgrp(terminal.fd, terminal.group);
}

static void take_terminal(void)
{
    if (terminal.given && tcgetpgrp(terminal.fd) != getpgrp())
        tcsetpgrp(terminal.fd, getpgrp());
    terminal.given = false;
}

static void reap_one(struct child *child)
{
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
        ;
}

void foreground_kill(void)
{
    for (size_t i = 0; i < count; i++) {
        if (children[i].ended)
            continue;
        if (children[i].process < 0 || syscall(SYS_pidfd_send_signal, children[i].process, SIGKILL, NULL, 0))
            kill(children[i].pid, SIGKILL);
    }
    for (size_t i = 0; i < count; i++) {
        struct pollfd wait = {.fd = children[i].process, .events = POLLIN};

        if (children[i].ours && !children[i].ended)
            reap_one(&children[i]);
        else if (wait.fd >= 0)
            poll(&wait, 1, 5000);
    }
    count = 0;
    take_terminal();
}

static void send_all(int signal)
{
    for (size_t i = 0; i < count; i++)
        if (children[i].ours && !children[i].ended)
            kill(children[i].pid, signal);
}

/* Ends by a signal, so that the shell sees what it would see of the program itself. A core file, if any, is the program's. */
static _Noreturn void end_by(int signal)
{
    struct rlimit none = {0};
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t set;

    setrlimit(RLIMIT_CORE, &none);
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigaction(signal, &usual, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), signal);
    _exit(128 + signal); /* not reached for signals that end a process */
}

static _Noreturn void end_as(int status)
{
    bool had = terminal.given;

    terminal_ours();
    take_terminal();
    if (status == UNKNOWN)
        exit(0);
    /* ^C is for all who are in the foreground; a script that runs us would not see it but for us. */
    if (had && WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGQUIT))
        kill(0, WTERMSIG(status));
    if (WIFSIGNALED(status))
        end_by(WTERMSIG(status));
    exit(WEXITSTATUS(status));
}

/* The program has stopped: so do we, and the shell gets its prompt back. When we go on, so does it (if the shell has not continued the
 * whole group already). Not for SIGSTOP: who sends that to the program will continue the program, not us. */
static void stop_too(void)
{
    bool had = terminal.given;
    sigset_t stop;

    terminal_ours();
    take_terminal();
    if (had) { /* as the terminal's key would have; by our own, too, which SIGCONT takes back if the shell was faster */
        sigemptyset(&stop);
        sigaddset(&stop, SIGTSTP);
        kill(0, SIGTSTP);
        sigprocmask(SIG_UNBLOCK, &stop, NULL);
        sigprocmask(SIG_BLOCK, &stop, NULL);
    } else {
        raise(SIGSTOP);
    }
    give_terminal();
    terminal_theirs();
    if (terminal.group)
        kill(-terminal.group, SIGCONT);
    send_all(SIGCONT);
}

/* proc_pid_stat(5), fields 3 and 52: of one that is not our child. It is there until its parent, which may stand still, has reaped it. */
static int status_of(pid_t pid)
{
    char path[32], line[1024], *at;
    int status = UNKNOWN, field = 3;
    FILE *stat;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    stat = fopen(path, "re");
    if (!stat)
        return UNKNOWN;
    at = fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
    fclose(stat);
    if (!at || strncmp(at, ") Z", 3))
        return UNKNOWN;
    for (at += 2; field < 52 && (at = strchr(at, ' ')); at++)
        field++;
    if (at)
        status = atoi(at);
    return status;
}

static bool has_ended(struct child *child)
{
    struct pollfd now = {.fd = child->process, .events = POLLIN};

    if (child->process < 0 ? !kill(child->pid, 0) || errno != ESRCH : poll(&now, 1, 0) <= 0)
        return false;
    child->status = status_of(child->pid);
    return true;
}

/* Takes up what waitpid has. Returns a child that has ended just now, or NULL. *stopped: one has stopped. */
static struct child *reap(bool *stopped)
{
    for (size_t i = 0; i < count; i++) {
        struct child *child = &children[i];

        if (!child->ours && !child->ended && has_ended(child)) {
            child->ended = true;
            return child;
        }
        while (child->ours && !child->ended && waitpid(child->pid, &child->status, WNOHANG | WUNTRACED) == child->pid) {
            if (WIFSTOPPED(child->status)) {
                *stopped |= WSTOPSIG(child->status) != SIGSTOP;
                continue;
            }
            child->ended = true;
            return child;
        }
    }
    return NULL;
}

/* Takes one signal up. False: none waits. */
static bool next_signal(struct signalfd_siginfo *info)
{
    ssize_t n;

    do
        n = read(signals, info, sizeof *info);
    while (n < 0 && errno == EINTR);
    return n == sizeof *info;
}

static bool ends_restart(int signal)
{
    for (int i = 0; i < HANDED_ON; i++)
        if (handed_on[i].signal == signal)
            return handed_on[i].ends;
    return false;
}

static _Noreturn void give_up(const char *why)
{
    foreground_kill();
    terminal_ours();
    die(FAIL_RESTART, "the restart failed: %s", why);
}

enum verdict { UNDECIDED, RUNNING };

/* What the coordinator says; ends the restart if it is bad news. */
static enum verdict hear(int connection, uint64_t deadline)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_header header;
    long error = msg_receive(connection, &header, payload, sizeof payload, deadline);

    if (error == -ETIMEDOUT)
        return UNDECIDED;
    if (error)
        give_up(error == -ECONNRESET ? "the coordinator has ended" : fmt_error((int)error));
    if (header.type == PROTO_REFUSE)
        give_up(payload);
    return header.type == PROTO_RESTART_DONE ? RUNNING : UNDECIDED;
}

/* A process ended before we knew that the set runs. That is a failed restart, or a program that had nothing left to do: the coordinator
 * knows, if the process got as far as joining. It hears of the end at the same moment as we do. */
static void judge_early_end(const struct child *child, int connection)
{
    const uint64_t wait_ns = 3000000000u;
    char why[8192];

    if (child->status != UNKNOWN && WIFEXITED(child->status) && WEXITSTATUS(child->status) == fail_rc() + FAIL_RESTART) {
        foreground_kill(); /* it has said why */
        exit(fail_rc() + FAIL_RESTART);
    }
    if (hear(connection, sys_now_ns(CLOCK_MONOTONIC) + wait_ns) == RUNNING)
        return;
    if (child->status == UNKNOWN)
        snprintf(why, sizeof why, "the process of %s ended before it ran again", child->image);
    else if (WIFSIGNALED(child->status))
        snprintf(why, sizeof why, "the process of %s was killed by signal %d before it ran again", child->image, WTERMSIG(child->status));
    else
        snprintf(why, sizeof why, "the process of %s ended with code %d before it ran again", child->image, WEXITSTATUS(child->status));
    give_up(why);
}

/* What poll(2) waits for: signals, the coordinator, and the ends of those that are not our children. To be called again when some have ended. */
static struct pollfd *poll_list(int connection, nfds_t *used)
{
    static struct pollfd *list;

    if (!list)
        list = calloc(count + 2, sizeof *list);
    if (!list)
        die(FAIL_TOOL, "no memory");
    list[0] = (struct pollfd){.fd = signals, .events = POLLIN};
    list[1] = (struct pollfd){.fd = connection, .events = POLLIN};
    *used = 2;
    for (size_t i = 0; i < count; i++)
        if (!children[i].ended && children[i].process >= 0)
            list[(*used)++] = (struct pollfd){.fd = children[i].process, .events = POLLIN};
    return list;
}

void foreground_until_running(int connection)
{
    enum verdict verdict = UNDECIDED;

    while (verdict == UNDECIDED) {
        struct signalfd_siginfo info;
        struct child *ended;
        bool stopped = false;
        nfds_t used;
        struct pollfd *wait = poll_list(connection, &used);

        if (poll(wait, used, -1) < 0 && errno != EINTR)
            give_up(strerror(errno));
        /* The coordinator first: a program that is done at once has run all the same. */
        if (wait[1].revents) {
            verdict = hear(connection, coordinator_deadline());
            continue;
        }
        while (next_signal(&info))
            if (ends_restart((int)info.ssi_signo)) {
                foreground_kill();
                end_by((int)info.ssi_signo);
            }
        ended = reap(&stopped);
        if (ended) {
            judge_early_end(ended, connection);
            verdict = RUNNING;
        }
        if (stopped)
            stop_too();
    }
    close(connection);
}

/* Our children are waited for, as a shell would; orphans only if there is nobody else. */
static bool all_ended(void)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (children[i].ours && !children[i].ended)
            return false;
        any |= children[i].ours;
    }
    for (size_t i = 0; !any && i < count; i++)
        if (!children[i].ended)
            return false;
    return true;
}

void foreground_wait(void)
{
    int repaint_ms = terminal_repaint_begin();

    for (;;) {
        struct signalfd_siginfo info;
        bool stopped = false;
        nfds_t used;
        struct pollfd *wait;

        while (reap(&stopped))
            ;
        if (all_ended())
            end_as(children[0].status);
        if (stopped)
            stop_too();
        wait = poll_list(-1, &used);
        if (!poll(wait, used, repaint_ms ? repaint_ms : -1)) {
            terminal_repaint_end();
            repaint_ms = 0;
        }
        while (next_signal(&info)) {
            if (info.ssi_signo == SIGCONT)
                give_terminal();
            if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL && info.ssi_pid != (uint32_t)getpid())
                send_all((int)info.ssi_signo);
        }
    }
}
