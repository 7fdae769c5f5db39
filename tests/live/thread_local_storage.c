/* __thread variables, pthread keys with destructors, errno, pthread_self, names. */
#include <pthread.h>

#include "step.h"

#define THREADS 6

static __thread char buffer[4096];
static __thread long counter = 41;
static pthread_key_t key;
static pthread_t ids[THREADS];
static volatile unsigned checked[THREADS], wanted;
static volatile int destroyed;
static volatile bool stop;

static void destroy(void *value)
{
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static void *run(void *argument)
{
    size_t self = (size_t)argument;
    char name[16], now[16];
    long *address = &counter;

    ids[self] = pthread_self();
    memset(buffer, (int)self + 'a', sizeof buffer);
    counter += (long)self;
    ZERO(pthread_setspecific(key, (void *)(self + 100)));
    snprintf(name, sizeof name, "tls-%zu", self);
    ZERO(pthread_setname_np(pthread_self(), name));
    errno = (int)self + 1000;
    while (!stop) {
        CHECK(errno == (int)self + 1000);
        CHECK(&counter == address && counter == 41 + (long)self);
        for (size_t i = 0; i < sizeof buffer; i++)
            CHECK(buffer[i] == (char)(self + 'a'));
        CHECK(pthread_getspecific(key) == (void *)(self + 100));
        CHECK(pthread_equal(pthread_self(), ids[self]));
        ZERO(pthread_getname_np(pthread_self(), now, sizeof now));
        CHECK(strcmp(now, name) == 0);
        errno = (int)self + 1000;
        checked[self] = wanted;
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];

    ZERO(pthread_key_create(&key, destroy));
    wanted = 1;
    for (size_t i = 0; i < THREADS; i++)
        ZERO(pthread_create(&thread[i], NULL, run, (void *)i));
    for (size_t i = 0; i < THREADS; i++)
        UNTIL(checked[i] == wanted);
    while (step()) {
        wanted++;
        for (size_t i = 0; i < THREADS; i++)
            UNTIL(checked[i] == wanted);
        CHECK(destroyed == 0);
    }
    stop = true;
    for (size_t i = 0; i < THREADS; i++)
        ZERO(pthread_join(thread[i], NULL));
    CHECK(destroyed == THREADS);
    puts("thread-local storage kept");
    return 0;
}
