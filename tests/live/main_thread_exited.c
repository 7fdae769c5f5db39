/* The main thread has left by pthread_exit; the others are the program. */
#include <pthread.h>
#include <signal.h>

#include "step.h"

static pthread_t main_thread;
static volatile unsigned long counter;
static volatile bool end;

static void *count(void *unused)
{
    while (!end)
        counter++;
    return NULL;
}

static void *run(void *unused)
{
    pthread_t counting;

    ZERO(pthread_join(main_thread, NULL));
    ZERO(pthread_create(&counting, NULL, count, NULL));
    while (step()) {
        unsigned long before = counter;
        UNTIL(counter != before);
        CHECK(getpid() != gettid());
        CHECK(kill(getpid(), 0) == 0);
    }
    end = true;
    ZERO(pthread_join(counting, NULL));
    puts("went on without main");
    exit(0);
}

int main(void)
{
    pthread_t thread;

    main_thread = pthread_self();
    ZERO(pthread_create(&thread, NULL, run, NULL));
    pthread_exit(NULL);
}
