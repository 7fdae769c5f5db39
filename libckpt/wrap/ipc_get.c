/* System V IPC: what gives out ids, or learns them, notes them (ipc.h), with the checkpoint's signal held back, so that none is forgotten. */
#include <errno.h>
#include <stdbool.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "ipc.h"
#include "whole.h"
#include "wrap.h"

/* *get with a key under which the kernel has something else. *id: the answer. */
static bool hidden_key(enum ptable_ipc_kind kind, key_t key, int flags, int *id)
{
    *id = ipc_with_key(kind, key);
    if (*id < 0)
        return false;
    if (flags & IPC_CREAT && flags & IPC_EXCL) {
        errno = EEXIST;
        *id = -1;
    }
    return true;
}

WRAP(int, shmget, (key_t key, size_t size, int flags))
{
    WHOLE;
    int id;

    return hidden_key(PTABLE_SHM, key, flags, &id) ? id : ipc_note(PTABLE_SHM, REAL(shmget)(key, size, flags));
}

WRAP(int, semget, (key_t key, int count, int flags))
{
    WHOLE;
    int id;

    return hidden_key(PTABLE_SEM, key, flags, &id) ? id : ipc_note(PTABLE_SEM, REAL(semget)(key, count, flags));
}

WRAP(int, msgget, (key_t key, int flags))
{
    WHOLE;
    int id;

    return hidden_key(PTABLE_MSG, key, flags, &id) ? id : ipc_note(PTABLE_MSG, REAL(msgget)(key, flags));
}

WRAP(void *, shmat, (int id, const void *address, int flags))
{
    WHOLE;
    int real = ipc_to_real(PTABLE_SHM, id);
    void *at = REAL(shmat)(real, address, flags);

    if (at != (void *)-1) /* it may have the id from elsewhere */
        ipc_note(PTABLE_SHM, real);
    return at;
}
