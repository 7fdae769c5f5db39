/* epoll(7): the watched descriptors with their events and data, as fdinfo lists them: "tfd: 5 events: 19 data: 5 pos:0 ino:…". Registered
 * again when all descriptors have their numbers; readiness is then found anew by the kernel, edge-triggered ones included. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "log.h"
#include "scratch.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

#include <sys/epoll.h>

#define LOG_MODULE "epoll"
#define INFO_SIZE (1u << 20) /* 10,000 lines */

struct watch {
    struct watch *next;
    struct epoll_event event;
    int fd;
};

static bool epoll_claim(const struct description *d)
{
    return str_equal(d->link, "anon_inode:[eventpoll]");
}

static const char *skip_to(const char *at, const char *word)
{
    for (; *at && *at != '\n'; at++) {
        const char *after = str_after(at, word);
        if (after) {
            while (*after == ' ' || *after == '\t')
                after++;
            return after;
        }
    }
    return NULL;
}

static long parse(struct description *d, const char *text)
{
    struct watch **end = (struct watch **)&d->own;

    for (const char *line = text; line && *line; line = str_find(line, '\n'), line += line != NULL) {
        const char *fd = str_after(line, "tfd:"), *events = skip_to(line, "events:"), *data = skip_to(line, "data:");
        uint64_t number, mask, value;
        if (!fd || !events || !data)
            continue;
        while (*fd == ' ')
            fd++;
        struct watch *watch = arena_alloc(sizeof *watch);
        if (!watch)
            return -ENOMEM;
        if (!str_number(&fd, 10, &number) || !str_number(&events, 16, &mask) || !str_number(&data, 16, &value))
            return -EPROTO;
        watch->fd = (int)number;
        watch->event.events = (uint32_t)mask;
        watch->event.data.u64 = value;
        *end = watch;
        end = &watch->next;
    }
    return 0;
}

static long epoll_save(struct description *d, char *problem, size_t size)
{
    char path[64], *text = scratch_map(INFO_SIZE, false);
    long error;

    if (!text)
        return -ENOMEM;
    d->own = NULL;
    fd_info_path(path, sizeof path, d->first);
    error = proc_read(path, text, INFO_SIZE);
    if (error > 0)
        error = parse(d, text);
    scratch_unmap(text, INFO_SIZE);
    return error;
}

static long epoll_restore(struct description *d, int low, char *problem, size_t size)
{
    long fd = fd_lift(syscall3(__NR_epoll_create1, EPOLL_CLOEXEC, 0, 0), low);

    if (fd < 0)
        fmt(problem, size, "descriptor %d (epoll) can't be made: %e", d->first, (int)fd);
    return fd;
}

static long epoll_connect(struct description *d, char *problem, size_t size)
{
    for (struct watch *watch = d->own; watch; watch = watch->next) {
        long error = syscall6(__NR_epoll_ctl, d->first, EPOLL_CTL_ADD, watch->fd, (long)&watch->event, 0, 0);
        if (error < 0) /* the program closed that number while another descriptor kept the description alive */
            log_warn("descriptor %d: epoll can't watch descriptor %d again: %e", d->first, watch->fd, (int)error);
    }
    return 0;
}

const struct fd_kind fd_epoll = {
    .name = "epoll", .claim = epoll_claim, .save = epoll_save, .restore = epoll_restore, .connect = epoll_connect};
