#include "sysv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "die.h"
#include "numbers.h"
#include "str.h"
#include "sysv_home.h"

struct object {
    const struct image_sysv *saved;
    const char *path; /* of the image */
    uint32_t huge_page_size;
    int real;
    int key; /* hidden behind another object, or 0 */
    bool made;
};

static struct object *objects;
static size_t count;
static pid_t maker;
static uint64_t home;

union argument { /* union semun */
    int value;
    struct semid_ds *state;
    unsigned short *values;
};

static const char *const names[] = {"", "shared memory", "semaphores", "message queue"};

static void remove_object(const struct object *object)
{
    switch (object->saved->kind) {
    case IMAGE_SYSV_SHM: shmctl(object->real, IPC_RMID, NULL); break;
    case IMAGE_SYSV_SEM: semctl(object->real, 0, IPC_RMID); break;
    default: msgctl(object->real, IPC_RMID, NULL); break;
    }
}

static void remove_made(void)
{
    if (getpid() != maker)
        return;
    for (size_t i = 0; i < count; i++)
        if (objects[i].made)
            remove_object(&objects[i]);
}

void sysv_keep(void)
{
    maker = 0;
}

static _Noreturn void fail(const struct object *object, const char *what)
{
    die(FAIL_TOOL, "%s: System V %s %d can't be %s: %s", object->path, names[object->saved->kind], object->saved->id, what, strerror(errno));
}

/* --- is it still there? --- */

static bool matches(const struct image_sysv *saved, const struct ipc_perm *perm, uint64_t size)
{
    return perm->uid == saved->uid && size == saved->size && (!perm->__key || perm->__key == saved->key);
}

static bool is_there(const struct image_sysv *saved, int id)
{
    struct shmid_ds memory;
    struct semid_ds semaphores;
    struct msqid_ds queue;

    switch (saved->kind) {
    case IMAGE_SYSV_SHM:
        return !shmctl(id, IPC_STAT, &memory) && matches(saved, &memory.shm_perm, memory.shm_segsz) &&
               !(memory.shm_perm.mode & SHM_DEST) && !(saved->flags & IMAGE_SYSV_REMOVED);
    case IMAGE_SYSV_SEM:
        return !semctl(id, 0, IPC_STAT, (union argument){.state = &semaphores}) && matches(saved, &semaphores.sem_perm, semaphores.sem_nsems);
    default: return !msgctl(id, IPC_STAT, &queue) && matches(saved, &queue.msg_perm, saved->size);
    }
}

/* The object of the checkpoint, or the one that an earlier restart of this computation has made for it; in the same run of the kernel. */
static bool find(struct object *object, const struct ptable *table)
{
    const struct image_sysv *saved = object->saved;

    object->real = saved->real;
    if (saved->home == home && is_there(saved, saved->real))
        return true;
    if (!table || (table->ipc_home[0] | (uint64_t)table->ipc_home[1] << 32) != home)
        return false;
    for (uint32_t i = 0; i < table->ipc_used && i < PTABLE_IPC; i++) {
        const struct ptable_ipc *entry = &table->ipc[i];
        if (entry->state == PTABLE_IPC_USED && entry->kind == saved->kind && entry->virtual == saved->id && is_there(saved, entry->real)) {
            object->real = entry->real;
            return true;
        }
    }
    return false;
}

/* --- making --- */

/* The next id that the kernel gives out; needs privilege. -1: whatever it likes. */
static void choose_id(const struct image_sysv *saved, int id)
{
    static const char *const files[] = {"", "shm", "sem", "msg"};
    char path[64];

    snprintf(path, sizeof path, "/proc/sys/kernel/%s_next_id", files[saved->kind]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        dprintf(fd, "%d", id);
        close(fd);
    }
}

static int get(const struct object *object, key_t key)
{
    const struct image_sysv *saved = object->saved;
    int flags = (int)(saved->mode | 0600) | IPC_CREAT | IPC_EXCL, huge = 0, id;

    if (object->huge_page_size)
        huge = SHM_HUGETLB | __builtin_ctz(object->huge_page_size) << 26; /* SHM_HUGE_SHIFT */
    choose_id(saved, saved->id);
    if (saved->kind == IMAGE_SYSV_SHM) {
        id = shmget(key, saved->size, flags | huge);
        if (id < 0 && huge && errno != EEXIST && (id = shmget(key, saved->size, flags)) >= 0)
            warn("%s: no huge pages for System V shared memory (%lu bytes), made of normal pages", object->path, (unsigned long)saved->size);
    } else if (saved->kind == IMAGE_SYSV_SEM) {
        id = semget(key, (int)saved->size, flags);
    } else {
        id = msgget(key, flags);
    }
    if (id < 0) {
        int error = errno;
        choose_id(saved, -1);
        errno = error;
    }
    return id;
}

static void make(struct object *object)
{
    object->real = get(object, object->saved->key);
    if (object->real < 0 && errno == EEXIST) { /* others use the key by now */
        object->real = get(object, IPC_PRIVATE);
        object->key = object->saved->key;
    }
    if (object->real < 0)
        fail(object, "made");
    object->made = true;
}

