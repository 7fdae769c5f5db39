/* The checkpoint thread's side of a snapshot. The child and this thread are joined by a socket pair: over it the child asks for what it did not
 * inherit, and its end says that the writers have ended, whatever the kernel's age (a pidfd would say the same). The thread has a file
 * table of its own, so the program sees none of this; the child's exit signal is 0, so it does not see the child either. */
#include "snapshot.h"

#include <sys/wait.h>

#include "crc32c.h"
#include "feature.h"
#include "fmt.h"
#include "log.h"
#include "str.h"
#include "sys.h"
#include "writer.h"

#define LOG_MODULE "snapshot"
#define OWN_CHILD (__WALL | __WNOTHREAD)
#define SILENCE 60 /* seconds: a child that says nothing so long, before the program may go on, hangs */

/* --- errors --- */

bool snapshot_failed(const struct snapshot *snapshot)
{
    return __atomic_load_n(&snapshot->failed, __ATOMIC_ACQUIRE);
}

long snapshot_fail(struct snapshot *snapshot, long error, const char *format, ...)
{
    va_list list;

    if (__atomic_exchange_n(&snapshot->failed, 1, __ATOMIC_ACQ_REL))
        return error;
    va_start(list, format);
    fmt_list(snapshot->result.problem, sizeof snapshot->result.problem, format, list);
    va_end(list);
    snapshot->result.error = (int32_t)error;
    return error;
}

static const char *way_out(long error)
{
    switch (-error) {
    case ENOSPC: return "; make room there or choose another directory (--ckptdir)";
    case EDQUOT: return "; make room in the quota or choose another directory (--ckptdir)";
    case EFBIG: return "; raise the limit of file sizes (ulimit -H -f)";
    case EIO: return "; see the kernel's log for the device";
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case EROFS: return "; choose a directory that can be written (--ckptdir)";
    case EEXIST:
    case EISDIR:
    case ELOOP: return "; remove what stands in the way";
    default: return "";
    }
}

long snapshot_file_fail(struct snapshot *snapshot, long error, const char *verb)
{
    return snapshot_fail(snapshot, error, "%s %s: %e%s", verb, snapshot->temp_path, (int)error, way_out(error));
}

/* --- start --- */

/* proc_pid_status(5), VmLck: children don't inherit locks, so the flag must be read from the program itself if it has any. */
static bool memory_is_locked(void)
{
    char text[2048];
    long fd = sys_open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC, 0), n;

    if (fd < 0)
        return true;
    n = sys_read((int)fd, text, sizeof text - 1);
    sys_close((int)fd);
    text[n > 0 ? n : 0] = 0;
    for (const char *at = text; at && *at; at = str_find(at, '\n'), at = at ? at + 1 : NULL) {
        const char *value = str_after(at, "VmLck:");
        if (value) {
            while (*value == ' ' || *value == '\t')
                value++;
            return *value != '0';
        }
    }
    return true;
}

long fd_above_standard(long fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    long moved = sys_fcntl((int)fd, F_DUPFD_CLOEXEC, 3);
    sys_close((int)fd);
    return moved;
}

static long open_proc(struct snapshot *snapshot, const char *path, int *to)
{
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);

    *to = (int)fd;
    return fd < 0 ? snapshot_fail(snapshot, fd, "open %s: %e", path, (int)fd) : 0;
}

static void close_proc(const struct engine *engine)
{
    const int opened[] = {engine->maps, engine->smaps, engine->pagemap, engine->child_socket};

    for (unsigned i = 0; i < sizeof opened / sizeof *opened; i++)
        if (opened[i] >= 0)
            sys_close(opened[i]);
}

/* The child, or -errno when there can't be one. */
static long start_child(struct snapshot *snapshot, struct engine *engine, void *stack_top)
{
    int ends[2];
    long error = syscall6(__NR_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, (long)ends, 0, 0);

    if (error)
        return error;
    for (int i = 0; i < 2; i++)
        ends[i] = (int)fd_above_standard(ends[i]);
    if (ends[0] < 0 || ends[1] < 0) {
        for (int i = 0; i < 2; i++)
            if (ends[i] >= 0)
                sys_close(ends[i]);
        return -EMFILE;
    }
    engine->child_socket = ends[1];
    engine->program_locked = memory_is_locked();
    engine->program_total_vm = writer_total_vm();
    long child = writer_clone(0, stack_top, engine_run, engine);
    sys_close(ends[1]);
    engine->child_socket = -1;
    if (child < 0) {
        sys_close(ends[0]);
        return child;
    }
    snapshot->child = (int32_t)child;
    snapshot->socket = ends[0];
    return child;
}

static void describe_death(struct snapshot *snapshot, int status)
{
    if ((status & 127) == SIGKILL)
        snapshot_fail(snapshot, -EIO, "the writer of the image was killed; was memory short?");
    else
        snapshot_fail(snapshot, -EIO, "the writer of the image ended by %s %d", status & 127 ? "signal" : "status",
                      status & 127 ? status & 127 : status >> 8);
}

static void reap(struct snapshot *snapshot)
{
    int status = 0;

    if (!snapshot->child)
        return;
    while (sys_wait4(snapshot->child, &status, OWN_CHILD, NULL) == -EINTR)
        ;
    snapshot->child = 0;
    if (snapshot->socket >= 0)
        sys_close(snapshot->socket);
    snapshot->socket = -1;
    if (!__atomic_load_n(&snapshot->complete, __ATOMIC_ACQUIRE) && !snapshot_failed(snapshot))
        describe_death(snapshot, status);
}

