/* System V IPC: shared memory, semaphores and message queues that the computation has asked for (ipc.h).
 *
 * The lowest process of the host takes all of them into its image: messages are copied without being received (MSG_COPY, msgrcv(2)), memory that it
 * has not attached is attached until REFILL, so that its contents are saved like all shared memory's. Nothing is changed, for objects may
 * be in use outside of the computation; only where the kernel can't copy messages (no CONFIG_CHECKPOINT_RESTORE) a queue is emptied and filled
 * again at once. dmtcp_restart makes the objects (cmds/sysv.c); what remains to be done here is to let go of attachments, and to mark what
 * had been removed, when all have attached it. */
#include "arena.h"
#include "fd/fd.h"
#include "fmt.h"
#include "ipc.h"
#include "library.h"
#include "log.h"
#include "maps.h"
#include "resource.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"
#include "sysv_home.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define LOG_MODULE "sysv"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

static struct sysv_object *objects; /* arena */
static bool saver;
static struct maps_reader reader;
static struct map map;

const struct sysv_object *sysv_objects(void)
{
    return objects;
}

bool sysv_saver(void)
{
    return saver;
}

static struct sysv_object *add(size_t size)
{
    struct sysv_object *object = arena_alloc(sizeof *object + size);

    if (!object)
        return NULL;
    object->size = sizeof object->image + size;
    object->next = objects;
    objects = object;
    return object;
}

static void describe(struct sysv_object *object, const struct ptable_ipc *entry, const struct ipc_perm *perm, uint64_t size)
{
    object->image = (struct image_sysv){
        .kind = entry->kind, .id = entry->virtual, .real = entry->real, .key = entry->key ? entry->key : perm->__key,
        .mode = perm->mode & 0777, .uid = perm->uid, .gid = perm->gid, .size = size, .home = sysv_home()};
}

/* --- shared memory --- */

/* Attached here from beginning to end? Then its contents are in the image anyway. */
static bool attached_whole(int real, uint64_t size)
{
    bool whole = false;

    if (maps_open(&reader, "/proc/thread-self/maps") < 0)
        return false;
    while (!whole && maps_next(&reader, &map) > 0)
        whole = map.shared && map.inode == (uint64_t)real && str_after(map.name, "/SYSV") && !map.offset && map.end - map.start >= size;
    maps_close(&reader);
    return whole;
}

static long save_memory(struct ptable_ipc *entry, char *problem, size_t size)
{
    struct shmid_ds state;
    long error = syscall3(__NR_shmctl, entry->real, IPC_STAT, (long)&state), at = 0;

    if (error == -EINVAL || error == -EIDRM)
        return 1;
    if (!error && !attached_whole(entry->real, state.shm_segsz))
        at = syscall3(__NR_shmat, entry->real, 0, SHM_RDONLY);
    if (at < 0 && at > -4096)
        error = at;
    struct sysv_object *object = error ? NULL : add(0);
    if (error) {
        fmt(problem, size, "System V shared memory %d can't be read: %e", entry->virtual, (int)error);
        return error;
    }
    if (!object)
        return -ENOMEM;
    describe(object, entry, &state.shm_perm, state.shm_segsz);
    object->attached = (void *)at;
    object->image.flags = (state.shm_perm.mode & SHM_DEST ? IMAGE_SYSV_REMOVED : 0) | (state.shm_perm.mode & SHM_LOCKED ? IMAGE_SYSV_LOCKED : 0);
    entry->saved = lib.upcoming;
    return 0;
}

/* --- semaphores --- */

static long save_semaphores(struct ptable_ipc *entry, char *problem, size_t size)
{
    struct semid_ds state;
    long error = syscall6(__NR_semctl, entry->real, 0, IPC_STAT, (long)&state, 0, 0);

    if (error == -EINVAL || error == -EIDRM)
        return 1;
    struct sysv_object *object = error ? NULL : add(state.sem_nsems * sizeof(uint16_t));
    if (!error && !object)
        return -ENOMEM;
    if (!error) {
        describe(object, entry, &state.sem_perm, state.sem_nsems);
        error = syscall6(__NR_semctl, entry->real, 0, GETALL, (long)object->contents, 0, 0);
    }
    if (error)
        fmt(problem, size, "System V semaphores %d can't be read: %e", entry->virtual, (int)error);
    return error;
}

/* --- message queues --- */

static struct image_sysv_message *place(struct scratch_array *messages, const long *buffer, size_t size)
{
    struct image_sysv_message *message = scratch_append(messages, sizeof *message + ((size + 7) & ~7ul));

