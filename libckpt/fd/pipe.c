/* Pipes and FIFOs: pipe(7), fifo(7). All descriptions of one, in whatever processes, are made by one process (elect.c), which also keeps what
 * was in it (copied by tee(2), so nothing is taken out), its capacity, and where packets end. A pipe's end that was nowhere in the computation
 * is closed after a restart, as if its holder had gone. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <sys/ioctl.h>

#define PACKET 4096 /* PIPE_BUF: longer packets are split by the kernel */

struct chunk {
    struct chunk *next;
    uint32_t size;
    char bytes[];
};

struct pipe_object {
    uint32_t capacity;
    struct chunk *content;
    bool packets; /* a chunk each */
    const char *path; /* FIFO; NULL: pipe */
    bool deleted;
    unsigned mode;
    unsigned left; /* restart: descriptions yet to be made */
    int ends[2]; /* restart: as pipe2 gave them, or one description of the FIFO twice; until the last description is made */
    bool made, given[2];
};

static bool pipe_claim(const struct description *d)
{
    return S_ISFIFO(d->st.st_mode) && str_after(d->link, "pipe:[");
}

static bool fifo_claim(const struct description *d)
{
    return S_ISFIFO(d->st.st_mode) && d->link[0] == '/';
}

static uint64_t pipe_partner(const struct description *d)
{
    return 0;
}

static bool reads(const struct description *d)
{
    return (d->flags & O_ACCMODE) != O_WRONLY && !(d->flags & O_PATH);
}

static bool same_object(const struct description *a, const struct description *b)
{
    return a->kind == b->kind && a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
}

/* --- checkpoint --- */

static long read_copy(struct pipe_object *object, int from, uint32_t size)
{
    struct chunk **end = &object->content;

    while (size) {
        struct chunk *chunk = arena_alloc(sizeof *chunk + PACKET);
        if (!chunk)
            return -ENOMEM;
        long n = sys_read(from, chunk->bytes, PACKET);
        if (n <= 0 || n > size)
            return n < 0 ? n : -EIO;
        chunk->size = (uint32_t)n;
        size -= (uint32_t)n;
        /* A read that stops before its buffer is full, with more to come, has come to the end of a packet. */
        object->packets |= size && n < PACKET;
        *end = chunk;
        end = &chunk->next;
    }
    return 0;
}

/* Reads a copy: tee into a pipe of the same capacity, and from there. */
static long copy_content(struct pipe_object *object, int source)
{
    int copy[2], queued = 0;
    long error = sys_ioctl(source, FIONREAD, &queued);

    if (error < 0 || queued <= 0)
        return error;
    error = syscall3(__NR_pipe2, (long)copy, O_CLOEXEC | O_NONBLOCK, 0);
    if (error < 0)
        return error;
    sys_fcntl(copy[1], F_SETPIPE_SZ, object->capacity);
    error = syscall6(__NR_tee, source, copy[1], queued, 2 /* SPLICE_F_NONBLOCK */, 0, 0);
    if (error >= 0)
        error = error == queued ? read_copy(object, copy[0], (uint32_t)queued) : -ENOBUFS;
    sys_close(copy[0]);
    sys_close(copy[1]);
    return error;
}

/* In the executor, with the descriptor itself: one that was inherited from another user can't be opened anew by /proc. */
static long save_here(void *argument)
{
    struct description *d = argument;

    return copy_content(d->own, d->first);
}

static long capacity_here(void *argument)
{
    const struct description *d = argument;

    return sys_fcntl(d->first, F_GETPIPE_SZ, 0);
}

/* In the checkpoint thread, by /proc: when only the other end is in this process, or its table is full. */
static long save_there(struct description *d)
{
    char path[64];

    fd_link_path(path, sizeof path, d->first);
    long fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    long error = copy_content(d->own, (int)fd);
    sys_close((int)fd);
    return error;
}

static long save_object(struct description *d)
{
    struct pipe_object *object = d->own = arena_alloc(sizeof *object);
    struct description *reader = NULL;
    bool read_inside = false;

    if (!object)
        return -ENOMEM;
    object->mode = d->st.st_mode & 07777;
    object->path = d->link[0] == '/' ? d->link : NULL;
    object->deleted = d->deleted;
    for (struct description *other = d; other; other = other->next)
        if (same_object(d, other)) {
            other->own = object;
            object->left++;
            object->packets |= (other->flags & O_DIRECT) != 0;
            read_inside |= reads(other);
            if (!reader && reads(other) && !other->foreign)
                reader = other;
        }
    long capacity = d->flags & O_PATH ? 0 : fd_call(d, capacity_here, d);
    object->capacity = capacity > 0 ? (uint32_t)capacity : 0;
    if (!read_inside) /* whoever reads is not of the computation, and has what was written */
        return 0;
    long error = reader ? fd_call(reader, save_here, reader) : save_there(d);
    if (error == -EMFILE && reader)
        error = save_there(reader);
    return error;
}

