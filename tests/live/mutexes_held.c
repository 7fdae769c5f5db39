/* Mutexes of every type held across, with others waiting for them: the owner can unlock, and only the owner. */
#include <pthread.h>

#include "step.h"

enum type { NORMAL, RECURSIVE, ERRORCHECK, ADAPTIVE, ROBUST, ROBUST_ERRORCHECK, SHARED, TYPES };

static pthread_mutex_t mutex[TYPES];
static volatile unsigned held[TYPES], waiting[TYPES], passed[TYPES], order[TYPES], end;
static volatile int guarded[TYPES];

static void create(enum type type)
{
    pthread_mutexattr_t attribute;

    ZERO(pthread_mutexattr_init(&attribute));
    if (type == RECURSIVE)
        ZERO(pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_RECURSIVE));
    if (type == ERRORCHECK || type == ROBUST_ERRORCHECK)
        ZERO(pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_ERRORCHECK));
    if (type == ADAPTIVE)
        ZERO(pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_ADAPTIVE_NP));
    if (type == ROBUST || type == ROBUST_ERRORCHECK)
        ZERO(pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST));
    if (type == SHARED)
        ZERO(pthread_mutexattr_setpshared(&attribute, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_mutex_init(&mutex[type], &attribute));
}

/* Holds the mutex while order[type] is even and the step lasts. */
static void *owner(void *argument)
{
    enum type type = (enum type)(size_t)argument;

    for (unsigned round = 1;; round++) {
        ZERO(pthread_mutex_lock(&mutex[type]));
        if (type == RECURSIVE) {
            ZERO(pthread_mutex_lock(&mutex[type]));
            ZERO(pthread_mutex_lock(&mutex[type]));
        }
        guarded[type] = 1;
        held[type] = round;
        UNTIL(order[type] == round || end);
        CHECK(guarded[type] == 1);
        if (type == ERRORCHECK || type == ROBUST_ERRORCHECK)
            CHECK(pthread_mutex_lock(&mutex[type]) == EDEADLK);
        guarded[type] = 2;
        if (type == RECURSIVE) {
            ZERO(pthread_mutex_unlock(&mutex[type]));
            CHECK(guarded[type] == 2);
            ZERO(pthread_mutex_unlock(&mutex[type]));
        }
        ZERO(pthread_mutex_unlock(&mutex[type]));
        if (end)
            return NULL;
        UNTIL(passed[type] == round);
    }
}

static void *waiter(void *argument)
{
    enum type type = (enum type)(size_t)argument;

    for (unsigned round = 1;; round++) {
        UNTIL(held[type] == round || end);
        if (end)
            return NULL;
        CHECK(pthread_mutex_trylock(&mutex[type]) == EBUSY);
        if (type == RECURSIVE || type == ERRORCHECK || type == ROBUST_ERRORCHECK)
            CHECK(pthread_mutex_unlock(&mutex[type]) == EPERM);
        waiting[type] = round;
        ZERO(pthread_mutex_lock(&mutex[type]));
        CHECK(guarded[type] == 2);
        ZERO(pthread_mutex_unlock(&mutex[type]));
        if (end)
            return NULL;
        passed[type] = round;
    }
}

int main(void)
{
    pthread_t own[TYPES], wait[TYPES];

    for (size_t i = 0; i < TYPES; i++) {
        create((enum type)i);
        ZERO(pthread_create(&own[i], NULL, owner, (void *)i));
        ZERO(pthread_create(&wait[i], NULL, waiter, (void *)i));
    }
    unsigned round = 1;
    for (size_t i = 0; i < TYPES; i++)
        UNTIL(waiting[i] == round);
    while (step()) {
        for (size_t i = 0; i < TYPES; i++)
            order[i] = round;
        for (size_t i = 0; i < TYPES; i++)
            UNTIL(passed[i] == round);
        round++;
        for (size_t i = 0; i < TYPES; i++)
            UNTIL(waiting[i] == round);
    }
    end = 1;
    for (size_t i = 0; i < TYPES; i++) {
        ZERO(pthread_join(own[i], NULL));
        ZERO(pthread_join(wait[i], NULL));
    }
    puts("mutexes kept");
    return 0;
}
