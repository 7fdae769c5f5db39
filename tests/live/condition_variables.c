/* Threads that wait for conditions, barriers, rwlocks, semaphores and a once: all are let go after a checkpoint and after a restart. */
#include <pthread.h>
#include <semaphore.h>

#include "step.h"

#define WAITERS 4

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one = PTHREAD_COND_INITIALIZER, timed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;
static unsigned round_now; /* under mutex */
static volatile unsigned asleep[5], passed[5], rw_round, end;

static void sleep_on(pthread_cond_t *condition, bool with_timeout, unsigned round)
{
    struct timespec far;

    clock_gettime(CLOCK_REALTIME, &far);
    far.tv_sec += 3600;
    ZERO(pthread_mutex_lock(&mutex));
    __atomic_add_fetch(&asleep[with_timeout], 1, __ATOMIC_SEQ_CST);
    while (round_now < round)
        ZERO(with_timeout ? pthread_cond_timedwait(condition, &mutex, &far) : pthread_cond_wait(condition, &mutex));
    ZERO(pthread_mutex_unlock(&mutex));
    __atomic_add_fetch(&passed[with_timeout], 1, __ATOMIC_SEQ_CST);
}

static void *plain_waiter(void *unused)
{
    for (unsigned round = 1; !end; round++)
        sleep_on(&one, false, round);
    return NULL;
}

static void *timed_waiter(void *unused)
{
    for (unsigned round = 1; !end; round++)
        sleep_on(&timed, true, round);
    return NULL;
}

static void *barrier_waiter(void *unused)
{
    while (!end) {
        __atomic_add_fetch(&asleep[2], 1, __ATOMIC_SEQ_CST);
        int result = pthread_barrier_wait(&barrier);
        CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
        __atomic_add_fetch(&passed[2], 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void *reader(void *unused)
{
    for (unsigned round = 1; !end; round++) {
        UNTIL(rw_round >= round);
        __atomic_add_fetch(&asleep[3], 1, __ATOMIC_SEQ_CST);
        ZERO(pthread_rwlock_rdlock(&rwlock));
        ZERO(pthread_rwlock_unlock(&rwlock));
        __atomic_add_fetch(&passed[3], 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void *semaphore_waiter(void *unused)
{
    while (!end) {
        __atomic_add_fetch(&asleep[4], 1, __ATOMIC_SEQ_CST);
        CHECK(sem_wait(&semaphore) == 0);
        __atomic_add_fetch(&passed[4], 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

int main(void)
{
    static void *(*const body[])(void *) = {plain_waiter, timed_waiter, barrier_waiter, reader, semaphore_waiter};
    pthread_t thread[5][WAITERS];
    unsigned round = 1;
    bool more;

    ZERO(pthread_barrier_init(&barrier, NULL, WAITERS + 1));
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < WAITERS; i++)
            ZERO(pthread_create(&thread[k][i], NULL, body[k], NULL));
    do {
        ZERO(pthread_rwlock_wrlock(&rwlock));
        rw_round = round;
        for (int k = 0; k < 5; k++)
            UNTIL(asleep[k] == round * WAITERS);
        more = step();
        for (int k = 0; k < 5; k++)
            CHECK(passed[k] == (round - 1) * WAITERS);
        end = !more;
        ZERO(pthread_mutex_lock(&mutex));
        round_now = round;
        ZERO(pthread_cond_broadcast(&timed));
        for (int i = 0; i < WAITERS; i++)
            ZERO(pthread_cond_signal(&one));
        ZERO(pthread_mutex_unlock(&mutex));
        int result = pthread_barrier_wait(&barrier);
        CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
        ZERO(pthread_rwlock_unlock(&rwlock));
        for (int i = 0; i < WAITERS; i++)
            CHECK(sem_post(&semaphore) == 0);
        for (int k = 0; k < 5; k++)
            UNTIL(passed[k] == round * WAITERS);
        round++;
    } while (more);
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < WAITERS; i++)
            ZERO(pthread_join(thread[k][i], NULL));
    puts("all waiters passed");
    return 0;
}
