/* TCP sockets of any state: what is recorded of one, and how it travels to the process that will make it. */
#include "tcp_socket.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "inet_options.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <asm/ioctls.h>
#include <linux/tcp.h>

static bool tcp_claim(const struct description *d)
{
    return S_ISSOCK(d->st.st_mode) && (d->domain == AF_INET || d->domain == AF_INET6) && d->protocol == IPPROTO_TCP;
}

bool tcp_is_connection(uint32_t state)
{
    return state != TCP_IS_CLOSE && state != TCP_IS_LISTEN && state != TCP_IS_SYN_SENT;
}

bool tcp_has_sent_end(uint32_t state)
{
    return state == TCP_IS_FIN_WAIT1 || state == TCP_IS_FIN_WAIT2 || state == TCP_IS_TIME_WAIT || state == TCP_IS_LAST_ACK ||
           state == TCP_IS_CLOSING;
}

int tcp_info_state(int fd, uint32_t *waiting, uint32_t *backlog, bool *was_connected)
{
    struct tcp_info info = {.tcpi_state = TCP_IS_CLOSE};
    unsigned size = sizeof info;

    sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    if (waiting)
        *waiting = info.tcpi_unacked; /* so the kernel uses the fields of a listening socket */
    if (backlog)
        *backlog = info.tcpi_sacked;
    if (was_connected)
        *was_connected = info.tcpi_bytes_acked || info.tcpi_bytes_received || info.tcpi_segs_in > 1;
    return info.tcpi_state;
}

struct work {
    struct description *d;
    struct tcp_state *state;
    char *problem;
    size_t size;
};

static long check_here(void *argument)
{
    struct work *work = argument;
    const struct description *d = work->d;
    char name[16] = "";
    unsigned size = sizeof name - 1;
    int repair = 0;

    if (sys_getsockopt(d->first, IPPROTO_TCP, TCP_ULP, name, &size) == 0 && size && name[0]) {
        fmt(work->problem, work->size, "descriptor %d (%s) is a TCP connection whose protocol %s is the kernel's, and can't be restored; close it "
            "before a checkpoint", d->first, d->link, name);
        return -EOPNOTSUPP;
    }
    size = sizeof repair;
    if (sys_getsockopt(d->first, IPPROTO_TCP, TCP_REPAIR, &repair, &size) == 0 && repair) {
        fmt(work->problem, work->size, "descriptor %d (%s) is a TCP socket under repair, which can't be restored", d->first, d->link);
        return -EOPNOTSUPP;
    }
    return 0;
}

static long tcp_check(const struct description *d, char *problem, size_t size)
{
    struct work work = {.d = (struct description *)d, .problem = problem, .size = size};

    return fd_call(d, check_here, &work);
}

static void tcp_ready(const struct description *d)
{
    struct inet_address local, peer;
    int unsent = 0;

    if (!tcp_is_connection((uint32_t)tcp_info_state(d->first, NULL, NULL, NULL)) || sys_ioctl(d->first, TIOCOUTQ /* SIOCOUTQ: tcp(7) */, &unsent) < 0 || !unsent)
        return;
    inet_address_take(d->first, __NR_getsockname, &local);
    inet_address_take(d->first, __NR_getpeername, &peer);
    struct inet_place here = inet_place(&local), there = inet_place(&peer);
    struct tcp_diag other;
    /* A peer outside is not to notice anything. */
    if (here.known && there.known && tcp_diag_find(&there, &here, &other) == 0 && (!other.inode || fd_entry_of(d->st.st_dev, other.inode)))
        tcp_push(d->first);
}

/* --- record --- */

struct search {
    uint32_t inode;
    struct inet_place peer;
};

static long match_inode(const struct tcp_diag *diag, void *argument)
{
    struct search *search = argument;

    if (diag->inode != search->inode)
        return 0;
    search->peer = diag->peer;
    return 1;
}

/* Of a connection that is being made, getpeername says nothing. */
static void find_target(const struct description *d, struct tcp_state *state)
{
    struct inet_place local = inet_place(&state->local);
    struct search search = {.inode = (uint32_t)d->st.st_ino};

    tcp_diag_each(local.port, 1u << TCP_IS_SYN_SENT, match_inode, &search);
    if (search.peer.known)
        state->peer = inet_address_of(&search.peer, d->domain);
}

/* What the kernel tells of a connection but would not take, or not mean: its own measure of packets and windows, and what only datagrams have. */
static void drop_measured(struct sock_options *options)
{
    static const int names[][2] = {{IPPROTO_TCP, TCP_MAXSEG}, {IPPROTO_TCP, TCP_WINDOW_CLAMP}, {IPPROTO_IP, IP_MULTICAST_TTL},
                                   {IPPROTO_IP, IP_MULTICAST_IF}, {IPPROTO_IPV6, IPV6_MULTICAST_HOPS}, {IPPROTO_IPV6, IPV6_MULTICAST_IF}};
    uint32_t kept = 0;

    for (uint32_t i = 0; i < options->count; i++) {
        bool drop = false;
        for (unsigned k = 0; k < sizeof names / sizeof *names; k++)
            drop |= options->value[i].level == names[k][0] && options->value[i].name == names[k][1];
        if (!drop)
            options->value[kept++] = options->value[i];
    }
    options->count = kept;
}

