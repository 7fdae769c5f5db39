/* The checkpoint signal does not exist for a program: it can be blocked, waited for, handled, ignored, as far as the program can tell; and
 * yet it always reaches the handler that stands for libckpt's here. The wrappers are linked into this program. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ckpt_signal.h"
#include "wrap.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wrestrict" /* set and old set may be the same, whatever the prototype says */
#endif

#define CHECK(condition)                                                                                                                   \
    do                                                                                                                                     \
        if (!(condition)) {                                                                                                                \
            fprintf(stderr, "%s:%d: signal %d: %s (errno %d)\n", __FILE__, __LINE__, ckpt_signal, #condition, errno);                      \
            _exit(1);                                                                                                                      \
        }                                                                                                                                  \
    while (0)

static int marker; /* its address as value: the signal is libckpt's */
static volatile int ours, theirs;
static volatile siginfo_t last;

static void library_handler(int number, siginfo_t *info, void *context)
{
    if (info->si_code == SI_QUEUE && info->si_value.sival_ptr == &marker)
        ours++;
    else
        ckpt_signal_application(info, context);
}

static uint64_t kernel_mask(void)
{
    uint64_t mask = 0;

    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
    return mask;
}

static bool kernel_blocks(int number)
{
    return kernel_mask() >> (number - 1) & 1;
}

struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

static struct kernel_action kernel_action(int number)
{
    struct kernel_action action;

    syscall(SYS_rt_sigaction, number, NULL, &action, 8);
    return action;
}

/* As libckpt installs it: past the wrappers. */
static void install_library_handler(void)
{
    struct sigaction dummy = {.sa_sigaction = library_handler, .sa_flags = SA_SIGINFO}, saved;
    struct kernel_action action;

    /* libc knows the restorer: take it from an action that libc installs */
    sigaction(SIGUSR2, &dummy, &saved);
    action = kernel_action(SIGUSR2);
    sigaction(SIGUSR2, &saved, NULL);
    action.mask = ~0ull;
    CHECK(syscall(SYS_rt_sigaction, ckpt_signal, &action, NULL, 8) == 0);
}

static void send_ours(pthread_t thread)
{
    int before = ours;

    CHECK(pthread_sigqueue(thread, ckpt_signal, (union sigval){.sival_ptr = &marker}) == 0);
    while (ours == before)
        sched_yield();
}

static void on_signal(int number)
{
    CHECK(!kernel_blocks(ckpt_signal));
    theirs++;
}

static void on_info(int number, siginfo_t *info, void *context)
{
    CHECK(number == ckpt_signal);
    memcpy((void *)&last, info, sizeof *info);
    CHECK(!kernel_blocks(ckpt_signal));
    CHECK(kernel_blocks(SIGUSR1)); /* its sa_mask */
    theirs++;
}

static void test_masks(void)
{
    sigset_t full, set, one;

    sigfillset(&full);
    sigemptyset(&one);
    sigaddset(&one, ckpt_signal);

    CHECK(sigprocmask(SIG_SETMASK, &full, &set) == 0 && !sigismember(&set, ckpt_signal));
    CHECK(!kernel_blocks(ckpt_signal) && kernel_blocks(SIGUSR1));
    CHECK(pthread_sigmask(SIG_UNBLOCK, &one, &set) == 0 && sigismember(&set, ckpt_signal));
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, ckpt_signal) && sigismember(&set, SIGUSR1));
    set = one;
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &set) == 0 && !sigismember(&set, ckpt_signal)); /* in place */
    CHECK(!kernel_blocks(ckpt_signal));
    CHECK(sigismember(&one, ckpt_signal)); /* the program's set is untouched */
    send_ours(pthread_self());
    sigemptyset(&set);
    CHECK(sigprocmask(SIG_SETMASK, &set, &set) == 0 && sigismember(&set, ckpt_signal));
    CHECK(kernel_mask() == 0);
    errno = 0;
    CHECK(sigprocmask(99, &full, NULL) == -1 && errno == EINVAL);
    CHECK(pthread_sigmask(99, &full, NULL) == EINVAL);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigisemptyset(&set));

    CHECK(sighold(ckpt_signal) == 0 && !kernel_blocks(ckpt_signal));
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, ckpt_signal));
    CHECK(sigrelse(ckpt_signal) == 0);
    CHECK(sighold(SIGUSR1) == 0 && kernel_blocks(SIGUSR1) && sigrelse(SIGUSR1) == 0 && !kernel_blocks(SIGUSR1));
    if (ckpt_signal <= 31) {
        int bit = 1 << (ckpt_signal - 1);
        CHECK(sigblock(bit | 1) == 0 && !kernel_blocks(ckpt_signal) && kernel_blocks(1));
        CHECK(sigsetmask(0) == (bit | 1) && kernel_mask() == 0);
    }
}

