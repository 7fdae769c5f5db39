/* TCP sockets made again, all of a host by one process.
 *
 * First the connections: one end listens for a moment on its old address, the other connects from its own. While that goes on none of the
 * program's sockets listens, so accepted connections, which share the port of the socket that they were accepted from, are made like any other.
 * Then what was queued is sent, halves are closed. Then those sockets that are bound or listen, with what waited to be accepted; then connections that
 * were still being made. SO_REUSEADDR is set on all until the end: without it their ports would be in each other's way.
 *
 * A connection whose other end is not here is made too, to a socket of ours that sends what had not been read, and resets it. */
#include "tcp_socket.h"

#include "fd.h"
#include "fmt.h"
#include "log.h"
#include "str.h"
#include "sys.h"
#include "tcp_port.h"

#define LOG_MODULE "fd"
#define CLEAR_NS 3000000000ull /* for all */
#define HANDSHAKE_S 4 /* the kernel repeats after one second what one of its old connections has swallowed */

#define EACH(s) struct tcp_state *s = first_state(fd_descriptions()); s; s = first_state(s->description->next)

static struct tcp_state *first_state(struct description *d)
{
    for (; d; d = d->next) {
        struct tcp_state *state = tcp_state(d);
        if (state) {
            state->description = d;
            return state;
        }
    }
    return NULL;
}

static void set(int fd, int level, int name, int value)
{
    sys_setsockopt(fd, level, name, &value, sizeof value);
}