static long record_here(void *argument)
{
    struct work *work = argument;
    const struct description *d = work->d;
    struct tcp_state *state = work->state;
    struct pollfd poll = {.fd = d->first, .events = POLLRDHUP};
    struct timespec now = {0};
    uint32_t waiting = 0, backlog = 0;
    int fd = d->first, off = -1;

    inet_address_take(fd, __NR_getsockname, &state->local);
    inet_address_take(fd, __NR_getpeername, &state->peer);
    state->options = sock_options_save(fd, NULL, 0);
    state->inet_options = sock_options_save(fd, inet_option_rows, inet_option_row_count);
    if (!state->options || !state->inet_options)
        return -ENOMEM;
    state->state = (uint32_t)tcp_info_state(fd, &waiting, &backlog, &state->was_connected);
    if (state->state == TCP_IS_LISTEN) {
        state->backlog = (int)backlog;
        return waiting ? tcp_waiting_record(d, state, work->problem, work->size) : 0;
    }
    if (state->peer.size || state->was_connected)
        drop_measured(state->inet_options);
    if (state->state == TCP_IS_SYN_SENT) {
        find_target(d, state);
        return 0;
    }
    const int *own_off = sock_options_find(state->options, SOL_SOCKET, SO_PEEK_OFF);
    if (own_off && *own_off >= 0)
        sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
    long error = tcp_stream_record(d, state, work->problem, work->size);
    if (own_off && *own_off >= 0)
        sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, own_off, sizeof *own_off);
    /* Last, because the end may have come just now. */
    state->state = (uint32_t)tcp_info_state(fd, NULL, NULL, NULL);
    if (sys_ppoll(&poll, 1, &now) > 0) {
        state->read_closed = poll.revents & POLLRDHUP;
        state->error = poll.revents & POLLERR;
    }
    return error;
}

static long record(struct description *d, char *problem, size_t size)
{
    struct tcp_state *state = d->own = arena_alloc(sizeof *state);
    struct work work = {d, state, problem, size};

    problem[0] = 0;
    long error = state ? fd_call(d, record_here, &work) : -ENOMEM;
    if (error && !problem[0])
        fmt(problem, size, "descriptor %d (%s): its state can't be read: %e", d->first, d->link, (int)error);
    return error;
}

static long tcp_save(struct description *d, char *problem, size_t size)
{
    return record(d, problem, size);
}

/* --- between processes: the state, its options, what is queued, what waits, each in whole units --- */

#define UNIT 16

static long append(struct scratch_array *data, const void *bytes, size_t size)
{
    size_t whole = (size + UNIT - 1) & ~(size_t)(UNIT - 1);
    void *room = whole ? scratch_append(data, whole) : NULL;

    if (whole && !room)
        return -ENOMEM;
    if (whole)
        memcpy(room, bytes, size);
    return 0;
}

static long tcp_publish(struct description *d, struct scratch_array *data, char *problem, size_t size)
{
    long error = record(d, problem, size);
    struct tcp_state *state = d->own;

    if (!error)
        error = append(data, state, sizeof *state);
    if (!error)
        error = append(data, state->options, sock_options_size(state->options));
    if (!error)
        error = append(data, state->inet_options, sock_options_size(state->inet_options));
    if (!error)
        error = append(data, state->bytes, state->size);
    for (const struct tcp_waiting *at = error ? NULL : state->waiting; at && !error; at = at->next) {
        error = append(data, at, sizeof *at);
        if (!error)
            error = append(data, at->bytes, at->size);
    }
    return error;
}

struct reader {
    const char *at, *end;
};

/* A copy in the arena; NULL: that much is not there. */
static void *take(struct reader *reader, size_t size)
{
    size_t whole = (size + UNIT - 1) & ~(size_t)(UNIT - 1);
    void *memory = whole <= (size_t)(reader->end - reader->at) ? arena_alloc(size + 1) : NULL;

    if (memory)
        memcpy(memory, reader->at, size);
    reader->at += memory ? whole : 0;
    return memory;
}

static struct sock_options *take_options(struct reader *reader)
{
    const struct sock_options *options = (const void *)reader->at;

    return reader->end - reader->at < (long)sizeof *options ? NULL : take(reader, sock_options_size(options));
}

static long tcp_adopt(struct description *d, const void *data, size_t data_size, char *problem, size_t size)
{
    struct reader reader = {data, (const char *)data + data_size};
    struct tcp_state *state = d->own = take(&reader, sizeof *state);

    if (!state || !(state->options = take_options(&reader)) || !(state->inet_options = take_options(&reader)) ||
        !(state->bytes = take(&reader, state->size)))
        return -EPROTO;
    struct tcp_waiting **end = &state->waiting;
    *end = NULL;
    while (reader.at < reader.end) {
        struct tcp_waiting *waiting = take(&reader, sizeof *waiting);
        if (!waiting || !(waiting->bytes = take(&reader, waiting->size)))
            return -EPROTO;
        waiting->next = NULL;
        waiting->held = -1;
        *end = waiting;
        end = &waiting->next;
    }
    return 0;
}

/* --- restart --- */

static long tcp_restore(struct description *d, int low, char *problem, size_t size)
{
    struct tcp_state *state = d->own;
    long error = state->description ? 0 : tcp_make_all(problem, size);

    if (error)
        return error;
    int fd = state->fd;
    state->fd = -1;
    return fd_lift(fd, low);
}

const struct fd_kind fd_tcp = {.name = "TCP socket", .claim = tcp_claim, .together = true, .check = tcp_check, .ready = tcp_ready,
                               .publish = tcp_publish, .save = tcp_save, .adopt = tcp_adopt, .restore = tcp_restore, .release = tcp_release, .released = tcp_released};

struct tcp_state *tcp_state(const struct description *d)
{
    return d->kind == &fd_tcp && !d->received ? d->own : NULL;
}