/* --- contents --- */

static void empty_memory(const struct object *object)
{
    void *at = object->made ? NULL : shmat(object->real, NULL, 0);

    if (at == (void *)-1)
        fail(object, "attached");
    if (at && madvise(at, object->saved->size, MADV_REMOVE))
        memset(at, 0, object->saved->size);
    if (at)
        shmdt(at);
    if (object->saved->flags & IMAGE_SYSV_LOCKED)
        shmctl(object->real, SHM_LOCK, NULL);
}

static void fill_semaphores(const struct object *object)
{
    if (semctl(object->real, 0, SETALL, (union argument){.values = (unsigned short *)(uintptr_t)(object->saved + 1)}))
        fail(object, "set");
}

static void fill_queue(const struct object *object)
{
    const char *at = (const char *)(object->saved + 1);
    struct msqid_ds state;
    struct message {
        long type;
        char text[];
    } *message = malloc(sizeof *message + (1 << 20));

    if (!message)
        fail(object, "filled");
    while (!object->made && msgrcv(object->real, message, 1 << 20, 0, IPC_NOWAIT | MSG_NOERROR) >= 0)
        ;
    if (!msgctl(object->real, IPC_STAT, &state) && state.msg_qbytes != object->saved->size) {
        state.msg_qbytes = object->saved->size;
        msgctl(object->real, IPC_SET, &state); /* a larger one than usual needs privilege, but perhaps is not filled */
    }
    for (uint32_t i = 0; i < object->saved->count; i++) {
        const struct image_sysv_message *saved = (const void *)at;
        if (saved->size > 1 << 20) {
            errno = EMSGSIZE;
            fail(object, "filled");
        }
        message->type = saved->type;
        memcpy(message->text, saved + 1, saved->size);
        if (msgsnd(object->real, message, saved->size, IPC_NOWAIT))
            fail(object, "filled");
        at += sizeof *saved + ((saved->size + 7u) & ~7u);
    }
    free(message);
}

static void find_huge_pages(struct object *object, const struct image_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t s = 0; s < set->images[i].image.segment_count; s++) {
            const struct image_segment *segment = &set->images[i].image.segments[s];
            if (segment->kind == IMAGE_SHARED && segment->inode == (uint64_t)object->saved->real && segment->vm_flags & IMAGE_VM_HUGETLB)
                object->huge_page_size = segment->huge_page_size;
        }
}

void sysv_make(const struct image_set *set, const struct conf *conf)
{
    const struct ptable *table = NULL;
    uint32_t size;

    for (size_t i = 0; i < set->count; i++)
        for (unsigned n = 0;; n++) {
            const struct image_sysv *saved = image_record(&set->images[i].image, IMAGE_REC_SYSV, n, &size);
            if (!saved)
                break;
            objects = realloc(objects, (count + 1) * sizeof *objects);
            if (!objects)
                die(FAIL_TOOL, "no memory");
            objects[count++] = (struct object){.saved = saved, .path = set->images[i].path};
        }
    if (!count)
        return;
    home = sysv_home();
    table = numbers_table(conf, &set->computation);
    maker = getpid();
    atexit(remove_made);
    for (size_t i = 0; i < count; i++) {
        if (objects[i].saved->kind == IMAGE_SYSV_SHM)
            find_huge_pages(&objects[i], set);
        if (!find(&objects[i], table))
            make(&objects[i]);
        if (objects[i].saved->kind == IMAGE_SYSV_SHM)
            empty_memory(&objects[i]);
        else if (objects[i].saved->kind == IMAGE_SYSV_SEM)
            fill_semaphores(&objects[i]);
        else
            fill_queue(&objects[i]);
    }
}

void sysv_enter(struct ptable *table)
{
    memset(table->ipc, 0, sizeof *table->ipc * (table->ipc_used < PTABLE_IPC ? table->ipc_used : PTABLE_IPC));
    home = sysv_home();
    table->ipc_home[0] = (uint32_t)home;
    table->ipc_home[1] = (uint32_t)(home >> 32);
    table->ipc_differ = 0;
    for (table->ipc_used = 0; table->ipc_used < count && table->ipc_used < PTABLE_IPC; table->ipc_used++) {
        const struct object *object = &objects[table->ipc_used];
        table->ipc[table->ipc_used] = (struct ptable_ipc){.state = PTABLE_IPC_USED, .kind = object->saved->kind, .virtual = object->saved->id,
                                                          .real = object->real, .key = object->key};
        if (object->real != object->saved->id || object->key)
            table->ipc_differ = 1;
    }
}

int sysv_memory(const struct image_segment *segment, const char *name)
{
    for (size_t i = 0; i < count && str_after(name, "/SYSV"); i++)
        if (objects[i].saved->kind == IMAGE_SYSV_SHM && segment->inode == (uint64_t)objects[i].saved->real)
            return objects[i].real;
    return -1;
}
