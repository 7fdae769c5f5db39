/* Signals that libc sends by numbers which it looks up itself: raise, abort, assert, cancellation, timers in threads. After a restart under other
 * numbers too (the driver's variants). */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "step.h"

static volatile int raised, in_thread;
static volatile pid_t raised_by;
static volatile bool end;

static void on_raise(int number, siginfo_t *info, void *context)
{
    raised_by = info->si_pid;
    raised++;
}

static void on_abort(int number)
{
    static const char said[] = "aborted\n";

    CHECK(write(1, said, sizeof said - 1) == sizeof said - 1);
}

static void *raise_here(void *unused)
{
    CHECK(raise(SIGUSR1) == 0);
    return NULL;
}

static void *raise_when_told(void *told)
{
    while (!end)
        if (__atomic_exchange_n((int *)told, 0, __ATOMIC_SEQ_CST))
            CHECK(raise(SIGUSR1) == 0);
        else
            step_nap_();
    return NULL;
}

static void *sleeper(void *unused)
{
    for (;;)
        pause();
    return NULL;
}

static void count(union sigval value)
{
    __atomic_add_fetch(&in_thread, 1, __ATOMIC_SEQ_CST);
}

static void dies_of(void (*act)(void), int number)
{
    const struct rlimit no_core = {0, 0};
    int status;
    pid_t pid = fork();

    if (!pid) {
        setrlimit(RLIMIT_CORE, &no_core);
        close(2);
        act();
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number);
}

static void abort_by_default(void)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void abort_through_handler(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGABRT);
    sigprocmask(SIG_BLOCK, &set, NULL); /* abort unblocks it */
    signal(SIGABRT, on_abort);
    abort();
}

static void assert_fails(void)
{
    assert(in_thread < 0);
}

static void raise_default(void)
{
    raise(SIGTERM);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_raise, .sa_flags = SA_SIGINFO};
    struct sigevent threaded = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = count};
    struct itimerspec often = {{0, 5000000}, {0, 5000000}};
    pthread_t old, victim, fresh;
    pid_t pid = getpid();
    int told = 0;
    timer_t timer;
    void *result;

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    ZERO(pthread_create(&old, NULL, raise_when_told, &told));
    ZERO(pthread_create(&victim, NULL, sleeper, NULL));
    do {
        int before = raised;
        CHECK(raise(SIGUSR1) == 0 && raised == before + 1 && raised_by == pid);
        __atomic_store_n(&told, 1, __ATOMIC_SEQ_CST);
        UNTIL(raised == before + 2);
        ZERO(pthread_create(&fresh, NULL, raise_here, NULL));
        ZERO(pthread_join(fresh, NULL));
        CHECK(raised == before + 3);
        ZERO(pthread_cancel(victim));
        ZERO(pthread_join(victim, &result));
        CHECK(result == PTHREAD_CANCELED);
        ZERO(pthread_create(&victim, NULL, sleeper, NULL));
        before = in_thread;
        CHECK(timer_create(CLOCK_MONOTONIC, &threaded, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
        UNTIL(in_thread > before + 1);
        CHECK(timer_delete(timer) == 0);
        dies_of(abort_by_default, SIGABRT);
        dies_of(abort_through_handler, SIGABRT);
        dies_of(assert_fails, SIGABRT);
        dies_of(raise_default, SIGTERM);
    } while (step());
    end = true;
    ZERO(pthread_join(old, NULL));
    puts("all signals came");
    return 0;
}
