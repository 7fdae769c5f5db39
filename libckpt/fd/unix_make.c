/* Unix sockets made again, all of a host by one process: first every socket with its name and its connection, so that the others can be given
 * theirs; then, when descriptors have been passed around, the queues, one-sided connections, closed halves, and options.
 *
 * A connection under a name was accepted from a socket that listened there, and is again: no other way gives it that name while another
 * has it. Where the listener is gone, one is made for the while. A peer outside of the computation is one that went away. */
#include "unix_socket.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "log.h"
#include "str.h"
#include "sys.h"
#include "unix_flight.h"
#include "vpid.h"

#define LOG_MODULE "fd"

struct gate { /* a listening socket */
    struct gate *next;
    uint32_t type;
    struct unix_name name;
    int fd;
};

static struct gate *gates;

#define EACH(s) struct unix_state *s = first_state(fd_descriptions()); s; s = first_state(s->description->next)

static struct unix_state *first_state(struct description *d)
{
    for (; d; d = d->next) {
        struct unix_state *state = unix_state(d);
        if (state) {
            state->description = d;
            return state;
        }
    }
    return NULL;
}

static struct unix_state *by_inode(uint32_t inode)
{
    for (EACH(s))
        if (inode && s->description->st.st_ino == inode)
            return s;
    return NULL;
}

static bool same_name(const struct unix_name *a, const struct unix_name *b)
{
    return a->size == b->size && !memcmp(a->path, b->path, a->size);
}

static long new_socket(uint32_t type)
{
    return sys_socket(AF_UNIX, (int)type | SOCK_CLOEXEC, 0);
}

/* A queue fills the sender's allowance, which may have been larger when it was filled. */
static void widen(int fd)
{
    int room = 1 << 26;

    sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
}

static long make_one(struct unix_state *s)
{
    long fd = s->fd >= 0 ? s->fd : new_socket(s->diag.type);

    s->fd = (int)fd;
    if (fd >= 0)
        sock_options_set((int)fd, s->options, SOCK_BEFORE_BIND, s->description->link);
    return fd < 0 ? fd : 0;
}

/* --- queues --- */

#define FLIGHT_MAX 253 /* SCM_MAX_FD */

struct outgoing {
    const struct unix_message *message;
    const struct unix_name *to; /* NULL: to its peer */
    uint32_t sent;
};

static void *add_control(struct msghdr *header, int type, size_t size)
{
    struct cmsghdr *head = (void *)((char *)header->msg_control + header->msg_controllen);

    header->msg_controllen += CMSG_SPACE(size);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(size);
    return CMSG_DATA(head);
}

static long send_part(int fd, const struct outgoing *out, bool with_credentials)
{
    char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FLIGHT_MAX * sizeof(int))] __attribute__((aligned(8)));
    const struct unix_message *message = out->message;
    struct sockaddr_un address;
    struct iovec part = {message->bytes + out->sent, message->size - out->sent};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};

    memset(control, 0, sizeof control);
    if (out->to) {
        header.msg_name = &address;
        header.msg_namelen = unix_address(out->to, &address);
    }
    if (with_credentials) {
        struct ucred *credentials = add_control(&header, SCM_CREDENTIALS, sizeof *credentials);
        *credentials = (struct ucred){vpid_to_real(message->pid), message->uid, message->gid};
    }
    if (message->flight_count && !out->sent && message->flight_count <= FLIGHT_MAX) {
        int *fds = add_control(&header, SCM_RIGHTS, message->flight_count * sizeof *fds);
        for (uint32_t i = 0; i < message->flight_count; i++)
            fds[i] = flight_arrived(message->holder, message->flight[i]);
    }
    if (!header.msg_controllen)
        header.msg_control = NULL;
    return sys_sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long send_message(int fd, const struct unix_message *message, const struct unix_name *to)
{
    struct outgoing out = {.message = message, .to = to};

    do {
        long n = send_part(fd, &out, message->credentials);
        /* Only root may speak for another process, and nobody for one that has ended. */
        if (message->credentials && (n == -EPERM || n == -ESRCH))
            n = send_part(fd, &out, false);
        if (n < 0)
            return n;
        out.sent += (uint32_t)n;
    } while (out.sent < message->size);
    return 0;
}

/* --- connections --- */

static long listen_on(int fd, unsigned backlog)
{
    return syscall3(__NR_listen, fd, (long)backlog, 0);
}

static long gate_of(const struct unix_state *server, char *problem, size_t size)
{
    struct gate *gate = gates;

    while (gate && (gate->type != server->diag.type || !same_name(&gate->name, &server->name)))
        gate = gate->next;
    if (gate)
        return gate->fd;
    gate = arena_alloc(sizeof *gate);
    if (!gate)
        return -ENOMEM;
    *gate = (struct gate){.type = server->diag.type, .name = server->name, .fd = -1};
    for (EACH(s))
        if (s->diag.listening && s->diag.type == gate->type && same_name(&s->name, &gate->name)) {
            gate->fd = s->fd;
            break;
        }
    if (gate->fd < 0) {
        gate->fd = (int)new_socket(gate->type);
        if (gate->fd < 0)
            return gate->fd;
        long error = server->has_file ? unix_bind_name(gate->fd, server, problem, size) : unix_bind_passing(gate->fd, &gate->name);
        if (!error)
            error = listen_on(gate->fd, 8);
        if (error)
            return error;
    }
    gate->next = gates;
    gates = gate;
    return gate->fd;
}