static void remove_file(struct snapshot *snapshot)
{
    if (snapshot->created)
        sys_unlink(snapshot->temp_path);
    snapshot->created = 0;
}

/* Snapshot by clone if that is wanted and possible. True: it is under way or has failed for good; false: write in place. */
static bool write_by_child(struct snapshot *snapshot, struct engine *engine, void *stack_top)
{
    const struct conf *conf = engine->request->conf;

    if (conf->snapshot == CONF_SNAPSHOT_NEVER || conf->disabled & FEATURE_SNAPSHOT)
        return false;
    long child = start_child(snapshot, engine, stack_top);
    if (child < 0 && conf->snapshot == CONF_SNAPSHOT_ALWAYS) {
        snapshot_fail(snapshot, child, "clone for a snapshot: %e; allow the image to be written in place (DMTCP_SNAPSHOT=auto)", (int)child);
        return true;
    }
    if (child < 0) {
        log_note("clone for a snapshot: %e; the program waits while its image is written", (int)child);
        return false;
    }
    long error = plan_serve(snapshot, snapshot->socket, SILENCE);
    if (!error)
        return true;
    if (error == -ETIMEDOUT)
        snapshot_fail(snapshot, error, "the copy of the process did not answer within %d seconds", SILENCE);
    sys_kill(snapshot->child, SIGKILL);
    reap(snapshot);
    remove_file(snapshot);
    return true;
}

struct snapshot *snapshot_start(const struct snapshot_request *request, char *problem)
{
    size_t engine_size = sizeof(struct engine) + WRITER_STACK;
    struct snapshot *snapshot = scratch_map(sizeof *snapshot, true);
    struct engine *engine = scratch_map(engine_size, false);

    if (!snapshot || !engine) {
        fmt(problem, SNAPSHOT_PROBLEM_MAX, "no memory for a snapshot: %e", -ENOMEM);
        if (snapshot)
            scratch_unmap(snapshot, sizeof *snapshot);
        if (engine)
            scratch_unmap(engine, engine_size);
        return NULL;
    }
    crc32c(0, "", 0); /* makes up its mind now: nothing of ours may change once pages are being written */
    writer_snapshot = snapshot;
    snapshot->parent = sys_getpid();
    snapshot->socket = -1;
    fmt(snapshot->temp_path, sizeof snapshot->temp_path, "%s.temp", request->path);
    engine->snapshot = snapshot;
    engine->request = request;
    engine->uring = !(request->conf->disabled & FEATURE_URING);
    engine->chunk_pages = request->conf->gzip ? GZIP_CHUNK_PAGES : RAW_CHUNK_PAGES;
    engine->smaps = engine->pagemap = engine->child_socket = -1;

    void *stack_top = (void *)(((uint64_t)engine + engine_size) & ~63ul);
    if (!open_proc(snapshot, "/proc/thread-self/maps", &engine->maps) && !open_proc(snapshot, "/proc/thread-self/smaps", &engine->smaps) &&
        !open_proc(snapshot, "/proc/thread-self/pagemap", &engine->pagemap)) {
        pages_init(&engine->parent_pages, engine->pagemap, request->conf->disabled);
        if (!write_by_child(snapshot, engine, stack_top)) {
            engine->in_place = true;
            writer_call(stack_top, engine_run, engine);
        }
    }
    close_proc(engine);
    scratch_unmap(engine, engine_size);
    if (!snapshot->child && snapshot_failed(snapshot)) {
        str_copy(problem, SNAPSHOT_PROBLEM_MAX, snapshot->result.problem);
        scratch_unmap(snapshot, sizeof *snapshot);
        return NULL;
    }
    return snapshot;
}

/* --- afterwards --- */

int snapshot_descriptor(const struct snapshot *snapshot)
{
    return snapshot->socket;
}

void snapshot_progress(const struct snapshot *snapshot, uint64_t *done, uint64_t *total)
{
    *total = __atomic_load_n(&snapshot->total, __ATOMIC_RELAXED);
    *done = __atomic_load_n(&snapshot->done, __ATOMIC_RELAXED);
    if (*done > *total)
        *done = *total;
}

const struct snapshot_result *snapshot_finish(struct snapshot *snapshot)
{
    char byte;

    if (snapshot->socket >= 0) {
        while (sys_read(snapshot->socket, &byte, 1) == -EINTR) /* a byte: complete; end-of-file: the child has ended */
            ;
        if (__atomic_load_n(&snapshot->complete, __ATOMIC_ACQUIRE))
            __atomic_store_n(&snapshot->keep, 1, __ATOMIC_RELEASE);
        sys_close(snapshot->socket);
        snapshot->socket = -1;
    }
    reap(snapshot);
    if (snapshot_failed(snapshot))
        remove_file(snapshot);
    return &snapshot->result;
}

void snapshot_release(struct snapshot *snapshot)
{
    reap(snapshot);
    scratch_unmap(snapshot, sizeof *snapshot);
}

void snapshot_discard(struct snapshot *snapshot)
{
    if (snapshot->child)
        sys_kill(snapshot->child, SIGKILL);
    reap(snapshot);
    remove_file(snapshot);
    snapshot_release(snapshot);
}

long snapshot_sync_directory(const char *path)
{
    char directory[4096];
    size_t end = (size_t)(str_base(path) - path);

    if (end >= sizeof directory)
        return -ENAMETOOLONG;
    memcpy(directory, path, end);
    directory[end] = 0;
    long fd = sys_open(end ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    long error = sys_fsync((int)fd);
    sys_close((int)fd);
    return error == -EINVAL ? 0 : error; /* a file system without flushing of directories */
}
