/* Pairs of threads hand a token to and fro by pthread_kill: one waits by sigwait, the other in a handler. A checkpoint that finds one of
 * them parked and the other still on its way may not lose the signal that is sent to the parked one. */
#include <pthread.h>
#include <signal.h>

#include "step.h"

#define PAIRS 8

static pthread_t waits[PAIRS], handles[PAIRS];
static volatile unsigned long turns[PAIRS];
static volatile bool end;
static __thread volatile sig_atomic_t came;

static void on_signal(int number)
{
    came = 1;
}

static void *by_sigwait(void *argument)
{
    long i = (long)argument;
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    while (!end) {
        ZERO(sigwait(&set, &number));
        turns[i]++;
        ZERO(pthread_kill(handles[i], SIGUSR2));
    }
    return NULL;
}

static void *by_handler(void *argument)
{
    long i = (long)argument;
    sigset_t set, none;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, &none));
    while (!end) {
        came = 0;
        ZERO(pthread_kill(waits[i], SIGUSR1));
        while (!came)
            sigsuspend(&none);
    }
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    for (long i = 0; i < PAIRS; i++)
        ZERO(pthread_create(&waits[i], NULL, by_sigwait, (void *)i));
    for (long i = 0; i < PAIRS; i++)
        ZERO(pthread_create(&handles[i], NULL, by_handler, (void *)i));
    do
        for (int i = 0; i < PAIRS; i++) {
            unsigned long before = turns[i];
            UNTIL(turns[i] > before + 10);
        }
    while (step());
    puts("no signal was lost");
    fflush(stdout);
    _exit(0);
}