    if (!message)
        return NULL;
    memset(message, 0, sizeof *message + ((size + 7) & ~7ul));
    *message = (struct image_sysv_message){.type = buffer[0], .size = (uint32_t)size};
    memcpy(message + 1, buffer + 1, size);
    return message;
}

/* Puts back what was taken out; the queue had room for it a moment ago. */
static long put_back(int real, const struct scratch_array *messages, long *buffer)
{
    long error = 0;

    for (size_t at = 0; at < messages->used && !error;) {
        const struct image_sysv_message *message = (const void *)((const char *)messages->memory + at);
        buffer[0] = message->type;
        memcpy(buffer + 1, message + 1, message->size);
        error = syscall6(__NR_msgsnd, real, (long)buffer, message->size, IPC_NOWAIT, 0, 0);
        at += sizeof *message + ((message->size + 7ul) & ~7ul);
    }
    return error;
}

/* *count messages, or -errno. */
static long read_messages(int real, struct scratch_array *messages, long *buffer, size_t room, uint32_t *count)
{
    bool taken = false;
    long n;

    for (;;) {
        n = taken ? -ENOSYS : syscall6(__NR_msgrcv, real, (long)buffer, (long)room, (long)*count, IPC_NOWAIT | MSG_COPY | MSG_NOERROR, 0);
        if (n == -ENOSYS) {
            taken = true;
            n = syscall6(__NR_msgrcv, real, (long)buffer, (long)room, 0, IPC_NOWAIT, 0);
        }
        if (n < 0)
            break;
        if (!place(messages, buffer, (size_t)n)) {
            if (taken)
                syscall6(__NR_msgsnd, real, (long)buffer, n, IPC_NOWAIT, 0, 0);
            n = -ENOMEM;
            break;
        }
        ++*count;
    }
    long error = taken ? put_back(real, messages, buffer) : 0;
    return n == -ENOMSG ? error : n;
}

static long save_queue(struct ptable_ipc *entry, char *problem, size_t size)
{
    struct scratch_array messages = {0};
    struct msqid_ds state;
    uint32_t count = 0;
    long error = syscall3(__NR_msgctl, entry->real, IPC_STAT, (long)&state);

    if (error == -EINVAL || error == -EIDRM)
        return 1;
    size_t room = error ? 0 : (state.msg_qbytes > 65536 ? state.msg_qbytes : 65536);
    long *buffer = error ? NULL : scratch_map(room + sizeof *buffer, false);
    if (!error)
        error = buffer ? read_messages(entry->real, &messages, buffer, room, &count) : -ENOMEM;
    struct sysv_object *object = error ? NULL : add(messages.used);
    if (object) {
        describe(object, entry, &state.msg_perm, state.msg_qbytes);
        object->image.count = count;
        if (messages.used)
            memcpy(object->contents, messages.memory, messages.used);
    } else if (!error) {
        error = -ENOMEM;
    }
    scratch_free(&messages);
    if (buffer)
        scratch_unmap(buffer, room + sizeof *buffer);
    if (error)
        fmt(problem, size, "System V message queue %d can't be read: %e", entry->virtual, (int)error);
    return error;
}

/* --- all of them --- */

long sysv_save(char *problem, size_t size)
{
    uint32_t count;
    struct ptable_ipc *entry = ipc_entries(&count);
    long error = 0;

    objects = NULL;
    saver = fd_lowest_process();
    for (; saver && count && error >= 0; count--, entry++) {
        if (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) != PTABLE_IPC_USED)
            continue;
        error = entry->kind == PTABLE_SHM ? save_memory(entry, problem, size)
                : entry->kind == PTABLE_SEM ? save_semaphores(entry, problem, size) : save_queue(entry, problem, size);
        /* Removed, or another user's that we may not read: then it is not ours to keep. */
        if (error == -EACCES) {
            log_trace("%s", problem);
            error = 0;
        }
        if (error == 1)
            __atomic_store_n(&entry->state, PTABLE_IPC_FREE, __ATOMIC_RELEASE);
    }
    return error < 0 ? error : 0;
}

void sysv_refill(void)
{
    for (struct sysv_object *object = objects; object; object = object->next) {
        if (object->attached)
            syscall3(__NR_shmdt, (long)object->attached, 0, 0);
        object->attached = NULL;
    }
}

void sysv_reconnect(void)
{
    for (const struct sysv_object *object = objects; object; object = object->next)
        if (object->image.flags & IMAGE_SYSV_REMOVED)
            syscall3(__NR_shmctl, ipc_to_real(PTABLE_SHM, object->image.id), IPC_RMID, 0);
}
