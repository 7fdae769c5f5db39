/* Files of /proc about this process: opened again under the number that it has then, wherever their reader stands. proc(5). */
#include <sys/sysmacros.h>

#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "str.h"
#include "sys.h"
#include "threads.h"

struct place {
    int thread; /* as the program knows it, 0: the process */
};

/* "/proc/PID/rest" or "/proc/PID/task/TID/rest" of this process. */
static bool parse(const char *link, int real_pid, struct place *place)
{
    const char *at = str_after(link, "/proc/"), *task;
    uint64_t pid, tid;

    place->thread = 0;
    if (!at || !str_number(&at, 10, &pid) || (int)pid != real_pid || *at != '/')
        return false;
    task = str_after(at, "/task/");
    if (task && str_number(&task, 10, &tid)) {
        struct thread *thread = threads_by_real_tid((int)tid);
        if (!thread || *task != '/')
            return false;
        place->thread = thread->tid;
    }
    return true;
}

static bool proc_claim(const struct description *d)
{
    struct place place;

    return (S_ISREG(d->st.st_mode) || S_ISDIR(d->st.st_mode)) && parse(d->link, lib.real_pid, &place);
}

static long proc_save(struct description *d, char *problem, size_t size)
{
    struct place place;

    d->own = NULL;
    if (parse(d->link, lib.real_pid, &place))
        d->own = (void *)(intptr_t)place.thread;
    return 0;
}

static long proc_restore(struct description *d, int low, char *problem, size_t size)
{
    int tid = (int)(intptr_t)d->own;
    const struct thread *thread = tid ? threads_by_tid(tid) : NULL;
    const char *rest = str_find(d->link + sizeof "/proc/", '/');
    char path[4096];

    if (thread)
        fmt(path, sizeof path, "/proc/self/task/%d%s", thread->real_tid, str_find(rest + sizeof "/task/", '/'));
    else
        fmt(path, sizeof path, "/proc/self%s", rest);
    long fd = fd_lift(sys_open(path, (int)(d->flags & (O_ACCMODE | O_NONBLOCK | O_DIRECTORY | O_PATH)) | O_CLOEXEC, 0), low);
    if (fd < 0)
        fmt(problem, size, "%s (descriptor %d) can't be opened: %e", path, d->first, (int)fd);
    else if (!(d->flags & O_PATH))
        sys_lseek((int)fd, (int64_t)d->position, SEEK_SET);
    return fd;
}

const struct fd_kind fd_proc_file = {.name = "proc", .claim = proc_claim, .save = proc_save, .restore = proc_restore};