static void test_actions(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;

    /* masks of other signals' actions */
    sigfillset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(!(kernel_action(SIGUSR1).mask >> (ckpt_signal - 1) & 1));
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && sigismember(&old.sa_mask, ckpt_signal) && old.sa_handler == on_signal);
    theirs = 0;
    raise(SIGUSR1);
    CHECK(theirs == 1);
    CHECK(signal(SIGUSR1, SIG_DFL) == on_signal);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && !sigismember(&old.sa_mask, ckpt_signal));

    /* the signal's own action is the program's, to the program */
    void *kernel_before = kernel_action(ckpt_signal).handler;
    CHECK(sigaction(ckpt_signal, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    action = (struct sigaction){.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};
    sigaddset(&action.sa_mask, SIGUSR1);
    CHECK(sigaction(ckpt_signal, &action, &old) == 0 && old.sa_handler == SIG_DFL);
    CHECK(kernel_action(ckpt_signal).handler == kernel_before);
    CHECK(sigaction(ckpt_signal, NULL, &old) == 0 && old.sa_sigaction == on_info && sigismember(&old.sa_mask, SIGUSR1));
    theirs = 0;
    CHECK(pthread_sigqueue(pthread_self(), ckpt_signal, (union sigval){.sival_int = 77}) == 0);
    CHECK(theirs == 1 && last.si_value.sival_int == 77 && last.si_code == SI_QUEUE);
    CHECK(raise(ckpt_signal) == 0 && theirs == 2 && last.si_pid == getpid());
    CHECK(kernel_mask() == 0);
    send_ours(pthread_self());
    CHECK(theirs == 2);

    /* blocked: later */
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, ckpt_signal);
    CHECK(sigprocmask(SIG_BLOCK, &one, NULL) == 0 && raise(ckpt_signal) == 0 && theirs == 2);
    send_ours(pthread_self());
    CHECK(sigprocmask(SIG_UNBLOCK, &one, NULL) == 0 && theirs == 3);

    CHECK((void *)signal(ckpt_signal, on_signal) == (void *)on_info);
    CHECK(raise(ckpt_signal) == 0 && raise(ckpt_signal) == 0 && theirs == 5);
    CHECK(siginterrupt(ckpt_signal, 1) == 0 && sigaction(ckpt_signal, NULL, &old) == 0 && !(old.sa_flags & SA_RESTART));
    CHECK(sysv_signal(ckpt_signal, on_signal) == on_signal);
    CHECK(raise(ckpt_signal) == 0 && theirs == 6);
    CHECK(signal(ckpt_signal, SIG_IGN) == SIG_DFL); /* System V resets */
    CHECK(raise(ckpt_signal) == 0 && theirs == 6);
    CHECK(sigset(ckpt_signal, on_signal) == SIG_IGN && sigset(ckpt_signal, SIG_HOLD) == on_signal);
    CHECK(sigset(ckpt_signal, SIG_DFL) == SIG_HOLD);
    CHECK(sigignore(ckpt_signal) == 0 && raise(ckpt_signal) == 0);
    CHECK(signal(ckpt_signal, SIG_DFL) == SIG_IGN);
    CHECK(kernel_action(ckpt_signal).handler == kernel_before && kernel_mask() == 0);

    pid_t child = fork();
    int status;
    if (!child) {
        raise(ckpt_signal);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == ckpt_signal);
}

/* --- threads that wait with everything blocked --- */

static sigset_t everything;

