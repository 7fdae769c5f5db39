/* Timers of every kind over checkpoints and restarts: of setitimer; of timer_create on wall, monotonic and processor time clocks, by signal, by
 * signal to one thread, in a thread, and by nothing; with a gap in their numbers. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "step.h"

enum { WALL, MONOTONIC, TO_THREAD, PROCESS_CPU, THREAD_CPU, KINDS };

static volatile int ticks[KINDS], itimer_ticks[3], in_thread;
static pid_t worker_tid;
static volatile pid_t came_in;

static void on_tick(int number, siginfo_t *info, void *context)
{
    CHECK(info->si_code == SI_TIMER);
    if (info->si_value.sival_int == TO_THREAD)
        came_in = gettid();
    ticks[info->si_value.sival_int]++;
}

static void on_itimer(int number)
{
    itimer_ticks[number == SIGALRM ? 0 : number == SIGVTALRM ? 1 : 2]++;
}

static void count(union sigval value)
{
    __atomic_add_fetch(value.sival_ptr == &in_thread ? &in_thread : NULL, 1, __ATOMIC_SEQ_CST);
}

static timer_t make(clockid_t clock, int kind, pid_t thread)
{
    struct sigevent event = {.sigev_notify = thread ? SIGEV_THREAD_ID : SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = kind};
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}};
    timer_t timer;

    event._sigev_un._tid = thread;
    CHECK(timer_create(clock, &event, &timer) == 0 && timer_settime(timer, 0, &spec, NULL) == 0);
    return timer;
}

static pthread_barrier_t ready;
static int raw_timer, ended_timer; /* as the kernel numbers them */

/* The thread that it would tell has ended: it runs in silence. */
static void *leave_timer(void *unused)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1};
    struct itimerspec far = {{0}, {5000, 0}};

    event._sigev_un._tid = gettid();
    CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &ended_timer) == 0);
    CHECK(syscall(SYS_timer_settime, ended_timer, 0, &far, NULL) == 0);
    return NULL;
}

/* Burns processor time, of which two clocks count this thread's. */
static void *work(void *unused)
{
    struct sigevent silently = {.sigev_notify = SIGEV_NONE};
    struct itimerspec far = {{0}, {5000, 0}};

    worker_tid = gettid();
    CHECK(syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &silently, &raw_timer) == 0);
    CHECK(syscall(SYS_timer_settime, raw_timer, 0, &far, NULL) == 0);
    make(CLOCK_THREAD_CPUTIME_ID, THREAD_CPU, 0);
    pthread_barrier_wait(&ready);
    for (volatile unsigned long i = 0; in_thread >= 0; i++)
        if (i % (1 << 24) == 0)
            usleep(1000);
    return NULL;
}

#define MORE(counter) do { int before_ = (counter); UNTIL((counter) > before_ + 1); } while (0)

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigaction simple = {.sa_handler = on_itimer, .sa_flags = SA_RESTART};
    struct itimerval interval = {{0, 5000}, {0, 5000}}, now;
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}}, far = {{0}, {5000, 0}}, left;
    struct sigevent silent = {.sigev_notify = SIGEV_NONE};
    struct sigevent threaded = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = count, .sigev_value.sival_ptr = (void *)&in_thread};
    timer_t far_timer, gone, thread_timer, wall;
    pthread_t worker;

    CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
    CHECK(sigaction(SIGALRM, &simple, NULL) == 0 && sigaction(SIGVTALRM, &simple, NULL) == 0 && sigaction(SIGPROF, &simple, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &silent, &gone) == 0);
    CHECK(timer_create(CLOCK_BOOTTIME, &silent, &far_timer) == 0 && timer_settime(far_timer, 0, &far, NULL) == 0);
    CHECK(timer_delete(gone) == 0);
    ZERO(pthread_barrier_init(&ready, NULL, 2));
    ZERO(pthread_create(&worker, NULL, work, NULL));
    pthread_barrier_wait(&ready);
    pthread_t ended;
    ZERO(pthread_create(&ended, NULL, leave_timer, NULL));
    ZERO(pthread_join(ended, NULL));
    wall = make(CLOCK_REALTIME, WALL, 0);
    make(CLOCK_MONOTONIC, MONOTONIC, 0);
    make(CLOCK_MONOTONIC, TO_THREAD, worker_tid);
    make(CLOCK_PROCESS_CPUTIME_ID, PROCESS_CPU, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &threaded, &thread_timer) == 0 && timer_settime(thread_timer, 0, &spec, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(setitimer(i, &interval, NULL) == 0);
    do {
        for (int i = 0; i < KINDS; i++)
            MORE(ticks[i]);
        CHECK(came_in == worker_tid);
        for (int i = 0; i < 3; i++) {
            MORE(itimer_ticks[i]);
            CHECK(getitimer(i, &now) == 0 && now.it_interval.tv_usec > 0);
        }
        MORE(in_thread);
        CHECK(timer_gettime(wall, &left) == 0 && left.it_interval.tv_nsec == 5000000);
        CHECK(timer_gettime(far_timer, &left) == 0 && left.it_value.tv_sec > 4000 && left.it_value.tv_sec <= 5000);
        CHECK(timer_settime(far_timer, 0, &far, NULL) == 0);
        CHECK(syscall(SYS_timer_gettime, raw_timer, &left) == 0 && left.it_value.tv_sec > 4000);
        CHECK(syscall(SYS_timer_gettime, ended_timer, &left) == 0 && left.it_value.tv_sec > 4000);
        CHECK(timer_create(CLOCK_MONOTONIC, &silent, &gone) == 0 && gone != far_timer && timer_delete(gone) == 0);
    } while (step());
    puts("all timers came back");
    fflush(stdout);
    _exit(0);
}
