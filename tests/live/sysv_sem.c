/* System V semaphores: values, waiters that wait on, ids, keys, a set that is removed. */
#include <pthread.h>
#include <sys/sem.h>

#include "shared.h"

static key_t key;
static int named, private, woken;
static volatile bool finished;

static void *wait_always(void *unused)
{
    struct sembuf down = {.sem_num = 2, .sem_op = -1};
    struct timespec long_time = {.tv_sec = 1000};

    for (;;) {
        int result = woken & 1 ? semop(private, &down, 1) : semtimedop(private, &down, 1, &long_time);
        if (result == -1 && errno == EIDRM && finished)
            return NULL;
        CHECK(result == 0);
        __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static int add(int id, unsigned short number, short value)
{
    struct sembuf operation = {.sem_num = number, .sem_op = value, .sem_flg = IPC_NOWAIT};

    return semop(id, &operation, 1);
}

static int work(int round, void *unused)
{
    if (!round)
        return 0;
    CHECK(semget(key, 3, 0) == named && semget(key, 3, IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST);
    CHECK(add(named, 0, 3) == 0 && add(private, 2, 1) == 0);
    return semctl(named, 0, GETPID) == getpid();
}

static void remove_all(void)
{
    semctl(named, 0, IPC_RMID);
    semctl(private, 0, IPC_RMID);
}

int main(int argc, char **argv)
{
    unsigned short values[3] = {7, 0, 32767};
    struct semid_ds state;
    pthread_t thread;

    key = (key_t)strtol(argv[argc - 1], NULL, 0);
    atexit(remove_all);
    CHECK((named = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600)) >= 0 && (private = semget(IPC_PRIVATE, 4, 0600)) >= 0);
    CHECK(semctl(named, 0, SETALL, values) == 0);
    dprintf(2, "id %d\nid %d\n", named, private);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    ZERO(pthread_create(&thread, NULL, wait_always, NULL));
    for (int round = 1; step(); round++) {
        CHECK(child_ask(&child) == 1 && add(named, 0, -1) == 0 && semctl(named, 0, GETVAL) == 7 + 2 * round);
        CHECK(semctl(named, 0, GETALL, values) == 0 && values[1] == 0 && values[2] == 32767);
        UNTIL(__atomic_load_n(&woken, __ATOMIC_SEQ_CST) == round);
        UNTIL(semctl(private, 2, GETNCNT) == 1);
        CHECK(semctl(named, 0, IPC_STAT, &state) == 0 && state.sem_nsems == 3 && state.sem_perm.__key == key);
        int fresh = semget(IPC_PRIVATE, 1, 0600);
        CHECK(fresh >= 0 && fresh != named && fresh != private && semctl(fresh, 0, IPC_RMID) == 0);
    }
    child_end(&child);
    puts("semaphores kept");
    fflush(stdout);
    finished = true;
    remove_all();
    _exit(0);
}