static bool is_listening(const struct unix_state *l)
{
    return l->diag.listening;
}

static bool has_listener(const struct unix_state *s)
{
    for (EACH(l))
        if (is_listening(l) && l->diag.type == s->diag.type && same_name(&l->name, &s->name))
            return true;
    return false;
}

/* Of a connection's ends: is `a` the one that was accepted? */
static bool accepted(const struct unix_state *a, const struct unix_state *b)
{
    if (!a->name.size || !b->name.size)
        return a->name.size != 0;
    return has_listener(a) || !has_listener(b);
}

/* client may be NULL: gone. */
static long connect_by_name(struct unix_state *server, struct unix_state *client, char *problem, size_t size)
{
    long gate = gate_of(server, problem, size), error = gate < 0 ? gate : 0;
    long fd = error ? error : client ? make_one(client) : new_socket(server->diag.type);

    if (fd < 0)
        return fd;
    if (client)
        fd = client->fd;
    if (client && client->name.size)
        error = unix_bind_name((int)fd, client, problem, size);
    if (!error)
        error = unix_reach((int)fd, &server->name);
    if (!error)
        error = syscall6(__NR_accept4, gate, 0, 0, SOCK_CLOEXEC, 0, 0);
    if (error < 0)
        return error;
    server->fd = (int)error;
    if (!client)
        server->other = (int)fd;
    return make_one(server);
}

static long connect_pair(struct unix_state *s, struct unix_state *peer, char *problem, size_t size)
{
    int ends[2];
    long error = syscall6(__NR_socketpair, AF_UNIX, (long)(s->diag.type | SOCK_CLOEXEC), 0, (long)ends, 0, 0);

    if (error)
        return error;
    s->fd = ends[0];
    if (peer)
        peer->fd = ends[1];
    else
        s->other = ends[1];
    make_one(s);
    if (peer)
        make_one(peer);
    if (s->diag.type != SOCK_DGRAM)
        return s->name.size && !s->connected ? unix_bind_name(s->fd, s, problem, size) : 0;
    error = unix_bind_name(s->fd, s, problem, size);
    return !error && peer ? unix_bind_name(peer->fd, peer, problem, size) : error;
}

static long make_connection(struct unix_state *s, char *problem, size_t size)
{
    struct unix_state *peer = s->peer;

    if (!peer && s->name.size && !(s->peer_name.size && !has_listener(s)))
        return connect_by_name(s, NULL, problem, size);
    if (!peer || (!s->name.size && !peer->name.size)) {
        long error = connect_pair(s, peer, problem, size);
        if (!error && !peer && s->name.size)
            error = unix_bind_name(s->fd, s, problem, size);
        return error;
    }
    return accepted(s, peer) ? connect_by_name(s, peer, problem, size) : connect_by_name(peer, s, problem, size);
}

static long make_listener(struct unix_state *s, char *problem, size_t size)
{
    long error = make_one(s);

    if (!error)
        error = unix_bind_name(s->fd, s, problem, size);
    return error ? error : listen_on(s->fd, 8);
}

/* Those that wait to be accepted, in their order. */
static long fill_backlog(struct unix_state *s, char *problem, size_t size)
{
    long error = 0;

    if (s->pending_count > s->diag.backlog)
        listen_on(s->fd, s->pending_count);
    else
        listen_on(s->fd, s->diag.backlog);
    for (uint32_t i = 0; i < s->pending_count && !error; i++) {
        struct unix_state *client = by_inode(s->pending[i]);
        long fd = client ? make_one(client) : new_socket(s->diag.type);
        if (fd < 0)
            return fd;
        if (client) {
            fd = client->fd;
            error = unix_bind_name(client->fd, client, problem, size);
        }
        if (!error)
            error = unix_reach((int)fd, &s->name);
        widen((int)fd);
        for (const struct unix_message *message = s->queue; message && !error; message = message->next)
            if (message->pending == i + 1)
                error = send_message((int)fd, message, NULL);
        if (!client)
            sys_close((int)fd);
    }
    if (s->pending_count > s->diag.backlog)
        listen_on(s->fd, s->diag.backlog);
    return error;
}

static bool mutual(const struct unix_state *s)
{
    return s->peer && s->peer->peer == s;
}

static long make_datagram(struct unix_state *s, char *problem, size_t size)
{
    /* Peers of each other, or one that could not have been found by a name: a pair from the beginning. */
    if ((mutual(s) && s->peer->fd < 0) || (s->connected && !s->diag.peer && !s->peer_name.size))
        return connect_pair(s, s->peer, problem, size);
    if (s->peer && !s->peer->name.size && s->peer->fd < 0)
        return connect_pair(s, s->peer, problem, size);
    long error = make_one(s);
    return error ? error : unix_bind_name(s->fd, s, problem, size);
}

