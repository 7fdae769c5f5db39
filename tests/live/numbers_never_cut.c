/* Threads ask for their numbers, and use them, without a pause: so a checkpoint comes between a number's translation and its use, which a
 * restart under other numbers must not tear apart. */
#include <pthread.h>
#include <signal.h>

#include "step.h"

enum { THREADS = 6 };

static pid_t pid;
static volatile unsigned rounds[THREADS];
static volatile bool end;

static void *run(void *index)
{
    pid_t tid = gettid();

    while (!end) {
        CHECK(gettid() == tid && getpid() == pid && syscall(SYS_gettid) == tid);
        CHECK(kill(pid, 0) == 0 && tgkill(pid, tid, 0) == 0 && syscall(SYS_tgkill, pid, tid, 0) == 0);
        CHECK(getpgid(pid) >= 0);
        CHECK(pthread_kill(pthread_self(), 0) == 0);
        rounds[(intptr_t)index]++;
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];

    pid = getpid();
    for (intptr_t i = 0; i < THREADS; i++)
        ZERO(pthread_create(&thread[i], NULL, run, (void *)i));
    while (step())
        for (int i = 0; i < THREADS; i++) {
            unsigned before = rounds[i];
            UNTIL(rounds[i] != before);
        }
    end = true;
    for (int i = 0; i < THREADS; i++)
        ZERO(pthread_join(thread[i], NULL));
    puts("numbers held");
    return 0;
}
