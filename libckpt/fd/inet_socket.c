/* TCP sockets without a connection (new, bound, listening) and UDP sockets. A TCP connection is refused. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "inet_options.h"
#include "log.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>

#define LOG_MODULE "fd"

enum { TCP_STATE_CLOSE = 7, TCP_STATE_LISTEN = 10 }; /* net/tcp_states.h of the kernel */
#define DATAGRAM_MAX 65536u

struct inet_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    unsigned size; /* 0: none */
};

struct datagram {
    struct datagram *next;
    struct inet_address from;
    unsigned size;
    char bytes[];
};

struct inet_state {
    struct sock_options *options, *inet_options;
    struct inet_address local, peer;
    bool listening;
    int backlog;
    struct datagram *queue, **queue_end;
};

struct look {
    struct description *d;
    int type, protocol, tcp_state;
    char *buffer; /* scratch, DATAGRAM_MAX */
};

static int number(int fd, int name)
{
    int value = -1;
    unsigned size = sizeof value;

    sys_getsockopt(fd, SOL_SOCKET, name, &value, &size);
    return value;
}

static bool tcp_info(int fd, struct tcp_info *info)
{
    unsigned size = sizeof *info;

    *info = (struct tcp_info){0};
    return sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

/* In the executor. */
static long look_here(void *argument)
{
    struct look *look = argument;
    struct tcp_info info;

    look->type = number(look->d->first, SO_TYPE);
    look->protocol = number(look->d->first, SO_PROTOCOL);
    look->tcp_state = look->protocol == IPPROTO_TCP && tcp_info(look->d->first, &info) ? info.tcpi_state : TCP_STATE_CLOSE;
    return 0;
}

static bool inet_claim(const struct description *d)
{
    struct look look = {.d = (struct description *)d};

    if (!S_ISSOCK(d->st.st_mode) || (d->domain != AF_INET && d->domain != AF_INET6) || fd_call(d, look_here, &look) < 0)
        return false;
    return (look.type == SOCK_STREAM && look.protocol == IPPROTO_TCP) || (look.type == SOCK_DGRAM && look.protocol == IPPROTO_UDP);
}

static long inet_check(const struct description *d, char *problem, size_t size)
{
    struct look look = {.d = (struct description *)d};
    long error = fd_call(d, look_here, &look);

    if (error || look.tcp_state == TCP_STATE_CLOSE || look.tcp_state == TCP_STATE_LISTEN)
        return error;
    fmt(problem, size, "descriptor %d (%s) is a TCP connection, which can't be restored; close it before a checkpoint", d->first, d->link);
    return -EOPNOTSUPP;
}

/* --- checkpoint, in the executor --- */

static void take_address(int fd, long call, struct inet_address *address)
{
    *address = (struct inet_address){.size = sizeof address->v6};
    if (syscall3(call, fd, (long)&address->any, (long)&address->size) < 0)
        address->size = 0;
}

static bool has_error(int fd)
{
    struct pollfd poll = {.fd = fd};
    struct timespec now = {0};

    return syscall6(__NR_ppoll, (long)&poll, 1, (long)&now, 0, 8, 0) > 0 && (poll.revents & POLLERR);
}

static long peek_queue(int fd, struct inet_state *state, char *buffer)
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
    struct inet_state *state = look->d->own;
    struct tcp_info info;
    int fd = look->d->first, from = 0;

    take_address(fd, __NR_getsockname, &state->local);
    take_address(fd, __NR_getpeername, &state->peer);
    state->options = sock_options_save(fd, NULL, 0);
    state->inet_options = sock_options_save(fd, inet_option_rows, inet_option_row_count);
    if (!state->options || !state->inet_options)
        return -ENOMEM;
    if (state->options->type == SOCK_STREAM) {
        state->listening = tcp_info(fd, &info) && info.tcpi_state == TCP_STATE_LISTEN;
        state->backlog = (int)info.tcpi_sacked; /* of a listening socket: its limit */
        return 0;
    }
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

static long inet_save(struct description *d, char *problem, size_t size)
{
    struct inet_state *state = d->own = arena_alloc(sizeof *state);
    struct look look = {.d = d, .buffer = scratch_map(DATAGRAM_MAX, false)};
    long error = -ENOMEM;

    if (state && look.buffer) {
        *state = (struct inet_state){0};
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

static unsigned port(const struct inet_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

/* A port, an address, or both: IP_BIND_ADDRESS_NO_PORT has the second alone. */
static bool is_bound(const struct inet_address *address)
{
    static const struct in6_addr wild;

    if (!address->size || port(address))
        return address->size;
    return address->any.sa_family == AF_INET6 ? memcmp(&address->v6.sin6_addr, &wild, sizeof wild) != 0 : address->v4.sin_addr.s_addr != 0;
}

static long take_place(int fd, const struct inet_state *state)
{
    const int *reuse = sock_options_find(state->options, SOL_SOCKET, SO_REUSEADDR);
    bool stream = state->options->type == SOCK_STREAM;
    int on = 1;
    long error = 0;

    /* Connections of the program that was ended may linger in TIME_WAIT: no reason to wait for them. */
    if (stream)
        sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_bound(&state->local))
        error = syscall3(__NR_bind, fd, (long)&state->local.any, state->local.size);
    if (!error && state->listening)
        error = syscall3(__NR_listen, fd, state->backlog, 0);
    if (!error && !stream && state->peer.size)
        error = sys_connect(fd, &state->peer.any, state->peer.size);
    if (stream && reuse)
        sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, reuse, sizeof *reuse);
    return error;
}

static long inet_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct inet_state *state = d->own;
    const struct sock_options *options = state->options;
    const char *protocol = options->type == SOCK_STREAM ? "TCP" : "UDP";
    long fd = sys_socket((int)options->domain, (int)options->type | SOCK_CLOEXEC, (int)options->protocol);

    if (fd < 0) {
        fmt(problem, size, "descriptor %d (%s): a %s socket can't be made: %e", d->first, d->link, protocol, (int)fd);
        return fd;
    }
    sock_options_set((int)fd, options, SOCK_BEFORE_BIND, d->link);
    sock_options_set((int)fd, state->inet_options, SOCK_BEFORE_BIND, d->link);
    long error = take_place((int)fd, state);
    if (error) {
        fmt(problem, size, "descriptor %d (%s): %s port %u can't be bound again: %e%s", d->first, d->link, protocol, port(&state->local), (int)error,
            error == -EADDRINUSE ? "; end the process that uses it, then restart" : "");
        sys_close((int)fd);
        return error;
    }
    sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    return fd_lift(fd, low);
}

static bool same_address(const struct inet_address *a, const struct inet_address *b)
{
    return a->size == b->size && memcmp(&a->any, &b->any, a->size) == 0;
}

/* A socket of this process that has the address already. */
static int own_socket(const struct inet_address *address)
{
    for (const struct description *d = fd_descriptions(); d; d = d->next)
        if (d->kind == &fd_inet && !d->received && !d->foreign) {
            const struct inet_state *state = d->own;
            if (state->options->type == SOCK_DGRAM && same_address(&state->local, address))
                return d->first;
        }
    return -1;
}

/* From its old sender's address, be the sender here or gone. */
static long send_again(const struct inet_state *state, const struct datagram *datagram)
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

static long inet_connect(struct description *d, char *problem, size_t size)
{
    const struct inet_state *state = d->own;
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

const struct fd_kind fd_inet = {.name = "internet socket",
                               .claim = inet_claim, .check = inet_check, .save = inet_save, .restore = inet_restore, .connect = inet_connect};
