/* Unlinked files, memfds and files of /dev/shm: one object for all descriptions and mappings of an inode.
 *
 * The contents need no code of their own: while the program stands still, the lowest process that holds a descriptor maps the whole object, and
 * what is mapped goes into the image (shared memory without a file, holes left out). At a restart the loader has made the object and filled it
 * through that mapping; here it only gets its descriptions, its exact size and its attributes. Seals come last, when all processes have opened
 * what they need. */
#include "object_list.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "maps.h"
#include "object.h"
#include "region.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <sys/sysmacros.h>

#define LOG_MODULE "object"

static struct fd_object *objects;
static struct maps_reader reader; /* too large for a stack */
static struct map map;

const struct fd_object *fd_objects(void)
{
    return objects;
}

void fd_objects_begin(void)
{
    objects = NULL;
}

static struct fd_object *find(uint64_t device, uint64_t inode)
{
    struct fd_object *object = objects;

    while (object && (object->device != device || object->inode != inode))
        object = object->next;
    return object;
}

static bool maps_object(uint64_t device, uint64_t inode)
{
    return map.shared && map.inode == inode && makedev(map.major, map.minor) == device;
}

/* One mapping of all of it? Then its contents are in the image anyway. */
static bool mapped_whole(const struct fd_object *object)
{
    bool whole = false;

    if (maps_open(&reader, "/proc/thread-self/maps") < 0)
        return false;
    while (!whole && maps_next(&reader, &map) > 0)
        whole = maps_object(object->device, object->inode) && !map.offset && map.end - map.start >= object->size;
    maps_close(&reader);
    return whole;
}

struct look {
    struct fd_object *object;
    const struct description *description;
    bool content;
};

static long look_at(void *argument)
{
    const struct look *look = argument;
    struct fd_object *object = look->object;
    const struct description *d = look->description;
    uint64_t page = object->huge_page_size ? object->huge_page_size : 4096;
    char path[64];

    if (!(d->flags & O_PATH))
        object->seals = (int)sys_fcntl(d->first, F_GET_SEALS, 0);
    if (!look->content)
        return 0;
    fmt(path, sizeof path, "/proc/thread-self/fd/%d", d->first);
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0 && !(d->flags & (O_PATH | O_WRONLY)))
        fd = sys_fcntl(d->first, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    uint64_t size = (object->size + page - 1) & ~(page - 1);
    void *at = region_map_file(size, PROT_READ, MAP_SHARED, (int)fd);
    if (SYS_IS_ERROR(at)) /* huge pages want another alignment */
        at = sys_mmap(NULL, size, PROT_READ, MAP_SHARED, (int)fd, 0);
    sys_close((int)fd);
    if (SYS_IS_ERROR(at))
        return (long)at;
    object->mapping = at;
    object->mapping_size = size;
    return 0;
}

/* statfs(2), f_type */
static bool huge_pages(const struct description *d)
{
    uint64_t statfs[15];
    char path[64];

    fd_link_path(path, sizeof path, d->first);
    return syscall3(__NR_statfs, (long)path, (long)statfs, 0) == 0 && statfs[0] == 0x958458f6 /* HUGETLBFS_MAGIC */;
}

long object_save(struct description *d, char *problem, unsigned long size)
{
    struct fd_object *object;

    object = find(d->st.st_dev, d->st.st_ino);
    if (!object) {
        object = arena_alloc(sizeof *object);
        if (!object)
            return -ENOMEM;
        *object = (struct fd_object){.next = objects, .device = d->st.st_dev, .inode = d->st.st_ino, .size = (uint64_t)d->st.st_size,
                                     .name = d->link, .st = d->st, .seals = -1, .named = !d->deleted};
        char path[320];
        if (d->deleted && d->st.st_nlink && object_find_memory_file(d->link, d->st.st_ino, path, sizeof path)) {
            object->name = arena_string(path);
            object->named = object->name != NULL;
            if (!object->named)
                return -ENOMEM;
        }
        object->huge_page_size = huge_pages(d) ? (uint32_t)d->st.st_blksize : 0;
        fmt(object->path, sizeof object->path, "/proc/%d/task/%d/fd/%d", lib.real_pid, fd_tid(d->first), d->first);
        object->saver = fd_lowest_holder(object->device, object->inode);
        objects = object;
    }
    d->own = object;
    struct look look = {object, d, object->saver && object->size && !object->mapping && !mapped_whole(object)};
    long error = fd_call(d, look_at, &look);
    if (error < 0)
        fmt(problem, size, "descriptor %d (%s, which has no name any more) can't be read for the image: %e", d->first, d->link, (int)error);
    return error;
}

