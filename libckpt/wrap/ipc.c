/* Who used an object of System V IPC last, or made it. */
#include <stdarg.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "vpid.h"
#include "wrap.h"

WRAP(int, msgctl, (int id, int command, struct msqid_ds *data))
{
    int result = REAL(msgctl)(id, command, data);

    if (vpid_active && result >= 0 && (command == IPC_STAT || command == MSG_STAT || command == MSG_STAT_ANY)) {
        data->msg_lspid = vpid_from_real(data->msg_lspid);
        data->msg_lrpid = vpid_from_real(data->msg_lrpid);
    }
    return result;
}

WRAP(int, semctl, (int id, int number, int command, ...))
{
    va_list list;

    va_start(list, command);
    void *argument = va_arg(list, void *); /* union semun */
    va_end(list);
    int result = REAL(semctl)(id, number, command, argument);
    return vpid_active && command == GETPID ? vpid_from_real(result) : result;
}

WRAP(int, shmctl, (int id, int command, struct shmid_ds *data))
{
    int result = REAL(shmctl)(id, command, data);

    if (vpid_active && result >= 0 && (command == IPC_STAT || command == SHM_STAT || command == SHM_STAT_ANY)) {
        data->shm_cpid = vpid_from_real(data->shm_cpid);
        data->shm_lpid = vpid_from_real(data->shm_lpid);
    }
    return result;
}