/* The first description of an object, which is never a foreign one, saves it for all. */
static long pipe_save(struct description *d, char *problem, size_t size)
{
    long error = d->own ? 0 : save_object(d);

    if (error)
        fmt(problem, size, "descriptor %d (%s): its contents can't be copied: %e", d->first, d->link, (int)error);
    return error;
}

/* --- restart --- */

static long open_fifo(const struct pipe_object *object, char *problem, size_t size)
{
    static unsigned number;
    char temporary[4500];
    const char *path = object->path;
    struct stat st;
    bool make = object->deleted;

    if (make) {
        fmt(temporary, sizeof temporary, "%s/fifo-%d-%u", lib.conf.tmp_dir, lib.real_pid, number++);
        path = temporary;
    } else {
        make = sys_fstatat(AT_FDCWD, path, &st, 0) == -ENOENT;
    }
    long error = make ? syscall6(__NR_mknodat, AT_FDCWD, (long)path, S_IFIFO | 0600, 0, 0, 0) : 0, fd = -1;
    if (error == -EEXIST) /* another process of the computation was quicker */
        make = false, error = 0;
    if (!error) {
        if (sys_fstatat(AT_FDCWD, path, &st, 0) == 0 && !S_ISFIFO(st.st_mode)) {
            fmt(problem, size, "%s is no longer a FIFO; put it back, then restart", object->path);
            return -EINVAL;
        }
        error = fd = sys_open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
    }
    if (fd >= 0 && make)
        sys_fchmod((int)fd, object->mode);
    if (object->deleted)
        sys_unlink(path);
    if (error < 0)
        fmt(problem, size, "%s (a FIFO) can't be opened: %e", object->path, (int)error);
    return error;
}

static long fill(const struct pipe_object *object)
{
    long error = 0;

    sys_fcntl(object->ends[1], F_SETFL, O_NONBLOCK | (object->packets ? O_DIRECT : 0));
    for (const struct chunk *chunk = object->content; chunk && !error; chunk = chunk->next)
        error = sys_write_all(object->ends[1], chunk->bytes, chunk->size);
    sys_fcntl(object->ends[1], F_SETFL, object->path ? O_NONBLOCK : 0);
    return error;
}

static long make_object(struct pipe_object *object, char *problem, size_t size)
{
    long error;

    if (object->path) {
        error = open_fifo(object, problem, size);
        object->ends[0] = object->ends[1] = (int)error;
        object->given[0] = object->given[1] = true;
    } else {
        error = syscall3(__NR_pipe2, (long)object->ends, O_CLOEXEC, 0);
    }
    if (error < 0)
        return error;
    object->made = true;
    if (object->capacity)
        sys_fcntl(object->ends[1], F_SETPIPE_SZ, object->capacity);
    return fill(object);
}

/* One of the two that pipe2 made, or for further ones another, as opening /proc/self/fd/N makes it. */
static long make_description(struct pipe_object *object, const struct description *d)
{
    unsigned mode = d->flags & O_ACCMODE, end = mode == O_WRONLY;
    char path[64];

    if (mode != O_RDWR && !(d->flags & O_PATH) && !object->given[end]) {
        object->given[end] = true;
        return sys_fcntl(object->ends[end], F_DUPFD_CLOEXEC, 0);
    }
    fmt(path, sizeof path, "/proc/self/fd/%d", object->ends[end]);
    return sys_open(path, (int)(d->flags & (O_ACCMODE | O_PATH | O_NOATIME)) | O_NONBLOCK | O_CLOEXEC, 0);
}

static long pipe_restore(struct description *d, int low, char *problem, size_t size)
{
    struct pipe_object *object = d->own;
    long fd = object->made ? 0 : make_object(object, problem, size);

    if (fd >= 0)
        fd = make_description(object, d);
    if (fd < 0) {
        if (!problem[0])
            fmt(problem, size, "descriptor %d (%s) can't be made: %e", d->first, d->link, (int)fd);
        return fd;
    }
    if (!(d->flags & O_PATH))
        sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    if (!--object->left) {
        sys_close(object->ends[0]);
        if (!object->path)
            sys_close(object->ends[1]);
    }
    return fd_lift(fd, low);
}

const struct fd_kind fd_pipe = {
    .name = "pipe", .claim = pipe_claim, .partner = pipe_partner, .save = pipe_save, .restore = pipe_restore};
const struct fd_kind fd_fifo = {
    .name = "FIFO", .claim = fifo_claim, .partner = pipe_partner, .save = pipe_save, .restore = pipe_restore};
