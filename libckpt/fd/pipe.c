/* Pipes with an end or both in this process: pipe(7). They come back as real pipes, with what was in them (copied by tee(2), so nothing is
 * taken out), their capacity, and their ends; an end that was nowhere in the computation is closed after a restart, as if its holder had
 * gone. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <sys/ioctl.h>

struct pipe_state {
    bool owner; /* of the pair: makes the pipe, the other end takes its descriptor from there */
    uint32_t capacity;
    uint32_t size; /* bytes in it */
    char *content;
    struct description *other; /* NULL: not in this process */
    int spare; /* restart: the other end's descriptor until it is asked for */
};

static bool pipe_claim(const struct description *d)
{
    return S_ISFIFO(d->st.st_mode) && str_after(d->link, "pipe:[");
}

static bool reads(const struct description *d)
{
    return (d->flags & O_ACCMODE) == O_RDONLY;
}

static struct description *find_other(const struct description *d)
{
    for (struct description *other = fd_descriptions(); other; other = other->next)
        if (other->kind == d->kind && other != d && other->st.st_ino == d->st.st_ino && reads(other) != reads(d))
            return other;
    return NULL;
}

/* Reads a copy: tee into a pipe of the same capacity, and from there. */
static long copy_content(struct pipe_state *state, int source)
{
    int copy[2];
    long error = syscall3(__NR_pipe2, (long)copy, O_CLOEXEC | O_NONBLOCK, 0);

    if (error < 0)
        return error;
    sys_fcntl(copy[1], F_SETPIPE_SZ, state->capacity);
    error = syscall6(__NR_tee, source, copy[1], state->size, 2 /* SPLICE_F_NONBLOCK */, 0, 0);
    if (error > 0) {
        uint32_t size = (uint32_t)error;
        uint32_t got = 0;
        while (got < size && (error = sys_read(copy[0], state->content + got, size - got)) > 0)
            got += (uint32_t)error;
        state->size = got;
        error = got == size ? 0 : -EIO;
    }
    sys_close(copy[0]);
    sys_close(copy[1]);
    return error;
}

/* In the executor, with the descriptor itself: one that was inherited from another user can't be opened anew by /proc. */
static long save_here(void *argument)
{
    struct description *d = argument;
    struct pipe_state *state = d->own;
    int queued = 0;
    long error = sys_fcntl(d->first, F_GETPIPE_SZ, 0);

    state->capacity = error > 0 ? (uint32_t)error : 0;
    if (!reads(d)) /* whoever reads is not of the computation, and has what was written */
        return 0;
    error = sys_ioctl(d->first, FIONREAD, &queued);
    if (error || queued <= 0)
        return error;
    state->size = (uint32_t)queued;
    state->content = arena_alloc(state->size);
    return state->content ? copy_content(state, d->first) : -ENOMEM;
}

static long pipe_save(struct description *d, char *problem, size_t size)
{
    struct pipe_state *state = d->own = arena_alloc(sizeof *state);

    if (!state)
        return -ENOMEM;
    state->other = find_other(d);
    state->owner = !state->other || reads(d);
    state->spare = -1;
    if (!state->owner)
        return 0;
    long error = park_call(suspend_executor(), save_here, d);
    if (error)
        fmt(problem, size, "descriptor %d (%s): its contents can't be copied: %e", d->first, d->link, (int)error);
    return error;
}

static long make(struct description *d, struct pipe_state *state, int low)
{
    int ends[2];
    long error = syscall3(__NR_pipe2, (long)ends, O_CLOEXEC, 0);
    struct pipe_state *other = state->other ? state->other->own : NULL;

    if (error < 0)
        return error;
    ends[0] = (int)fd_lift(ends[0], low);
    ends[1] = (int)fd_lift(ends[1], low);
    if (ends[0] < 0 || ends[1] < 0)
        return -EMFILE;
    if (state->capacity)
        sys_fcntl(ends[1], F_SETPIPE_SZ, state->capacity);
    if (state->size)
        error = sys_write_all(ends[1], state->content, state->size);
    int own = reads(d) ? 0 : 1;
    if (other)
        other->spare = ends[1 - own];
    else
        sys_close(ends[1 - own]);
    state->spare = ends[own];
    return error;
}

static long pipe_restore(struct description *d, int low, char *problem, size_t size)
{
    struct pipe_state *state = d->own, *owner = state->owner ? state : state->other->own;
    long error = 0;

    if (state->spare < 0)
        error = make(state->owner ? d : state->other, owner, low);
    if (error < 0) {
        fmt(problem, size, "descriptor %d (%s) can't be made: %e", d->first, d->link, (int)error);
        return error;
    }
    sys_fcntl(state->spare, F_SETFL, (long)d->flags);
    return state->spare;
}

const struct fd_kind fd_pipe = {.name = "pipe", .claim = pipe_claim, .save = pipe_save, .restore = pipe_restore};
