/* Blocked signals that wait for delivery, to the process and to a thread, keep their order and everything in their siginfo. */
#include <pthread.h>
#include <signal.h>

#include "step.h"

static sigset_t all;
static volatile int thread_armed, thread_checked, round_now, end;

static void take(const sigset_t *set, int number, int code, int value)
{
    siginfo_t info;
    struct timespec none = {0};

    memset(&info, 0, sizeof info);
    int got = sigtimedwait(set, &info, &none);
    if (got != number || info.si_signo != number || info.si_code != code)
        FAIL("step %d: signal %d with code %d instead of %d with code %d", step_number_, got, info.si_code, number, code);
    CHECK(info.si_pid == getpid() && info.si_uid == getuid());
    if (code == SI_QUEUE)
        CHECK(info.si_value.sival_int == value);
}

static void take_nothing(void)
{
    siginfo_t info;
    struct timespec none = {0};

    CHECK(sigtimedwait(&all, &info, &none) == -1 && errno == EAGAIN);
}

static void queue(int number, int value)
{
    CHECK(sigqueue(getpid(), number, (union sigval){.sival_int = value}) == 0);
}

/* Real-time signals of one number keep their order; different numbers come lowest first. */
static void *run(void *unused)
{
    for (int round = 1;; round++) {
        UNTIL(round_now == round || end);
        if (end)
            return NULL;
        for (int i = 0; i < 5; i++)
            ZERO(pthread_sigqueue(pthread_self(), SIGRTMIN + 3, (union sigval){.sival_int = round * 100 + i}));
        ZERO(pthread_kill(pthread_self(), SIGUSR2));
        thread_armed = round;
        UNTIL(thread_checked == -round);
        sigset_t mine;
        sigemptyset(&mine);
        sigaddset(&mine, SIGUSR2);
        take(&mine, SIGUSR2, SI_USER, 0); /* glibc hides SI_TKILL in sigtimedwait */
        sigemptyset(&mine);
        sigaddset(&mine, SIGRTMIN + 3);
        for (int i = 0; i < 5; i++)
            take(&mine, SIGRTMIN + 3, SI_QUEUE, round * 100 + i);
        thread_checked = round;
    }
}

static volatile int handled;

static void on_signal(int number)
{
    handled++;
}

int main(void)
{
    pthread_t thread;
    sigset_t now, set;
    bool more;

    sigemptyset(&all);
    sigaddset(&all, SIGUSR1);
    sigaddset(&all, SIGUSR2);
    sigaddset(&all, SIGCHLD);
    sigaddset(&all, SIGRTMIN + 1);
    sigaddset(&all, SIGRTMIN + 2);
    sigaddset(&all, SIGRTMIN + 3);
    signal(SIGUSR1, on_signal);
    ZERO(pthread_sigmask(SIG_BLOCK, &all, NULL));
    ZERO(pthread_create(&thread, NULL, run, NULL));
    for (int round = 1;; round++) {
        round_now = round;
        queue(SIGRTMIN + 2, 20);
        for (int i = 0; i < 50; i++)
            queue(SIGRTMIN + 1, i);
        queue(SIGRTMIN + 2, 21);
        CHECK(kill(getpid(), SIGUSR1) == 0);
        CHECK(kill(getpid(), SIGUSR1) == 0); /* a standard signal waits once */
        queue(SIGCHLD, 5);
        UNTIL(thread_armed == round);

        more = step();

        CHECK(handled == 0);
        ZERO(pthread_sigmask(SIG_BLOCK, NULL, &now));
        for (int number = 1; number <= SIGRTMAX; number++)
            if (number < 32 || number >= SIGRTMIN)
                CHECK(sigismember(&now, number) == sigismember(&all, number));
        CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) && sigismember(&set, SIGRTMIN + 1));
        CHECK(!sigismember(&set, SIGRTMIN + 3)); /* that thread's own */
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN + 1);
        sigaddset(&set, SIGRTMIN + 2);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGCHLD);
        take(&set, SIGUSR1, SI_USER, 0);
        take(&set, SIGCHLD, SI_QUEUE, 5);
        for (int i = 0; i < 50; i++)
            take(&set, SIGRTMIN + 1, SI_QUEUE, i);
        take(&set, SIGRTMIN + 2, SI_QUEUE, 20);
        take(&set, SIGRTMIN + 2, SI_QUEUE, 21);
        take_nothing();
        thread_checked = -round;
        UNTIL(thread_checked == round);
        if (!more)
            break;
    }
    end = 1;
    ZERO(pthread_join(thread, NULL));
    CHECK(handled == 0);
    puts("pending signals kept");
    return 0;
}
