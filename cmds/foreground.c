#include "foreground.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
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
    bool ended;
    int status; /* wait(2) */
};

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

void foreground_begin(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (int i = 0; i < HANDED_ON; i++)
        sigaddset(&set, handed_on[i].signal);
    /* Our caller may ignore them; then signalfd would not see them, and children that end would be gone unseen. */
    signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        die(FAIL_TOOL, "sigprocmask: %m");
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        die(FAIL_TOOL, "signalfd: %m");
}

void foreground_add(pid_t pid, const char *image)
{
    children = realloc(children, (count + 1) * sizeof *children);
    if (!children)
        die(FAIL_TOOL, "no memory");
    children[count++] = (struct child){.pid = pid, .image = image};
}

void foreground_kill(void)
{
    for (size_t i = 0; i < count; i++)
        if (!children[i].ended)
            kill(children[i].pid, SIGKILL);
    for (size_t i = 0; i < count; i++)
        while (!children[i].ended && waitpid(children[i].pid, &children[i].status, 0) < 0 && errno == EINTR)
            ;
    count = 0;
}

static void send_all(int signal)
{
    for (size_t i = 0; i < count; i++)
        if (!children[i].ended)
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
    terminal_ours();
    if (WIFSIGNALED(status))
        end_by(WTERMSIG(status));
    exit(WEXITSTATUS(status));
}

/* The program has stopped: so do we, and the shell gets its prompt back. When we go on, so does it (if the shell has not continued the
 * whole group already). Not for SIGSTOP: who sends that to the program will continue the program, not us. */
static void stop_too(void)
{
    terminal_ours();
    raise(SIGSTOP);
    terminal_theirs();
    send_all(SIGCONT);
}

/* Takes up what waitpid has. Returns a child that has ended just now, or NULL. *stopped: one has stopped. */
static struct child *reap(bool *stopped)
{
    for (size_t i = 0; i < count; i++) {
        struct child *child = &children[i];

        while (!child->ended && waitpid(child->pid, &child->status, WNOHANG | WUNTRACED) == child->pid) {
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

    if (WIFEXITED(child->status) && WEXITSTATUS(child->status) == fail_rc() + FAIL_RESTART) {
        foreground_kill(); /* it has said why */
        exit(fail_rc() + FAIL_RESTART);
    }
    if (hear(connection, sys_now_ns(CLOCK_MONOTONIC) + wait_ns) == RUNNING)
        return;
    if (WIFSIGNALED(child->status))
        snprintf(why, sizeof why, "the process of %s was killed by signal %d before it ran again", child->image, WTERMSIG(child->status));
    else
        snprintf(why, sizeof why, "the process of %s ended with code %d before it ran again", child->image, WEXITSTATUS(child->status));
    give_up(why);
}

void foreground_until_running(int connection)
{
    struct pollfd wait[2] = {{.fd = signals, .events = POLLIN}, {.fd = connection, .events = POLLIN}};
    enum verdict verdict = UNDECIDED;

    while (verdict == UNDECIDED) {
        struct signalfd_siginfo info;
        struct child *ended;
        bool stopped = false;

        if (poll(wait, 2, -1) < 0 && errno != EINTR)
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

static bool all_ended(void)
{
    for (size_t i = 0; i < count; i++)
        if (!children[i].ended)
            return false;
    return true;
}

void foreground_wait(void)
{
    struct pollfd wait = {.fd = signals, .events = POLLIN};
    int repaint_ms = terminal_repaint_begin();

    for (;;) {
        struct signalfd_siginfo info;
        bool stopped = false;

        while (reap(&stopped))
            ;
        if (all_ended())
            end_as(children[0].status);
        if (stopped)
            stop_too();
        if (!poll(&wait, 1, repaint_ms ? repaint_ms : -1)) {
            terminal_repaint_end();
            repaint_ms = 0;
        }
        while (next_signal(&info))
            if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL && (pid_t)info.ssi_pid != getpid())
                send_all((int)info.ssi_signo);
    }
}
