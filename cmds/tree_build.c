#include "tree_build.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "sys.h"
#include "terminals.h"

#define STEP_NS 60000000000ull /* so long a step may last: somebody must have been killed */

enum step { BORN, FOUNDED, JOINED, ALONE, CHECKED, STEPS };

/* Shared by all. */
struct board {
    uint32_t arrived[STEPS]; /* futexes */
    uint32_t failed; /* 1: `problem` is being written, 2: it is there */
    char problem[240];
    pid_t pid[]; /* by node */
};

static const struct tree *tree;
static struct board *board;
static bool choose;
static tree_become become;
static void *become_argument;
static bool with_pid; /* this process has its old number */

static bool failed(void)
{
    return __atomic_load_n(&board->failed, __ATOMIC_ACQUIRE);
}

static void wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    uint32_t none = 0;
    va_list arguments;

    if (!__atomic_compare_exchange_n(&board->failed, &none, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    va_start(arguments, format);
    vsnprintf(board->problem, sizeof board->problem, format, arguments);
    va_end(arguments);
    __atomic_store_n(&board->failed, 2, __ATOMIC_RELEASE);
    for (int s = 0; s < STEPS; s++)
        wake(&board->arrived[s]);
}

/* Until all that take part have come this far. False: it failed. */
static bool barrier(enum step step)
{
    uint32_t all = (uint32_t)(step < ALONE ? tree->count : tree->processes) + 1;
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + STEP_NS;

    if (__atomic_add_fetch(&board->arrived[step], 1, __ATOMIC_ACQ_REL) == all)
        wake(&board->arrived[step]);
    for (;;) {
        struct timespec wait = {.tv_sec = 1};
        uint32_t arrived = __atomic_load_n(&board->arrived[step], __ATOMIC_ACQUIRE);

        if (failed())
            return false;
        if (arrived >= all)
            return true;
        if (sys_now_ns(CLOCK_MONOTONIC) > deadline)
            fail("only %u of %u processes came as far as step %d", arrived, all, (int)step);
        else
            syscall(SYS_futex, &board->arrived[step], FUTEX_WAIT, arrived, &wait, NULL, 0);
    }
}

static _Noreturn void leave(void)
{
    _exit(fail_rc() + FAIL_RESTART);
}

/* --- making them --- */

static void run_node(int node);

/* fork(2) with a pid of our choice: clone3(2), set_tid. */
static pid_t fork_as(pid_t pid)
{
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};

    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static bool is_wanted(pid_t pid)
{
    for (int i = 0; i < tree->count; i++)
        if (tree->nodes[i].pid == pid)
            return true;
    return false;
}

/* A helper must not sit on the number of one that is still to be made. */
static pid_t fork_unwanted(void)
{
    for (int attempt = 0;; attempt++) {
        pid_t pid = fork();

        if (!pid && is_wanted(getpid()) && attempt < 1000)
            _exit(0);
        if (pid <= 0 || !is_wanted(pid) || attempt >= 1000)
            return pid;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

static bool make(int i)
{
    const struct tree_node *node = &tree->nodes[i];
    pid_t pid = -1;
    bool chosen = false;

    if (choose && node->pid) {
        pid = fork_as(node->pid);
        chosen = pid >= 0;
    }
    if (pid < 0) /* no privilege, pid taken or above pid_max, an old kernel: programs will be told the old numbers all the same */
        pid = choose ? fork_unwanted() : fork();
    if (!pid) {
        with_pid = chosen;
        run_node(i);
    }
    if (pid < 0) {
        fail("fork: %s", strerror(errno));
        return false;
    }
    board->pid[i] = pid;
    return true;
}

static bool make_children(int maker, bool early)
{
    for (int i = 0; i < tree->count; i++)
        if (tree->nodes[i].maker == maker && tree->nodes[i].early == early && !make(i))
            return false;
    return true;
}

/* Waits for those of our children that end: helpers, which we reap, and zombies, which we do not. */
static void see_them_end(int maker)
{
    for (int i = 0; i < tree->count; i++) {
        const struct tree_node *node = &tree->nodes[i];
        siginfo_t info;

        if (node->maker != maker || node->kind == TREE_PROCESS)
            continue;
        while (waitid(P_PID, (id_t)board->pid[i], &info, WEXITED | (node->kind == TREE_ZOMBIE ? WNOWAIT : 0)) && errno == EINTR)
            ;
    }
}

/* Ends as it had ended, without a second core file. */
static _Noreturn void end_as(int status)
{
    struct rlimit none = {0};
    sys_sigset others;

    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    others = ~(1ull << (WTERMSIG(status) - 1));
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), WTERMSIG(status));
    sys_sigprocmask(SIG_SETMASK, &others, NULL);
    leave();
}

/* --- what came out --- */

static pid_t expected_number(int node, pid_t ours)
{
    return node == TREE_US ? ours : board->pid[node];
}

static bool check(int i, const pid_t us[3])
{
    const struct tree_node *node = &tree->nodes[i];
    pid_t parent = (pid_t)syscall(SYS_getppid), group = getpgid(0), session = getsid(0);

    if (node->parent != TREE_NONE && parent != expected_number(node->parent, us[0]))
        fail("process %d: another parent than it had", (int)node->pid);
    else if (group != expected_number(node->group, us[1]))
        fail("process %d: its process group can't be made again", (int)node->pid);
    else if (session != expected_number(node->session, us[2]))
        fail("process %d: its session can't be made again", (int)node->pid);
    return !failed();
}

/* --- the steps, in each process --- */

static pid_t us[3]; /* dmtcp_restart's pid, group and session */

/* The kernel's own calls: libc keeps two signals to itself. */
static void quiet_signals(void)
{
    static const sys_sigset all = ~0ull;
    struct sys_sigaction usual = {.handler = NULL};

    sys_sigprocmask(SIG_SETMASK, &all, NULL);
    for (int s = 1; s <= 64; s++)
        sys_sigaction(s, &usual, NULL);
}

/* Ends of helpers and zombies; the SIGCHLD that was pending at the checkpoint is libckpt's to give back. */
static void forget_ends(void)
{
    static const sys_sigset ends = 1ull << (SIGCHLD - 1);
    static const struct timespec now;

    while (syscall(SYS_rt_sigtimedwait, &ends, NULL, &now, sizeof ends) > 0)
        ;
}

/* Both groups at once: one that leads a group may itself be in another. */
static bool found_group(int i)
{
    const struct tree_node *node = &tree->nodes[i];

    if (node->founds_group && !node->leads_session && setpgid(0, 0)) {
        fail("process %d: setpgid: %s", (int)node->pid, strerror(errno));
        return false;
    }
    return true;
}

static bool join_group(int i)
{
    const struct tree_node *node = &tree->nodes[i];
    pid_t group = expected_number(node->group, us[1]);

    if (getpgid(0) != group && setpgid(0, group)) {
        fail("process %d: joining its process group: %s", (int)node->pid, strerror(errno));
        return false;
    }
    return true;
}

static void run_node(int i)
{
    const struct tree_node *node = &tree->nodes[i];

    quiet_signals();
    board->pid[i] = (pid_t)syscall(SYS_getpid);
    if (node->subreaper)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!make_children(i, true))
        leave();
    if (node->leads_session && setsid() < 0) {
        fail("process %d: setsid: %s", (int)node->pid, strerror(errno));
        leave();
    }
    if (node->leads_session && node->kind == TREE_PROCESS)
        terminals_take(node->image->image.process);
    if (!make_children(i, false) || !barrier(BORN) || !found_group(i) || !barrier(FOUNDED) || !join_group(i) || !barrier(JOINED))
        leave();
    see_them_end(i);
    if (node->kind == TREE_HELPER)
        _exit(0);
    if (node->kind == TREE_ZOMBIE) {
        prctl(PR_SET_NAME, node->name);
        end_as(node->status);
    }
    if (!barrier(ALONE) || !check(i, us) || !barrier(CHECKED))
        leave();
    forget_ends();
    become(i, with_pid, become_argument);
    leave();
}

/* --- dmtcp_restart --- */

static _Noreturn void give_up(void)
{
    while (__atomic_load_n(&board->failed, __ATOMIC_ACQUIRE) < 2)
        sched_yield();
    for (int i = 0; i < tree->count; i++)
        if (board->pid[i] > 0 && board->pid[i] != getpid())
            kill(board->pid[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    die(FAIL_RESTART, "the restart failed: %s", board->problem);
}

const pid_t *tree_build(const struct tree *plan, bool choose_pids, tree_become function, void (*numbered)(const pid_t *), void *argument)
{
    tree = plan;
    choose = choose_pids;
    become = function;
    become_argument = argument;
    us[0] = getpid();
    us[1] = getpgrp();
    us[2] = getsid(0);
    board = mmap(NULL, sizeof *board + (size_t)tree->count * sizeof *board->pid, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        die(FAIL_TOOL, "no memory");
    if (!make_children(TREE_US, false) || !barrier(BORN) || !barrier(FOUNDED) || !barrier(JOINED))
        give_up();
    see_them_end(TREE_US);
    if (!barrier(ALONE))
        give_up();
    if (numbered)
        numbered(board->pid);
    if (!barrier(CHECKED))
        give_up();
    return board->pid;
}