/* With what counts before it is bound. */
static long make_socket(const struct tcp_state *s)
{
    long fd = sys_socket((int)s->options->domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd < 0)
        return fd;
    sock_options_set((int)fd, s->options, SOCK_BEFORE_BIND, s->description->link);
    sock_options_set((int)fd, s->inet_options, SOCK_BEFORE_BIND, s->description->link);
    set((int)fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return fd;
}

/* --- ports --- */

struct ports {
    uint64_t bit[65536 / 64];
    uint64_t until_ns;
    unsigned ended;
};

static long end_if_ours(const struct tcp_diag *old, void *argument)
{
    struct ports *ports = argument;
    unsigned port = ntohs(old->local.port);

    if (ports->bit[port / 64] >> (port % 64) & 1)
        tcp_end_lingering(old, &ports->ended);
    return sys_now_ns(CLOCK_MONOTONIC) > ports->until_ns;
}

/* While nothing listens: later a listening socket's port can't be connected from. */
static void clear_all_ports(void)
{
    struct ports ports = {.until_ns = sys_now_ns(CLOCK_MONOTONIC) + CLEAR_NS};

    for (EACH(s)) {
        unsigned port = s->local.size ? inet_port(&s->local) : 0;
        ports.bit[port / 64] |= port ? 1ull << (port % 64) : 0;
    }
    /* One may be in another's way. */
    do {
        ports.ended = 0;
        tcp_diag_each(0, 1u << TCP_IS_TIME_WAIT, end_if_ours, &ports);
    } while (ports.ended && sys_now_ns(CLOCK_MONOTONIC) < ports.until_ns);
}

/* --- one connection --- */

/* An end of a connection to be: of a socket of the program, or of ours. */
struct end {
    struct tcp_state *state; /* NULL: ours */
    struct inet_address local;
    int fd;
};

static long end_socket(const struct end *end)
{
    if (end->state)
        return make_socket(end->state);
    long fd = sys_socket(end->local.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd >= 0)
        set((int)fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return fd;
}

static long listen_at(const struct inet_address *address)
{
    long fd = sys_socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd < 0)
        return fd;
    set((int)fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->any.sa_family == AF_INET6)
        set((int)fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    long error = syscall3(__NR_bind, fd, (long)&address->any, address->size);
    if (!error)
        error = syscall3(__NR_listen, fd, 16, 0);
    if (error)
        sys_close((int)fd);
    return error ? error : fd;
}

/* The one that comes from `from`; others are strangers. */
static long accept_from(int gate, const struct inet_place *from)
{
    struct pollfd ready = {.fd = gate, .events = POLLIN};
    uint64_t end = sys_now_ns(CLOCK_MONOTONIC) + HANDSHAKE_S * 1000000000ull;

    for (;;) {
        struct timespec wait = {.tv_nsec = 100000000};
        struct inet_address peer;
        if (sys_ppoll(&ready, 1, &wait) > 0) {
            long fd = syscall6(__NR_accept4, gate, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
            if (fd < 0)
                return fd;
            inet_address_take((int)fd, __NR_getpeername, &peer);
            struct inet_place place = inet_place(&peer);
            if (inet_same_place(&place, from))
                return fd;
            sys_close((int)fd);
        }
        if (sys_now_ns(CLOCK_MONOTONIC) > end)
            return -ETIMEDOUT;
    }
}

/* How far the old addresses are kept to. */
enum freedom { OLD_BOTH, OLD_ACCEPTING, OLD_CONNECTING, NEW_BOTH };

/* `a` connects, `b` accepts. */
static long join(struct end *a, struct end *b, enum freedom freedom)
{
    struct inet_address at = b->local, target = a->local, local;

    if (freedom == OLD_CONNECTING) {
        at = a->local; /* its host will be reached */
        inet_set_port(&at, 0);
        struct inet_place place = inet_place(&at);
        at = inet_address_of(&place, b->local.any.sa_family);
    } else if (freedom == NEW_BOTH) {
        at = inet_loopback(&b->local);
    }
    long gate = listen_at(&at), fd = gate < 0 ? gate : end_socket(a), error = fd < 0 ? fd : 0;
    if (!error) {
        a->fd = (int)fd;
        inet_address_take((int)gate, __NR_getsockname, &at);
        struct inet_place place = inet_place(&at);
        target = inet_address_of(&place, a->local.any.sa_family);
        if (target.any.sa_family == AF_INET6)
            target.v6.sin6_scope_id = at.any.sa_family == AF_INET6 ? at.v6.sin6_scope_id : 0;
    }
    if (!error && (freedom == OLD_BOTH || freedom == OLD_CONNECTING))
        error = tcp_connect_from((int)fd, &a->local, &target);
    else if (!error)
        error = sys_connect((int)fd, &target.any, target.size);
    if (!error || error == -EINPROGRESS) {
        inet_address_take((int)fd, __NR_getsockname, &local);
        struct inet_place from = inet_place(&local);
        error = accept_from((int)gate, &from);
    }
    if (error >= 0)
        b->fd = (int)error;
    else if (fd >= 0)
        sys_close((int)fd);
    if (gate >= 0)
        sys_close((int)gate);
    if (error < 0)
        log_trace("from port %u to port %u, freedom %d, gate %d: %e", inet_port(&a->local), inet_port(&at), freedom, (int)gate, (int)error);
    return error < 0 ? error : 0;
}

/* A socket that was accepted here has the options of the one that listened. */
static void give_options(const struct end *end)
{
    tcp_unshare(end->fd);
    if (!end->state)
        return;
    sock_options_set(end->fd, end->state->options, SOCK_BEFORE_BIND, end->state->description->link);
    sock_options_set(end->fd, end->state->inet_options, SOCK_BEFORE_BIND, end->state->description->link);
    set(end->fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/* With the old addresses if that is possible at all. */
static long join_somehow(struct end *a, struct end *b, bool both_ours)
{
    long error = join(a, b, OLD_BOTH);

    if (error == -EADDRINUSE || error == -EADDRNOTAVAIL) {
        tcp_clear_port(&a->local);
        tcp_clear_port(&b->local);
        error = join(a, b, OLD_BOTH);
    }
    if (error && both_ours)
        error = join(b, a, OLD_BOTH);
    if (error && both_ours)
        error = join(a, b, OLD_ACCEPTING);
    if (error && both_ours)
        error = join(b, a, OLD_ACCEPTING);
    if (error)
        error = join(a, b, OLD_CONNECTING);
    if (error)
        error = join(a, b, NEW_BOTH);
    if (!error) {
        give_options(a);
        give_options(b);
    }
    return error;
}

static void tell_new_port(const struct tcp_state *s)
{
    struct inet_address now;

    inet_address_take(s->fd, __NR_getsockname, &now);
    if (inet_port(&now) != inet_port(&s->local))
        log_warn("%s: TCP port %u is in use here, the connection has port %u now", s->description->link, inet_port(&s->local), inet_port(&now));
}

/* --- what was queued --- */

static long fill(int from, const struct tcp_state *to)
{
    uint32_t before = to->urgent ? to->urgent_at : to->size;

    if (to->size > 65536)
        tcp_widen(to->fd, 2 * (size_t)to->size);
    long error = tcp_send_all(from, to->bytes, before);
    if (!error && to->urgent)
        error = sys_sendto(from, &to->urgent_byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    return error < 0 ? error : tcp_send_all(from, to->bytes + before, to->size - before);
}

static void close_halves(const struct tcp_state *s)
{
    bool received_end = s->state == TCP_IS_CLOSE_WAIT || s->state == TCP_IS_LAST_ACK || s->state == TCP_IS_CLOSING || s->state == TCP_IS_TIME_WAIT;

    if (tcp_has_sent_end(s->state))
        syscall3(__NR_shutdown, s->fd, 1 /* SHUT_WR */, 0);
    if (s->read_closed && !received_end)
        syscall3(__NR_shutdown, s->fd, 0 /* SHUT_RD */, 0);
}

static long cannot(const struct tcp_state *s, long error, char *problem, size_t size)
{
    char text[48];

    fmt(text, sizeof text, "descriptor %d ", s->description->first);
    if (error == -ENOBUFS)
        fmt(problem, size, "%s(%s): what was on its way through the TCP connection does not fit into the buffers here; raise net.core.wmem_max and "
            "net.core.rmem_max, then restart", s->description->first < 0 ? "" : text, s->description->link);
    else
        fmt(problem, size, "%s(%s): the TCP connection can't be made again: %e", s->description->first < 0 ? "" : text, s->description->link,
            (int)error);
    return error;
}

static long make_pair(struct tcp_state *s, char *problem, size_t size)
{
    struct end a = {.state = s, .local = s->local}, b = {.state = s->mate, .local = s->mate->local};
    long error = join_somehow(&a, &b, true);

    if (error)
        return cannot(s, error, problem, size);
    s->fd = a.fd;
    s->mate->fd = b.fd;
    tell_new_port(s);
    tell_new_port(s->mate);
    error = fill(s->fd, s->mate);
    if (!error)
        error = fill(s->mate->fd, s);
    close_halves(s);
    close_halves(s->mate);
    return error ? cannot(s, error, problem, size) : 0;
}

/* Connected to itself, as two who connect at once are. */
static long make_circle(struct tcp_state *s, char *problem, size_t size)
{
    long fd = make_socket(s), error = fd < 0 ? fd : tcp_bind_again((int)fd, &s->local);

    s->fd = (int)fd;
    if (!error)
        error = sys_connect(s->fd, &s->peer.any, s->peer.size);
    if (!error || error == -EINPROGRESS)
        error = fill(s->fd, s);
    close_halves(s);
    return error ? cannot(s, error, problem, size) : 0;
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};

    sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    sys_close(fd);
}

/* SO_ERROR of a connection that was refused. */
static long make_refused(struct tcp_state *s, char *problem, size_t size)
{
    struct inet_address nobody;
    struct pollfd done = {.events = POLLOUT};
    struct timespec patience = {.tv_sec = 1};
    long fd = make_socket(s), other = fd < 0 ? fd : sys_socket((int)s->options->domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

    s->fd = (int)fd;
    if (other < 0)
        return cannot(s, other, problem, size);
    if (!s->local.size)
        s->local = (struct inet_address){.any.sa_family = (sa_family_t)s->options->domain, .size = sizeof s->local.v6};
    nobody = inet_loopback(&s->local);
    syscall3(__NR_bind, other, (long)&nobody.any, nobody.size);
    inet_address_take((int)other, __NR_getsockname, &nobody);
    sys_connect(s->fd, &nobody.any, nobody.size);
    done.fd = s->fd;
    sys_ppoll(&done, 1, &patience);
    sys_close((int)other);
    return 0;
}

static void forget_error(int fd)
{
    int error;
    unsigned size = sizeof error;

    sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

/* Its peer is not here: outside of the computation, or gone already. */
static long make_gone(struct tcp_state *s, char *problem, size_t size)
{
    struct end a = {.state = s, .local = s->local}, b = {.local = s->peer.size ? s->peer : inet_loopback(&s->local)};
    bool ended = s->state == TCP_IS_CLOSE_WAIT || s->state == TCP_IS_LAST_ACK || s->state == TCP_IS_CLOSING || s->state == TCP_IS_TIME_WAIT;
    long error = join_somehow(&a, &b, false);

    if (error)
        return cannot(s, error, problem, size);
    s->fd = a.fd;
    error = fill(b.fd, s);
    close_halves(s);
    if (ended)
        sys_close(b.fd);
    else
        reset(b.fd);
    if (s->state == TCP_IS_CLOSE && !s->error)
        forget_error(s->fd);
    return error ? cannot(s, error, problem, size) : 0;
}

/* --- the rest --- */

static long make_unconnected(struct tcp_state *s, char *problem, size_t size)
{
    long fd = make_socket(s), error = fd < 0 ? fd : 0;

    s->fd = (int)fd;
    if (!error && inet_is_bound(&s->local))
        error = tcp_bind_again(s->fd, &s->local);
    if (!error && s->state == TCP_IS_LISTEN)
        error = syscall3(__NR_listen, fd, s->backlog, 0);
    if (error)
        fmt(problem, size, "descriptor %d (%s): TCP port %u can't be bound again: %e%s", s->description->first, s->description->link,
            inet_port(&s->local), (int)error, error == -EADDRINUSE ? "; end the process that uses it, then restart" : "");
    return error;
}

/* To a socket that listens by now. */
static long make_waiting(struct tcp_state *s, char *problem, size_t size)
{
    long fd = make_socket(s), error = fd < 0 ? fd : tcp_connect_from((int)fd, &s->local, &s->peer);
    struct pollfd ready = {.fd = (int)fd, .events = POLLOUT};
    struct timespec patience = {.tv_sec = HANDSHAKE_S};

    if (fd >= 0 && (error == -EADDRINUSE || error == -EADDRNOTAVAIL)) {
        sys_close((int)fd);
        fd = make_socket(s);
        ready.fd = (int)fd;
        error = fd < 0 ? fd : sys_connect((int)fd, &s->peer.any, s->peer.size);
    }
    s->fd = (int)fd;
    if (error == -EINPROGRESS)
        error = sys_ppoll(&ready, 1, &patience) > 0 ? 0 : -ETIMEDOUT;
    if (!error)
        error = tcp_send_all(s->fd, s->at_listener->bytes, s->at_listener->size);
    if (!error)
        tell_new_port(s);
    close_halves(s);
    return error ? cannot(s, error, problem, size) : 0;
}

/* Still under way: begins again, and whatever becomes of it is told by the socket. */
static long make_connecting(struct tcp_state *s, char *problem, size_t size)
{
    long fd = make_socket(s);

    s->fd = (int)fd;
    if (fd < 0)
        return cannot(s, fd, problem, size);
    long error = tcp_connect_from(s->fd, &s->local, &s->peer);
    if (error == -EADDRINUSE || error == -EADDRNOTAVAIL)
        sys_connect(s->fd, &s->peer.any, s->peer.size);
    return 0;
}

/* --- which is which --- */

static bool is_dead(const struct tcp_state *s)
{
    return s->state == TCP_IS_CLOSE && (s->read_closed || s->error);
}

static bool is_joined(const struct tcp_state *s)
{
    return tcp_is_connection(s->state) && s->local.size && s->peer.size;
}

static bool wants_pair(const struct tcp_state *s)
{
    return s->mate && s->mate != s;
}

static bool wants_circle(const struct tcp_state *s)
{
    return s->mate == s;
}

static bool wants_gone(const struct tcp_state *s)
{
    return !s->mate && !s->at_listener && s->local.size && (is_joined(s) || (is_dead(s) && s->was_connected));
}

static bool wants_place(const struct tcp_state *s)
{
    return s->state == TCP_IS_LISTEN || (s->state == TCP_IS_CLOSE && !is_dead(s));
}

static bool wants_refusal(const struct tcp_state *s)
{
    return is_dead(s) && !s->mate && !s->at_listener;
}

static bool wants_listener(const struct tcp_state *s)
{
    return s->at_listener;
}

static bool is_connecting(const struct tcp_state *s)
{
    return s->state == TCP_IS_SYN_SENT;
}

static bool is_any(const struct tcp_state *s)
{
    return true;
}

/* In this order. */
static const struct {
    bool (*which)(const struct tcp_state *s);
    long (*make)(struct tcp_state *s, char *problem, size_t size);
} steps[] = {
    {wants_pair, make_pair}, {wants_circle, make_circle}, {wants_gone, make_gone}, {wants_refusal, make_refused}, {wants_place, make_unconnected},
    {wants_listener, make_waiting}, {is_connecting, make_connecting}, {is_any, make_unconnected},
};

static void find_mate(struct tcp_state *s)
{
    struct inet_place local = inet_place(&s->local), peer = inet_place(&s->peer);

    for (EACH(other)) {
        struct inet_place there = inet_place(&other->local), back = inet_place(&other->peer);
        if (is_joined(other) && !other->mate && inet_same_place(&there, &peer) && inet_same_place(&back, &local)) {
            s->mate = other;
            other->mate = s;
            return;
        }
    }
    for (EACH(listener))
        for (const struct tcp_waiting *at = listener->waiting; at; at = at->next)
            if (listener->state == TCP_IS_LISTEN && at->inode == s->description->st.st_ino)
                s->at_listener = at;
}

static void finish(struct tcp_state *s)
{
    const char *link = s->description->link;
    const int *reuse = sock_options_find(s->options, SOL_SOCKET, SO_REUSEADDR);

    if (reuse)
        set(s->fd, SOL_SOCKET, SO_REUSEADDR, *reuse);
    sock_options_set(s->fd, s->options, SOCK_AFTER, link);
    sock_options_set(s->fd, s->inet_options, SOCK_AFTER, link);
    sys_fcntl(s->fd, F_SETFL, (long)s->description->flags);
}

long tcp_make_all(char *problem, size_t size)
{
    long error = 0;

    for (EACH(s)) {
        s->fd = -1;
        s->mate = NULL;
        s->at_listener = NULL;
    }
    for (EACH(s))
        if (!s->mate && is_joined(s))
            find_mate(s);
    clear_all_ports();
    for (unsigned i = 0; i < sizeof steps / sizeof *steps && !error; i++)
        for (EACH(s))
            if (s->fd < 0 && !error && steps[i].which(s))
                error = steps[i].make(s, problem, size);
    for (EACH(s))
        if (!error)
            finish(s);
    return error;
}
