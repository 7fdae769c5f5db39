/* Connected unix sockets without a name whose other end is in this process too, or closed: socketpair(2). They come back as a pair, with what
 * was queued (read by MSG_PEEK, so nothing is taken out), message boundaries, buffer sizes and closed halves. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "unix_diag.h"

#include <sys/time.h>

#define PEEK_MAX (1u << 20)

struct message {
    struct message *next;
    uint32_t size;
    char bytes[];
};

struct pair_state {
    struct unix_diag diag;
    struct description *other; /* NULL: closed */
    struct message *queue; /* what this end has yet to read */
    int send_buffer, receive_buffer, pass_credentials, receive_least;
    struct timeval receive_timeout, send_timeout;
    int made; /* restart: this end, when the other one was restored first; -1 */
};

static struct description *find_other(const struct description *d, uint32_t peer)
{
    for (struct description *other = fd_descriptions(); other; other = other->next)
        if (other != d && S_ISSOCK(other->st.st_mode) && other->st.st_ino == peer)
            return other;
    return NULL;
}

static bool pair_claim(const struct description *d)
{
    struct unix_diag diag;

    if (!S_ISSOCK(d->st.st_mode) || unix_diag((uint32_t)d->st.st_ino, &diag) < 0)
        return false;
    return !diag.named && !diag.listening && diag.connected && (!diag.peer || find_other(d, diag.peer));
}

struct peek {
    struct description *d;
    char *buffer; /* scratch, PEEK_MAX */
};

static long option(int fd, int name)
{
    int value = 0;
    unsigned size = sizeof value;

    sys_getsockopt(fd, SOL_SOCKET, name, &value, &size);
    return value;
}

static long peek_queue(int fd, struct pair_state *state, char *buffer)
{
    struct message **end = &state->queue;

    for (;;) {
        char control[256];
        struct iovec part = {buffer, PEEK_MAX};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        long n = syscall3(__NR_recvmsg, fd, (long)&header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n == -EAGAIN || (n == 0 && state->diag.type == SOCK_STREAM))
            return 0;
        if (n < 0)
            return n;
        struct cmsghdr *first = CMSG_FIRSTHDR(&header);
        if (first && first->cmsg_type == SCM_RIGHTS) {
            for (size_t i = 0; i < (first->cmsg_len - sizeof *first) / sizeof(int); i++)
                sys_close(((int *)(void *)CMSG_DATA(first))[i]);
            return -EOPNOTSUPP;
        }
        if (n == 0 && !state->other) /* the end of the queue of a closed seqpacket connection looks like an empty message */
            return 0;
        struct message *message = arena_alloc(sizeof *message + (size_t)n);
        if (!message)
            return -ENOMEM;
        message->size = (uint32_t)n;
        memcpy(message->bytes, buffer, (size_t)n);
        *end = message;
        end = &message->next;
    }
}

/* In the executor: the socket can't be opened anew elsewhere. */
static long save_here(void *argument)
{
    struct peek *peek = argument;
    struct pair_state *state = peek->d->own;
    int fd = peek->d->first, from = 0, off = -1;

    state->send_buffer = (int)option(fd, SO_SNDBUF);
    state->receive_buffer = (int)option(fd, SO_RCVBUF);
    state->pass_credentials = (int)option(fd, SO_PASSCRED);
    state->receive_least = (int)option(fd, SO_RCVLOWAT);
    unsigned size = sizeof state->receive_timeout;
    sys_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &state->receive_timeout, &size);
    sys_getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &state->send_timeout, &size);
    size = sizeof off;
    sys_getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, &size);
    sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
    long error = peek_queue(fd, state, peek->buffer);
    sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
    return error;
}

static long pair_save(struct description *d, char *problem, size_t size)
{
    struct pair_state *state = d->own = arena_alloc(sizeof *state);
    struct peek peek = {.d = d, .buffer = scratch_map(PEEK_MAX, false)};
    long error = state && peek.buffer ? unix_diag((uint32_t)d->st.st_ino, &state->diag) : -ENOMEM;

    if (!error) {
        state->made = -1;
        state->other = state->diag.peer ? find_other(d, state->diag.peer) : NULL;
        error = park_call(suspend_executor(), save_here, &peek);
    }
    if (peek.buffer)
        scratch_unmap(peek.buffer, PEEK_MAX);
    if (error == -EOPNOTSUPP)
        fmt(problem, size, "descriptor %d (%s): descriptors are in flight through it; receive them before a checkpoint", d->first, d->link);
    else if (error)
        fmt(problem, size, "descriptor %d (%s): what is queued can't be read: %e", d->first, d->link, (int)error);
    return error;
}

static void shape(int fd, const struct description *d, const struct pair_state *state)
{
    /* getsockopt tells twice what setsockopt was told: socket(7). */
    int send = state->send_buffer / 2, receive = state->receive_buffer / 2;

    sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
    sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    if (state->pass_credentials)
        sys_setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &state->pass_credentials, sizeof(int));
    sys_setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &state->receive_least, sizeof state->receive_least);
    sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &state->receive_timeout, sizeof state->receive_timeout);
    sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &state->send_timeout, sizeof state->send_timeout);
    sys_fcntl(fd, F_SETFL, (long)d->flags);
}

static long fill(int from, const struct message *queue)
{
    for (; queue; queue = queue->next)
        for (uint32_t sent = 0; sent < queue->size || !queue->size;) {
            long n = sys_sendto(from, queue->bytes + sent, queue->size - sent, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
            if (n < 0)
                return n;
            if (!queue->size)
                break;
            sent += (uint32_t)n;
        }
    return 0;
}

/* shutdown(2)'s SHUT_RD, SHUT_WR, SHUT_RDWR are the bits of diag less one. */
static void close_halves(int fd, const struct pair_state *state)
{
    if (state->diag.shutdown & 3)
        syscall3(__NR_shutdown, fd, (state->diag.shutdown & 3) - 1, 0);
}

static long make(struct description *d, struct pair_state *state, int low)
{
    int ends[2], room = 1 << 22;
    struct pair_state *other = state->other ? state->other->own : NULL;
    long error = syscall6(__NR_socketpair, AF_UNIX, (long)(state->diag.type | SOCK_CLOEXEC), 0, (long)ends, 0, 0);

    if (error)
        return error;
    ends[0] = (int)fd_lift(ends[0], low);
    ends[1] = (int)fd_lift(ends[1], low);
    /* A queue fills the sender's allowance, which may have been larger when it was filled. */
    sys_setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    sys_setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    error = fill(ends[1], state->queue);
    if (!error && other)
        error = fill(ends[0], other->queue);
    if (error) {
        sys_close(ends[0]);
        sys_close(ends[1]);
        return error;
    }
    shape(ends[0], d, state);
    close_halves(ends[0], state);
    if (other) {
        shape(ends[1], state->other, other);
        close_halves(ends[1], other);
        other->made = ends[1];
    } else {
        sys_close(ends[1]);
    }
    return ends[0];
}

static long pair_restore(struct description *d, int low, char *problem, size_t size)
{
    struct pair_state *state = d->own;
    long fd = state->made >= 0 ? state->made : make(d, state, low);

    if (fd < 0)
        fmt(problem, size, "descriptor %d (%s) can't be made: %e", d->first, d->link, (int)fd);
    return fd;
}

const struct fd_kind fd_socket_pair = {.name = "socket pair", .claim = pair_claim, .save = pair_save, .restore = pair_restore};
