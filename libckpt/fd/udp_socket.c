/* UDP sockets. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "inet_address.h"
#include "inet_options.h"
#include "log.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <poll.h>

#define LOG_MODULE "fd"

#define DATAGRAM_MAX 65536u

struct datagram {
    struct datagram *next;
    struct inet_address from;
    unsigned size;
    char bytes[];
};

struct udp_state {
    struct sock_options *options, *inet_options;
    struct inet_address local, peer;
    struct datagram *queue, **queue_end;
};

struct look {
    struct description *d;
    char *buffer; /* scratch, DATAGRAM_MAX */
};

static bool udp_claim(const struct description *d)
{
    return S_ISSOCK(d->st.st_mode) && (d->domain == AF_INET || d->domain == AF_INET6) && d->protocol == IPPROTO_UDP;
}

/* --- checkpoint, in the executor --- */

static bool has_error(int fd)
{
    struct pollfd poll = {.fd = fd};
    struct timespec now = {0};

    return syscall6(__NR_ppoll, (long)&poll, 1, (long)&now, 0, 8, 0) > 0 && (poll.revents & POLLERR);
}

static long peek_queue(int fd, struct udp_state *state, char *buffer)
{
    for (;;) {
        struct inet_address from = {.size = 0};
        struct iovec part = {buffer, DATAGRAM_MAX};
        struct msghdr header = {.msg_name = &from.any, .msg_namelen = sizeof from.v6, .msg_iov = &part, .msg_iovlen = 1};
        long n = syscall3(__NR_recvmsg, fd, (long)&header, MSG_PEEK | MSG_DONTWAIT);

        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return n;
        struct datagram *datagram = arena_alloc(sizeof *datagram + (size_t)n);
        if (!datagram)
            return -ENOMEM;
        from.size = header.msg_namelen;
        *datagram = (struct datagram){.from = from, .size = (unsigned)n};
        memcpy(datagram->bytes, buffer, (size_t)n);
        *state->queue_end = datagram;
        state->queue_end = &datagram->next;
    }
}

static long save_here(void *argument)
{
    struct look *look = argument;
    struct udp_state *state = look->d->own;
    int fd = look->d->first, from = 0;

    inet_address_take(fd, __NR_getsockname, &state->local);
    inet_address_take(fd, __NR_getpeername, &state->peer);
    state->options = sock_options_save(fd, NULL, 0);
    state->inet_options = sock_options_save(fd, inet_option_rows, inet_option_row_count);
    if (!state->options || !state->inet_options)
        return -ENOMEM;
    /* To look at the queue would take the error away, which the program has not seen. */
    if (has_error(fd))
        return 0;
    const int *off = sock_options_find(state->options, SOL_SOCKET, SO_PEEK_OFF);
    sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
    long error = peek_queue(fd, state, look->buffer);
    if (off)
        sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, off, sizeof *off);
    return error;
}

static long udp_save(struct description *d, char *problem, size_t size)
{
    struct udp_state *state = d->own = arena_alloc(sizeof *state);
    struct look look = {.d = d, .buffer = scratch_map(DATAGRAM_MAX, false)};
    long error = -ENOMEM;

    if (state && look.buffer) {
        *state = (struct udp_state){0};
        state->queue_end = &state->queue;
        error = fd_call(d, save_here, &look);
    }
    if (look.buffer)
        scratch_unmap(look.buffer, DATAGRAM_MAX);
    if (error)
        fmt(problem, size, "descriptor %d (%s): its state can't be read: %e", d->first, d->link, (int)error);
    return error;
}

/* --- restart, in the executor --- */

static long take_place(int fd, const struct udp_state *state)
{
    long error = 0;

    if (inet_is_bound(&state->local))
        error = syscall3(__NR_bind, fd, (long)&state->local.any, state->local.size);
    if (!error && state->peer.size)
        error = sys_connect(fd, &state->peer.any, state->peer.size);
    return error;
}

static long udp_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct udp_state *state = d->own;
    const struct sock_options *options = state->options;
    long fd = sys_socket((int)options->domain, (int)options->type | SOCK_CLOEXEC, (int)options->protocol);

    if (fd < 0) {
        fmt(problem, size, "descriptor %d (%s): a UDP socket can't be made: %e", d->first, d->link, (int)fd);
        return fd;
    }
    sock_options_set((int)fd, options, SOCK_BEFORE_BIND, d->link);
    sock_options_set((int)fd, state->inet_options, SOCK_BEFORE_BIND, d->link);
    long error = take_place((int)fd, state);
    if (error) {
        fmt(problem, size, "descriptor %d (%s): UDP port %u can't be bound again: %e%s", d->first, d->link, inet_port(&state->local), (int)error,
            error == -EADDRINUSE ? "; end the process that uses it, then restart" : "");
        sys_close((int)fd);
        return error;
    }
    sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    return fd_lift(fd, low);
}

/* A socket of this process that has the address already. */
static int own_socket(const struct inet_address *address)
{
    for (const struct description *d = fd_descriptions(); d; d = d->next)
        if (d->kind == &fd_udp && !d->received && !d->foreign) {
            const struct udp_state *state = d->own;
            if (inet_same(&state->local, address))
                return d->first;
        }
    return -1;
}

/* From its old sender's address, be the sender here or gone. */
static long send_again(const struct udp_state *state, const struct datagram *datagram)
{
    int sender = own_socket(&datagram->from), on = 1;
    long own = -1, error = 0;

    if (sender < 0) {
        own = sys_socket(datagram->from.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (own < 0)
            return own;
        sender = (int)own;
        sys_setsockopt(sender, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
        error = syscall3(__NR_bind, sender, (long)&datagram->from.any, datagram->from.size);
    }
    if (!error)
        error = sys_sendto(sender, datagram->bytes, datagram->size, MSG_DONTWAIT | MSG_NOSIGNAL, &state->local.any, state->local.size);
    if (own >= 0)
        sys_close((int)own);
    return error < 0 ? error : 0;
}

static long udp_connect(struct description *d, char *problem, size_t size)
{
    const struct udp_state *state = d->own;
    unsigned lost = 0;
    long error = 0;

    for (const struct datagram *datagram = state->queue; datagram; datagram = datagram->next) {
        long failed = send_again(state, datagram);
        if (failed) {
            error = failed;
            lost++;
        }
    }
    /* What UDP may do at any time. */
    if (lost)
        log_warn("%s: %u queued datagrams are lost, their senders' addresses can't be used here: %e", d->link, lost, (int)error);
    sock_options_set(d->first, state->options, SOCK_AFTER, d->link);
    sock_options_set(d->first, state->inet_options, SOCK_AFTER, d->link);
    return 0;
}

const struct fd_kind fd_udp = {.name = "UDP socket", .claim = udp_claim, .save = udp_save, .restore = udp_restore, .connect = udp_connect};
