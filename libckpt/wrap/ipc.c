/* System V IPC: ids and keys (ipc.h), and who used an object last, or made it.
 *
 * A call that was on its way, or waited, when a restart gave the object another id, fails: it is made again. ipc_get.c has what gives ids out. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "ipc.h"
#include "library.h"
#include "vpid.h"
#include "wrap.h"

/* The id that the call had meant nothing in this life? */
static bool again(uint32_t *life)
{
    uint32_t now = __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE);

    if (now == *life || (errno != EINVAL && errno != EIDRM))
        return false;
    *life = now;
    return true;
}

#define WITH_REAL(kind, id, call)                                                                                                          \
    ({                                                                                                                                     \
        uint32_t life_ = __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE);                                                                 \
        long result_;                                                                                                                      \
        int real;                                                                                                                          \
        do {                                                                                                                               \
            real = ipc_to_real(kind, id);                                                                                                  \
            result_ = (call);                                                                                                              \
        } while (result_ == -1 && again(&life_));                                                                                           \
        result_;                                                                                                                           \
    })

WRAP(int, semop, (int id, struct sembuf *operations, size_t count))
{
    return (int)WITH_REAL(PTABLE_SEM, id, REAL(semop)(real, operations, count));
}

WRAP(int, semtimedop, (int id, struct sembuf *operations, size_t count, const struct timespec *timeout))
{
    return (int)WITH_REAL(PTABLE_SEM, id, REAL(semtimedop)(real, operations, count, timeout));
}

WRAP(int, msgsnd, (int id, const void *message, size_t size, int flags))
{
    return (int)WITH_REAL(PTABLE_MSG, id, REAL(msgsnd)(real, message, size, flags));
}

WRAP(ssize_t, msgrcv, (int id, void *message, size_t size, long type, int flags))
{
    return WITH_REAL(PTABLE_MSG, id, REAL(msgrcv)(real, message, size, type, flags));
}

/* What a control call gives back. `index`: the first argument was no id, and the result is one. */
static int translated(enum ptable_ipc_kind kind, int id, int command, bool index, int result, struct ipc_perm *perm)
{
    if (result < 0)
        return result;
    if (index)
        result = id = ipc_from_real(kind, result);
    if (command == IPC_RMID)
        ipc_forget(kind, id);
    int key = perm ? ipc_key(kind, id) : 0;
    if (key)
        perm->__key = key;
    return result;
}

WRAP(int, msgctl, (int id, int command, struct msqid_ds *data))
{
    bool index = command == MSG_STAT || command == MSG_STAT_ANY, state = index || command == IPC_STAT;
    int result = index || command == IPC_INFO || command == MSG_INFO ? REAL(msgctl)(id, command, data)
                                                                     : (int)WITH_REAL(PTABLE_MSG, id, REAL(msgctl)(real, command, data));

    if (vpid_active && result >= 0 && state) {
        data->msg_lspid = vpid_from_real(data->msg_lspid);
        data->msg_lrpid = vpid_from_real(data->msg_lrpid);
    }
    return translated(PTABLE_MSG, id, command, index, result, state ? &data->msg_perm : NULL);
}

WRAP(int, semctl, (int id, int number, int command, ...))
{
    va_list list;

    va_start(list, command);
    void *argument = va_arg(list, void *); /* union semun */
    va_end(list);
    bool index = command == SEM_STAT || command == SEM_STAT_ANY, state = index || command == IPC_STAT;
    int result = index || command == IPC_INFO || command == SEM_INFO ? REAL(semctl)(id, number, command, argument)
                                                                     : (int)WITH_REAL(PTABLE_SEM, id, REAL(semctl)(real, number, command, argument));
    if (vpid_active && command == GETPID)
        return vpid_from_real(result);
    return translated(PTABLE_SEM, id, command, index, result, state ? &((struct semid_ds *)argument)->sem_perm : NULL);
}

/* Shared memory that is removed while it is attached can still be asked for by its id. */
WRAP(int, shmctl, (int id, int command, struct shmid_ds *data))
{
    bool index = command == SHM_STAT || command == SHM_STAT_ANY, state = index || command == IPC_STAT;
    int result = index || command == IPC_INFO || command == SHM_INFO ? REAL(shmctl)(id, command, data)
                                                                     : (int)WITH_REAL(PTABLE_SHM, id, REAL(shmctl)(real, command, data));

    if (vpid_active && result >= 0 && state) {
        data->shm_cpid = vpid_from_real(data->shm_cpid);
        data->shm_lpid = vpid_from_real(data->shm_lpid);
    }
    return translated(PTABLE_SHM, id, command == IPC_RMID ? -1 : command, index, result, state ? &data->shm_perm : NULL);
}
