/* sem_open(3): values, waiters in two processes, a semaphore without a name; unnamed ones and a robust mutex in shared memory. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "shared.h"

struct common {
    sem_t turn;
    pthread_mutex_t mutex;
    unsigned rounds, woken;
};

static char name[3][64];
static struct common *common;

static void *wait_always(void *semaphore)
{
    for (;;) {
        CHECK(sem_wait(semaphore) == 0);
        __atomic_add_fetch(&common->woken, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static int work(int round, void *unused)
{
    static sem_t *count, *wait;
    pthread_t thread;

    if (!round) {
        count = sem_open(name[0], 0);
        wait = sem_open(name[1], 0);
        CHECK(count != SEM_FAILED && wait != SEM_FAILED);
        ZERO(pthread_create(&thread, NULL, wait_always, wait));
        return 0;
    }
    ZERO(pthread_mutex_lock(&common->mutex));
    common->rounds++;
    ZERO(pthread_mutex_unlock(&common->mutex));
    CHECK(sem_post(count) == 0 && sem_post(count) == 0 && sem_wait(&common->turn) == 0);
    return (int)common->rounds;
}

static sem_t *make(const char *semaphore, unsigned value)
{
    sem_unlink(semaphore);
    sem_t *made = sem_open(semaphore, O_CREAT | O_EXCL, 0600, value);
    CHECK(made != SEM_FAILED);
    return made;
}

int main(int argc, char **argv)
{
    pthread_mutexattr_t attributes;
    int value;

    for (int i = 0; i < 3; i++)
        snprintf(name[i], sizeof name[i], "/%s.%d", argv[argc - 1], i);
    sem_t *count = make(name[0], 5), *wait = make(name[1], 0), *unlinked = make(name[2], 7);
    CHECK(sem_unlink(name[2]) == 0);
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(common != MAP_FAILED && sem_init(&common->turn, 1, 0) == 0);
    ZERO(pthread_mutexattr_init(&attributes));
    ZERO(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    ZERO(pthread_mutex_init(&common->mutex, &attributes));
    struct child child = child_start(work, NULL);
    child_ask(&child);
    for (int round = 1; step(); round++) {
        CHECK(sem_post(&common->turn) == 0 && child_ask(&child) == round);
        CHECK(sem_getvalue(count, &value) == 0 && value == 6 + round && sem_wait(count) == 0);
        CHECK(sem_post(wait) == 0);
        UNTIL(__atomic_load_n(&common->woken, __ATOMIC_SEQ_CST) == (unsigned)round);
        CHECK(sem_getvalue(wait, &value) == 0 && value == 0);
        CHECK(sem_getvalue(unlinked, &value) == 0 && value == 6 + round && sem_post(unlinked) == 0);
        sem_t *again = sem_open(name[0], 0); /* another mapping, where the file had to be made anew */
        CHECK(again != SEM_FAILED);
        CHECK(sem_getvalue(again, &value) == 0 && value == 5 + round);
        CHECK(sem_close(again) == 0);
        ZERO(pthread_mutex_trylock(&common->mutex));
        ZERO(pthread_mutex_unlock(&common->mutex));
    }
    child_end(&child);
    CHECK(sem_unlink(name[0]) == 0 && sem_unlink(name[1]) == 0);
    puts("semaphores kept");
    return 0;
}
