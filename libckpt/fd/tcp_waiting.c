/* Connections of the computation that nobody has accepted yet. What their clients have sent can be read only from the accepted socket, so a
 * checkpoint accepts them, and afterwards the clients' sockets connect again (tcp_stream.c): their program sees nothing of it, and it is
 * the same queue. Those that have sent nothing are left alone, and so are those of clients outside of the computation; behind such a client,
 * data can't be got at: after a restart (not before) that connection is reset. */
#include "tcp_socket.h"

#include "arena.h"
#include "fd.h"
#include "log.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "fd"
#define ROOM 65536u

struct survey {
    const struct description *d;
    struct tcp_state *state;
    struct inet_place local;
    struct tcp_waiting **end;
    unsigned inside, outside;
    bool data;
};

static bool listens_on(const struct inet_place *listener, const struct inet_place *local)
{
    static const uint8_t any[16];

    return !memcmp(listener->host, any, 16) || (inet_place_is_v4(listener) && !memcmp(listener->host + 12, any, 4)) ||
           !memcmp(listener->host, local->host, 16);
}

static long note(const struct tcp_diag *diag, void *argument)
{
    struct survey *survey = argument;
    struct tcp_diag client;

    if (diag->inode || !listens_on(&survey->local, &diag->local))
        return 0;
    if (tcp_diag_find(&diag->peer, &diag->local, &client) || !fd_entry_of(survey->d->st.st_dev, client.inode)) {
        survey->outside++;
        return 0;
    }
    struct tcp_waiting *waiting = arena_alloc(sizeof *waiting);
    if (!waiting)
        return -ENOMEM;
    *waiting = (struct tcp_waiting){.client = diag->peer, .inode = client.inode, .held = -1};
    /* Until it has been read: how much it may be. */
    waiting->size = diag->received + client.unsent;
    waiting->ended = diag->state == TCP_IS_CLOSE_WAIT;
    survey->data |= waiting->size || waiting->ended;
    survey->inside++;
    *survey->end = waiting;
    survey->end = &waiting->next;
    return 0;
}

static bool at_end(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    struct timespec now = {0};

    return sys_ppoll(&end, 1, &now) > 0;
}

/* All that the client has sent; the connection is ours. */
static void read_held(const struct description *d, struct tcp_waiting *waiting, const struct inet_place *here, size_t room)
{
    uint32_t size = 0;
    struct tcp_diag other;

    waiting->ended = 0;
    for (unsigned round = 0; round < 20000; round++) {
        long n = sys_recvfrom(waiting->held, waiting->bytes + size, room - size, MSG_DONTWAIT);
        size += n > 0 ? (uint32_t)n : 0;
        waiting->ended = n == 0;
        if (n == 0 || (n < 0 && n != -EAGAIN))
            break;
        if (n < 0 && tcp_settle(d->st.st_dev, waiting->held, here, &waiting->client, &other) != 1 && tcp_queued(waiting->held) <= 0 &&
            !at_end(waiting->held))
            break;
    }
    waiting->size = size;
}

static struct tcp_waiting *of_client(struct tcp_state *state, const struct inet_place *client)
{
    struct tcp_waiting *waiting = state->waiting;

    while (waiting && !inet_same_place(&waiting->client, client))
        waiting = waiting->next;
    return waiting;
}

static long accept_one(const struct description *d, struct tcp_state *state, const int *file)
{
    struct pollfd ready = {.fd = d->first, .events = POLLIN};
    struct timespec now = {0};
    struct inet_address local, client;

    if (sys_ppoll(&ready, 1, &now) != 1)
        return -EAGAIN;
    long fd = syscall6(__NR_accept4, d->first, 0, 0, SOCK_CLOEXEC, 0, 0);
    if (fd < 0)
        return fd;
    inet_address_take((int)fd, __NR_getsockname, &local);
    inet_address_take((int)fd, __NR_getpeername, &client);
    struct inet_place here = inet_place(&local), there = inet_place(&client);
    struct tcp_waiting *waiting = of_client(state, &there);
    if (!waiting) {
        sys_close((int)fd);
        return 0;
    }
    size_t room = waiting->size + ROOM;
    waiting->held = (int)fd;
    waiting->bytes = arena_alloc(room);
    if (!waiting->bytes)
        return -ENOMEM;
    read_held(d, waiting, &here, room);
    unsigned index = 0;
    for (const struct tcp_waiting *at = state->waiting; at != waiting; at = at->next)
        index++;
    struct tcp_refill head = {.what = TCP_REFILL_ACCEPTED, .size = waiting->size, .ended = waiting->ended, .local = there, .peer = here};
    return tcp_refill_write(d->st.st_dev, waiting->inode, file[index], &head, waiting->bytes);
}

static long accept_all(const struct description *d, struct tcp_state *state, unsigned count)
{
    int *file = arena_alloc((count + 1) * sizeof *file);
    unsigned begun = 0;
    long error = file ? 0 : -ENOMEM;

    for (struct tcp_waiting *at = state->waiting; at && !error; at = at->next) {
        error = tcp_refill_begin(d->st.st_dev, at->inode, at->size + ROOM, &file[begun]);
        begun += !error;
    }
    for (unsigned i = 0; i < count && !error; i++)
        error = accept_one(d, state, file);
    /* Those that did not come are as they were. */
    unsigned index = 0;
    for (struct tcp_waiting *at = state->waiting; index < begun; at = at->next, index++)
        if (at->held < 0) {
            struct tcp_refill nothing = {0};
            at->size = at->ended = 0;
            tcp_refill_write(d->st.st_dev, at->inode, file[index], &nothing, NULL);
        }
    return error == -EAGAIN ? 0 : error;
}

long tcp_waiting_record(const struct description *d, struct tcp_state *state, char *problem, size_t size)
{
    uint32_t waiting = 0;
    struct survey survey = {.d = d, .state = state, .local = inet_place(&state->local), .end = &state->waiting};
    long error = tcp_diag_each(survey.local.port, 1u << TCP_IS_ESTABLISHED | 1u << TCP_IS_CLOSE_WAIT, note, &survey);

    if (error || !survey.data)
        return error;
    tcp_info_state(d->first, &waiting, NULL, NULL);
    if (!survey.outside && survey.inside == waiting)
        return accept_all(d, state, survey.inside);
    log_note("%s: data of TCP connections that wait behind others to be accepted is not in the image", d->link);
    for (struct tcp_waiting **at = &state->waiting; *at;)
        if ((*at)->size || (*at)->ended)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    return 0;
}

void tcp_waiting_release(struct tcp_state *state)
{
    struct linger reset = {.l_onoff = 1};

    for (struct tcp_waiting *at = state->waiting; at; at = at->next)
        if (at->held >= 0) {
            sys_setsockopt(at->held, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            sys_close(at->held);
            at->held = -1;
        }
}