static void wait_ppoll(void)
{
    CHECK(ppoll(NULL, 0, NULL, &everything) == -1 && errno == EINTR);
}
int ppoll_checked(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size) __asm__("__ppoll_chk");
static void wait_ppoll_checked(void)
{
    struct pollfd p = {.fd = -1};

    CHECK(ppoll_checked(&p, 1, NULL, &everything, sizeof p) == -1 && errno == EINTR);
}
static void wait_pselect(void)
{
    CHECK(pselect(0, NULL, NULL, NULL, NULL, &everything) == -1 && errno == EINTR);
}
static void wait_epoll_pwait(void)
{
    struct epoll_event event;

    CHECK(epoll_pwait(epoll_create1(0), &event, 1, -1, &everything) == -1 && errno == EINTR);
}
static void wait_epoll_pwait2(void)
{
    struct epoll_event event;

    CHECK(epoll_pwait2(epoll_create1(0), &event, 1, NULL, &everything) == -1 && errno == EINTR);
}
static void wait_sigsuspend(void)
{
    CHECK(sigsuspend(&everything) == -1 && errno == EINTR);
}
static void wait_sigwaitinfo(void)
{
    siginfo_t info;

    CHECK(sigwaitinfo(&everything, &info) == -1 && errno == EINTR);
}
static void wait_sigtimedwait(void)
{
    CHECK(sigtimedwait(&everything, NULL, &(const struct timespec){1000, 0}) == -1 && errno == EINTR);
}
static void wait_sigwait(void)
{
    int number;

    CHECK(sigwait(&everything, &number) == 0 && number == SIGUSR2); /* goes on after EINTR by itself */
}
static void wait_signalfd(void)
{
    int fd = signalfd(-1, &everything, SFD_CLOEXEC);
    struct signalfd_siginfo info;

    CHECK(fd >= 0 && read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2);
    close(fd);
}

static const struct wait {
    void (*wait)(void);
    bool goes_on; /* until SIGUSR2 */
} waits[] = {
    {wait_ppoll, false},        {wait_ppoll_checked, false}, {wait_pselect, false},    {wait_epoll_pwait, false},
    {wait_epoll_pwait2, false}, {wait_sigsuspend, false},    {wait_sigwaitinfo, false}, {wait_sigtimedwait, false},
    {wait_sigwait, true},       {wait_signalfd, true},
};

static volatile pid_t waiting_tid;
static int made_mask_lacks_ours;

static void *wait_in_thread(void *raw)
{
    const struct wait *one = raw;

    made_mask_lacks_ours = !kernel_blocks(ckpt_signal) && kernel_blocks(SIGUSR1); /* by the attribute */
    waiting_tid = gettid();
    one->wait();
    return NULL;
}

static void await_blocked(pid_t tid)
{
    char path[64], text[64];
    long number;

    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    do {
        FILE *file = fopen(path, "re");
        CHECK(file != NULL);
        text[0] = 0;
        if (!fgets(text, sizeof text, file))
            text[0] = 0;
        fclose(file);
        sched_yield();
    } while (sscanf(text, "%ld", &number) != 1 || number < 0);
}

static void test_waiting(void)
{
    struct kernel_action restarting = kernel_action(ckpt_signal);
    pthread_attr_t attributes;

    restarting.flags |= SA_RESTART;
    CHECK(syscall(SYS_rt_sigaction, ckpt_signal, &restarting, NULL, 8) == 0);
    sigfillset(&everything);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setsigmask_np(&attributes, &everything) == 0);
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        pthread_t thread;

        waiting_tid = 0;
        CHECK(pthread_create(&thread, &attributes, wait_in_thread, (void *)&waits[i]) == 0);
        while (!waiting_tid)
            sched_yield();
        CHECK(made_mask_lacks_ours);
        await_blocked(waiting_tid);
        send_ours(thread);
        if (waits[i].goes_on)
            pthread_kill(thread, SIGUSR2);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    pthread_attr_destroy(&attributes);
}

/* Another library's constructor may run before ours: the wrappers then find libc by themselves. */
static bool early_worked;

__attribute__((constructor(101))) static void early(void)
{
    sigset_t set;

    sigfillset(&set);
    early_worked = sigprocmask(SIG_SETMASK, &set, NULL) == 0 && !kernel_blocks(ckpt_signal) && kernel_blocks(SIGUSR1);
    sigemptyset(&set);
    early_worked = early_worked && sigprocmask(SIG_SETMASK, &set, NULL) == 0;
}

int main(int argc, char **argv)
{
    CHECK(early_worked);
    wrap_resolve();
    if (argc > 1)
        ckpt_signal = atoi(argv[1]);
    install_library_handler();
    test_masks();
    test_actions();
    test_waiting();
    return 0;
}