long object_refill(struct description *d, bool restarted)
{
    struct fd_object *object = d->own;

    if (!restarted && object && object->mapping) {
        sys_munmap(object->mapping, object->mapping_size);
        object->mapping = NULL;
    }
    return 0;
}

/* --- restart --- */

static long make(struct fd_object *object)
{
    const struct handoff_shared *shared = lib.handoff.shared;
    bool huge;

    for (uint32_t i = 0; i < lib.handoff.shared_count; i++)
        if (shared[i].device == object->device && shared[i].inode == object->inode)
            object->fd = (int)sys_fcntl(shared[i].fd, F_DUPFD_CLOEXEC, 0);
    if (!object->fd && object->named)
        object->fd = (int)object_open_memory_file(object->name, object->size, object->st.st_mode);
    else if (!object->fd)
        object->fd = (int)object_make(object->name, object->huge_page_size, object->size, &huge);
    if (object->fd < 0)
        return object->fd;
    if (object->mapping)
        sys_munmap(object->mapping, object->mapping_size);
    object->mapping = NULL;
    /* The loader made it as long as what is mapped of it. */
    return object->huge_page_size ? 0 : sys_ftruncate(object->fd, object->size);
}

long object_restore(struct description *d, int low, char *problem, unsigned long size)
{
    struct fd_object *object = d->own;
    long error = object->fd ? 0 : make(object), fd = error;
    char path[64];

    if (!error) {
        uint32_t once = O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE | O_NOFOLLOW;
        fmt(path, sizeof path, "/proc/self/fd/%d", object->fd);
        fd = sys_open(path, (int)(d->flags & ~once) | O_CLOEXEC, 0);
        if (fd == -EINVAL) /* memory has no O_DIRECT */
            fd = sys_open(path, (int)(d->flags & ~(once | O_DIRECT)) | O_CLOEXEC, 0);
        fd = fd_lift(fd, low);
    }
    if (fd < 0)
        fmt(problem, size, "descriptor %d (%s%s) can't be made: %e", d->first, d->link, object->named ? "" : ", which had no name any more", (int)fd);
    else if (!(d->flags & O_PATH))
        sys_lseek((int)fd, (int64_t)d->position, SEEK_SET);
    return fd;
}

static void set_attributes(const struct fd_object *object)
{
    struct timespec times[2] = {object->st.st_atim, object->st.st_mtim};

    syscall3(__NR_fchown, object->fd, object->st.st_uid, object->st.st_gid);
    sys_fchmod(object->fd, object->st.st_mode & 07777);
    syscall6(__NR_utimensat, object->fd, 0, (long)times, 0, 0, 0);
    /* What is no memfd says F_SEAL_SEAL from the start. */
    if (object->seals <= 0 || sys_fcntl(object->fd, F_GET_SEALS, 0) == object->seals)
        return;
    long error = sys_fcntl(object->fd, F_ADD_SEALS, object->seals);
    if (error < 0)
        log_warn("%s: its seals can't be set: %e", object->name, (int)error);
}

long object_connect(struct description *d, char *problem, unsigned long size)
{
    struct fd_object *object = d->own;

    if (!object->fd)
        return 0;
    if (object->saver)
        set_attributes(object);
    sys_close(object->fd);
    object->fd = 0;
    return 0;
}

void fd_objects_leave(void)
{
    for (uint32_t i = 0; i < lib.handoff.shared_count; i++)
        if (lib.handoff.shared[i].fd >= 0)
            sys_close(lib.handoff.shared[i].fd);
    lib.handoff.shared_count = 0;
}