static long make_unconnected(struct unix_state *s, char *problem, size_t size)
{
    long error = make_one(s);

    return error ? error : unix_bind_name(s->fd, s, problem, size);
}

static long each(bool (*which)(const struct unix_state *), long (*make)(struct unix_state *, char *, size_t), char *problem, size_t size)
{
    for (EACH(s)) {
        long error = s->fd < 0 && which(s) ? make(s, problem, size) : 0;
        if (error) {
            if (!problem[0])
                fmt(problem, size, "%s can't be made again: %e", s->description->link, (int)error);
            return error;
        }
    }
    return 0;
}

static bool is_connection(const struct unix_state *s)
{
    return s->connected && s->diag.type != SOCK_DGRAM && !s->in_backlog;
}

static bool is_datagram(const struct unix_state *s)
{
    return s->diag.type == SOCK_DGRAM;
}

static bool is_rest(const struct unix_state *s)
{
    return !s->in_backlog;
}

long unix_make_all(char *problem, size_t size)
{
    long error;

    gates = NULL;
    for (EACH(s)) {
        s->fd = s->other = -1;
        s->in_backlog = false;
        s->peer = by_inode(s->diag.peer);
    }
    for (EACH(l))
        for (uint32_t i = 0; i < l->pending_count; i++) {
            struct unix_state *client = by_inode(l->pending[i]);
            if (client)
                client->in_backlog = true;
        }
    error = each(is_listening, make_listener, problem, size);
    if (!error)
        error = each(is_connection, make_connection, problem, size);
    if (!error)
        error = each(is_datagram, make_datagram, problem, size);
    if (!error)
        error = each(is_rest, make_unconnected, problem, size);
    for (EACH(l))
        if (!error && l->diag.listening)
            error = fill_backlog(l, problem, size);
    for (struct gate *gate = gates; gate; gate = gate->next) {
        bool ours = false;
        for (EACH(s))
            ours |= s->fd == gate->fd;
        if (!ours)
            sys_close(gate->fd);
    }
    gates = NULL;
    if (error && !problem[0])
        fmt(problem, size, "unix sockets can't be made again: %e", (int)error);
    return error;
}

/* --- when descriptors have been passed around --- */

static struct unix_state *sender_of(const struct unix_message *message)
{
    if (message->from.size)
        for (EACH(s))
            if (s->diag.type == SOCK_DGRAM && same_name(&s->name, &message->from))
                return s;
    return NULL;
}

static long send_datagram(const struct unix_state *s, const struct unix_message *message)
{
    struct unix_state *sender = sender_of(message);
    long fd = sender ? sender->fd : new_socket(SOCK_DGRAM), error;

    if (fd < 0)
        return fd;
    if (!sender)
        unix_bind_passing((int)fd, &message->from); /* taken by a sender outside: the message comes without its name */
    widen((int)fd);
    /* Not by connect(2): to disconnect would empty the sender's own queue. */
    unix_enter(&s->name);
    error = send_message((int)fd, message, &s->name);
    unix_leave();
    if (!sender)
        sys_close((int)fd);
    return error;
}

static long fill(struct unix_state *s)
{
    int from = s->other;
    long error = 0;

    if (s->diag.listening)
        return 0;
    if (from < 0 && s->peer && (s->diag.type != SOCK_DGRAM || mutual(s) || !s->name.size))
        from = s->peer->fd;
    if (from >= 0)
        widen(from);
    for (const struct unix_message *message = s->queue; message && !error; message = message->next) {
        if (from >= 0)
            error = send_message(from, message, NULL);
        else if (s->name.size)
            error = send_datagram(s, message);
    }
    return error;
}

static long connect_datagram(struct unix_state *s)
{
    if (s->diag.type != SOCK_DGRAM || !s->connected || !s->peer_name.size || mutual(s))
        return 0;
    return unix_reach(s->fd, &s->peer_name);
}

long unix_complete_all(char *problem, size_t size)
{
    for (EACH(s)) {
        long error = fill(s);
        if (error) {
            fmt(problem, size, "what was queued in %s can't be put back: %e", s->description->link, (int)error);
            return error;
        }
    }
    for (EACH(s)) {
        connect_datagram(s); /* a peer that is gone is gone */
        if (s->other >= 0)
            sys_close(s->other);
        s->other = -1;
    }
    /* shutdown(2)'s SHUT_RD, SHUT_WR, SHUT_RDWR are the bits less one. */
    for (EACH(s))
        if (s->diag.shutdown & 3)
            syscall3(__NR_shutdown, s->fd, (s->diag.shutdown & 3) - 1, 0);
    for (EACH(s)) {
        sock_options_set(s->fd, s->options, SOCK_AFTER, s->description->link);
        sys_fcntl(s->fd, F_SETFL, (long)s->description->flags);
        sys_close(s->fd);
        s->fd = -1;
    }
    for (struct flight *flight = flights_expected(); flight; flight = flight->next)
        if (flight->fd >= 0)
            sys_close(flight->fd);
    unix_names_leave();
    return 0;
}
