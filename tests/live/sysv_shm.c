/* System V shared memory: contents and attachments of two processes, twice in one, read-only, in part, removed while attached, attached by nobody;
 * ids, keys, size, mode. */
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "shared.h"

#define SIZE (5 * 4096 + 10)

static key_t key;
static int ids[5];

static char *attach(int id, int flags)
{
    char *at = shmat(id, NULL, flags);

    CHECK(at != (void *)-1);
    return at;
}

static int work(int round, void *unused)
{
    static char *mine, *part;
    struct shmid_ds state;

    if (!round) {
        int id = shmget(key, 0, 0);
        CHECK(id == ids[0]);
        mine = attach(id, 0);
        part = attach(id, 0);
        CHECK(munmap(part, 4096) == 0 && munmap(part + 3 * 4096, 3 * 4096) == 0);
        return 0;
    }
    CHECK(part[4096] == 'p' && !part[8192] && mine[SIZE - 1] == 'z');
    CHECK(shmget(key, SIZE, IPC_CREAT | 0640) == ids[0] && shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0640) == -1 && errno == EEXIST);
    CHECK(shmctl(ids[0], IPC_STAT, &state) == 0 && state.shm_segsz == SIZE && (state.shm_perm.mode & 0777) == 0640);
    CHECK(state.shm_perm.__key == key);
    part[4097]++;
    return ++*mine;
}

static void remove_all(void)
{
    for (int i = 0; i < 5; i++)
        shmctl(ids[i], IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
    struct shmid_ds state;

    key = (key_t)strtol(argv[argc - 1], NULL, 0);
    atexit(remove_all);
    for (int i = 0; i < 5; i++)
        CHECK((ids[i] = shmget(i ? IPC_PRIVATE : key, SIZE, IPC_CREAT | IPC_EXCL | (i ? 0600 : 0640))) >= 0 && dprintf(2, "id %d\n", ids[i]) > 0);
    char *shared = attach(ids[0], 0), *again = attach(ids[0], 0), *look = attach(ids[0], SHM_RDONLY);
    char *removed = attach(ids[1], 0), *inherited = attach(ids[2], 0), *lone = attach(ids[3], 0);
    shared[SIZE - 1] = 'z';
    shared[4096] = 'p';
    strcpy(lone, "nobody has it");
    CHECK(shmdt(lone) == 0 && shmctl(ids[1], IPC_RMID, NULL) == 0);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    for (int round = 1; step(); round++) {
        CHECK(child_ask(&child) == round);
        CHECK(*shared == round && *again == round && *look == round && shared[4097] == round);
        CHECK(mprotect(look, 4096, PROT_READ | PROT_WRITE) == -1);
        CHECK(removed[10] == round - 1 && ++removed[10] && inherited[20] == 2 * (round - 1));
        inherited[20] = (char)(2 * round);
        CHECK(shmctl(ids[1], IPC_STAT, &state) == 0 && state.shm_perm.mode & SHM_DEST && state.shm_nattch == 2);
        CHECK(shmctl(ids[0], IPC_STAT, &state) == 0 && state.shm_nattch == 8);
        char *late = (char *)syscall(SYS_shmat, ids[1], NULL, 0); /* as libraries do that watch memory */
        CHECK(late != (char *)-1 && late[10] == removed[10] && shmdt(late) == 0);
        CHECK(shmctl(ids[3], IPC_STAT, &state) == 0 && state.shm_nattch == 0);
        lone = attach(ids[3], 0);
        CHECK(!strcmp(lone, "nobody has it") && lone[9999] == round - 1 && ++lone[9999] && shmdt(lone) == 0);
        int fresh = shmget(IPC_PRIVATE, 100, 0600);
        CHECK(fresh >= 0);
        for (int i = 0; i < 5; i++)
            CHECK(fresh != ids[i]);
        CHECK(shmctl(fresh, IPC_RMID, NULL) == 0);
    }
    child_end(&child);
    CHECK(shmdt(again) == 0 && shmdt(look) == 0 && shmdt(removed) == 0);
    CHECK(shmctl(ids[1], IPC_STAT, &state) == -1);
    puts("segments kept");
    return 0;
}
