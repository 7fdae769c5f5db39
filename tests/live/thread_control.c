/* Threads made before a checkpoint can be signalled, cancelled, renamed, pinned and joined after it, and new ones can be made. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "step.h"

static volatile int signalled, cleaned, in_wait;
static pthread_t signal_target;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void on_signal(int number, siginfo_t *info, void *context)
{
    CHECK(number == SIGUSR1);
    CHECK(pthread_equal(pthread_self(), signal_target));
    if (info->si_code == SI_QUEUE)
        CHECK(info->si_value.sival_int == 4711);
    signalled++;
}

static void *wait_for_signals(void *unused)
{
    for (;;) {
        pause();
        pthread_testcancel();
    }
    return NULL;
}

static void clean(void *argument)
{
    __atomic_add_fetch(&cleaned, 1, __ATOMIC_SEQ_CST);
    if (argument)
        pthread_mutex_unlock(argument);
}

static void *cancelled_in_condition(void *unused)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(clean, &mutex);
    __atomic_add_fetch(&in_wait, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pthread_cond_wait(&never, &mutex);
    pthread_cleanup_pop(1);
    return NULL;
}

static void *cancelled_in_sleep(void *unused)
{
    pthread_cleanup_push(clean, NULL);
    __atomic_add_fetch(&in_wait, 1, __ATOMIC_SEQ_CST);
    for (;;)
        sleep(1000);
    pthread_cleanup_pop(1);
    return NULL;
}

static void *cancelled_anywhere(void *unused)
{
    volatile unsigned long spins = 0;

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_cleanup_push(clean, NULL);
    __atomic_add_fetch(&in_wait, 1, __ATOMIC_SEQ_CST);
    for (;;)
        spins++;
    pthread_cleanup_pop(1);
    return NULL;
}

static void *give_back(void *argument)
{
    return argument;
}

/* Joined by another thread which is blocked in pthread_join across. */
static pthread_t long_lived;
static volatile int let_end, joined;

static void *until_told(void *argument)
{
    int wanted = (int)(long)argument;
    UNTIL(let_end == wanted);
    return argument;
}

static void *joiner(void *argument)
{
    void *result;
    ZERO(pthread_join(long_lived, &result));
    CHECK(result == argument);
    joined = (int)(long)argument;
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    pthread_t victim[3], late, join_thread;
    void *result;
    bool more;

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    ZERO(pthread_create(&signal_target, NULL, wait_for_signals, NULL));
    for (int round = 1;; round++) {
        in_wait = 0;
        cleaned = 0;
        ZERO(pthread_create(&victim[0], NULL, cancelled_in_condition, NULL));
        ZERO(pthread_create(&victim[1], NULL, cancelled_in_sleep, NULL));
        ZERO(pthread_create(&victim[2], NULL, cancelled_anywhere, NULL));
        ZERO(pthread_create(&long_lived, NULL, until_told, (void *)(long)round));
        ZERO(pthread_create(&join_thread, NULL, joiner, (void *)(long)round));
        UNTIL(in_wait == 3);

        more = step();

        int before = signalled;
        ZERO(pthread_kill(signal_target, 0));
        ZERO(pthread_kill(signal_target, SIGUSR1));
        UNTIL(signalled == before + 1);
        ZERO(pthread_sigqueue(signal_target, SIGUSR1, (union sigval){.sival_int = 4711}));
        UNTIL(signalled == before + 2);

        cpu_set_t set, now;
        struct sched_param parameter;
        int policy;
        ZERO(pthread_getaffinity_np(victim[2], sizeof set, &set));
        ZERO(pthread_setaffinity_np(victim[2], sizeof set, &set));
        ZERO(pthread_getaffinity_np(victim[2], sizeof now, &now));
        CHECK(CPU_EQUAL(&set, &now));
        ZERO(pthread_getschedparam(victim[1], &policy, &parameter));
        CHECK(policy == SCHED_OTHER);
        ZERO(pthread_setschedparam(victim[1], policy, &parameter));
        clockid_t clock;
        struct timespec used;
        ZERO(pthread_getcpuclockid(victim[2], &clock));
        CHECK(clock_gettime(clock, &used) == 0);
        char name[16];
        ZERO(pthread_setname_np(victim[0], "victim"));
        ZERO(pthread_getname_np(victim[0], name, sizeof name));
        CHECK(strcmp(name, "victim") == 0);
        pthread_attr_t attribute;
        void *stack;
        size_t size;
        ZERO(pthread_getattr_np(pthread_self(), &attribute));
        ZERO(pthread_attr_getstack(&attribute, &stack, &size));
        CHECK((char *)&attribute > (char *)stack && (char *)&attribute < (char *)stack + size);
        ZERO(pthread_attr_destroy(&attribute));

        CHECK(pthread_tryjoin_np(victim[0], &result) == EBUSY);
        for (int i = 0; i < 3; i++) {
            ZERO(pthread_cancel(victim[i]));
            ZERO(pthread_join(victim[i], &result));
            CHECK(result == PTHREAD_CANCELED);
        }
        CHECK(cleaned == 3);

        for (long i = 0; i < 20; i++) {
            ZERO(pthread_create(&late, NULL, give_back, (void *)i));
            ZERO(pthread_join(late, &result));
            CHECK(result == (void *)i);
        }
        let_end = round;
        UNTIL(joined == round);
        ZERO(pthread_join(join_thread, NULL));
        if (!more)
            break;
    }
    ZERO(pthread_cancel(signal_target));
    ZERO(pthread_join(signal_target, &result));
    printf("%d signals came to the right thread\n", signalled);
    return 0;
}
