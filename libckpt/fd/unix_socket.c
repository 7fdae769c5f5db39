/* Unix sockets: what is recorded. Queues are read by MSG_PEEK with SO_PEEK_OFF, so nothing is taken out and resuming costs nothing. */
#include "unix_socket.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "unix_flight.h"
#include "unix_held.h"
#include "vpid.h"

#define RIGHTS_MAX 253 /* SCM_MAX_FD */

static bool unix_claim(const struct description *d)
{
    struct unix_diag diag;

    return S_ISSOCK(d->st.st_mode) && unix_diag((uint32_t)d->st.st_ino, &diag, NULL) == 0;
}

/* --- what is queued --- */

struct peek {
    struct description *d;
    struct unix_state *state;
    char *buffer; /* scratch, UNIX_PEEK_MAX */
    const struct flight_socket *flight;
};

struct queue {
    int fd;
    struct unix_state *state;
    uint32_t pending;
    char *buffer;
    bool taking; /* in the checkpoint thread's table: what is in flight becomes known (unix_flight.c) */
    int read; /* bytes */
};

static long take_rights(struct unix_message *message, const struct cmsghdr *rights)
{
    const int *fds = (const void *)CMSG_DATA(rights);
    uint32_t count = (uint32_t)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    long number = 0;

    message->flight = arena_alloc(count * sizeof *message->flight);
    for (uint32_t i = 0; i < count; i++) {
        if (!message->flight || number < 0) {
            sys_close(fds[i]);
            continue;
        }
        number = flight_note(fds[i]);
        message->flight[message->flight_count++] = (uint32_t)number;
    }
    return !message->flight ? -ENOMEM : number < 0 ? number : 0;
}

static long take_control(struct msghdr *header, struct unix_message *message)
{
    long error = 0;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = unix_next_control(header, at)) {
        if (at->cmsg_level != SOL_SOCKET)
            continue;
        if (at->cmsg_type == SCM_CREDENTIALS) {
            const struct ucred *credentials = (const void *)CMSG_DATA(at);
            message->credentials = credentials->pid != 0;
            message->pid = vpid_from_real(credentials->pid);
            message->uid = credentials->uid;
            message->gid = credentials->gid;
        }
        if (at->cmsg_type == SCM_RIGHTS && !error)
            error = take_rights(message, at);
    }
    return error;
}

static struct unix_message *add_message(struct unix_state *state, const struct unix_message *message, const char *bytes)
{
    struct unix_message *added = arena_alloc(sizeof *added + message->size);

    if (!added)
        return NULL;
    *added = *message;
    added->next = NULL;
    added->bytes = (char *)(added + 1);
    memcpy(added->bytes, bytes, message->size);
    *state->queue_end = added;
    state->queue_end = &added->next;
    return added;
}

/* Reading a stream goes on from what has no descriptors into what has, and ends there; a reader who takes less may still get them later. So it
 * matters where what has them begins. The kernel copies piece by piece: if the last byte can't be stored, all pieces but the last arrive. */
static uint32_t rights_begin(const struct queue *queue, uint32_t size)
{
    struct iovec parts[2] = {{queue->buffer, size - 1}, {(void *)8, 1}};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
    int after = queue->read + (int)size;

    if (size < 2)
        return 0;
    sys_setsockopt(queue->fd, SOL_SOCKET, SO_PEEK_OFF, &queue->read, sizeof queue->read);
    long n = syscall3(__NR_recvmsg, queue->fd, (long)&header, MSG_PEEK | MSG_DONTWAIT);
    sys_setsockopt(queue->fd, SOL_SOCKET, SO_PEEK_OFF, &after, sizeof after);
    return n > 0 && n < size ? (uint32_t)n : 0;
}

static long add_peeked(struct queue *queue, struct unix_message *message)
{
    struct unix_message before = *message;

    before.flight_count = 0;
    before.size = message->flight_count && queue->state->diag.type == SOCK_STREAM ? rights_begin(queue, message->size) : 0;
    if (before.size && !add_message(queue->state, &before, queue->buffer))
        return -ENOMEM;
    message->size -= before.size;
    return add_message(queue->state, message, queue->buffer + before.size) ? 0 : -ENOMEM;
}

/* The next message, or where there are none, what lies there. 0: it is the end. */
static long peek_one(struct queue *queue, struct unix_message *message)
{
    char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MAX * sizeof(int))] __attribute__((aligned(8)));
    const struct unix_diag *diag = &queue->state->diag;
    struct sockaddr_un from;
    struct iovec part = {queue->buffer, UNIX_PEEK_MAX};
    struct msghdr header = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                            .msg_controllen = queue->taking ? sizeof control : CMSG_SPACE(sizeof(struct ucred))};
    long n = syscall3(__NR_recvmsg, queue->fd, (long)&header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *message = (struct unix_message){.pending = queue->pending};
    if (n == -EAGAIN || n == -ENOTCONN || n == -EINVAL || (n == 0 && diag->type == SOCK_STREAM))
        return 0;
    if (n < 0)
        return n;
    long error = take_control(&header, message);
    if (error)
        return error;
    if (header.msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    if (header.msg_flags & MSG_CTRUNC)
        /* Else sent after the survey, from outside: by a process that will have gone away after a restart, and what it sent then with it. */
        return queue->taking ? -EMFILE : queue->pending ? -EOPNOTSUPP : 0;
    /* The end of the queue of a closed sequenced connection looks like an empty message. */
    if (n == 0 && !message->flight_count && diag->type == SOCK_SEQPACKET && (queue->pending || (diag->shutdown & 1)))
        return 0;
    message->size = (uint32_t)n;
    if (header.msg_namelen > offsetof(struct sockaddr_un, sun_path)) {
        message->from.size = header.msg_namelen - (uint32_t)offsetof(struct sockaddr_un, sun_path);
        memcpy(message->from.path, from.sun_path, message->from.size);
    }
    return 1;
}

static long peek_queue(struct queue *queue)
{
    struct unix_message message;
    int off = -1;
    long got = 0;

    /* Of an empty message the kernel remembers that it has been peeked, and with an offset passes it over from then on. */
    if (queue->state->diag.type != SOCK_STREAM && !queue->pending) {
        sys_setsockopt(queue->fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
        struct iovec part = {queue->buffer, 1};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
        if (syscall3(__NR_recvmsg, queue->fd, (long)&header, MSG_PEEK | MSG_DONTWAIT) == 0 && (got = peek_one(queue, &message)) > 0)
            got = add_peeked(queue, &message);
        off = 0;
        sys_setsockopt(queue->fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
    }
    while (got >= 0 && (got = peek_one(queue, &message)) > 0) {
        int size = (int)message.size;
        got = add_peeked(queue, &message);
        queue->read += size;
    }
    return got;
}

long unix_peek_flight(int fd, uint32_t inode, struct unix_message **messages, char *buffer)
{
    struct unix_state state = {.queue_end = &state.queue};
    struct queue queue = {.fd = fd, .state = &state, .buffer = buffer, .taking = true};
    struct unix_peeking peeking;
    long error = unix_diag(inode, &state.diag, NULL);

    if (!error) {
        unix_peek_begin(fd, &peeking, true);
        error = peek_queue(&queue);
        unix_peek_end(fd, &peeking);
    }
    *messages = state.queue;
    return error;
}

/* What was peeked in SUSPEND; descriptors were only numbers then. */
static void take_flight(struct unix_state *state, const struct flight_socket *flight)
{
    state->queue = flight->messages;
    for (struct unix_message *message = state->queue; message; message = message->next) {
        message->holder = lib.pid;
        for (uint32_t i = 0; i < message->flight_count; i++)
            message->flight[i] = flight_description((int)message->flight[i]);
    }
}

static void take_name(int fd, long call, struct unix_name *name, bool *present)
{
    struct sockaddr_un address;
    unsigned size = sizeof address;
    long error = syscall3(call, fd, (long)&address, (long)&size);

    *present = error == 0;
    name->size = error || size <= offsetof(struct sockaddr_un, sun_path) ? 0 : size - (unsigned)offsetof(struct sockaddr_un, sun_path);
    if (name->size > sizeof name->path)
        name->size = sizeof name->path;
    memcpy(name->path, address.sun_path, name->size < sizeof address.sun_path ? name->size : sizeof address.sun_path);
}

/* In the executor, in the program's current directory. */
static long look_at_file(void *argument)
{
    struct unix_state *state = argument;
    struct stat st;

    if (sys_fstatat(AT_FDCWD, state->name.path, &st, 0) < 0)
        return 0;
    state->has_file = S_ISSOCK(st.st_mode) && (uint32_t)st.st_ino == state->diag.file;
    state->file_mode = st.st_mode;
    state->file_uid = st.st_uid;
    state->file_gid = st.st_gid;
    return 0;
}

/* --- connections that wait to be accepted --- */

static long replacement(const struct unix_state *state)
{
    struct sockaddr_un address;
    unsigned size = unix_address(&state->name, &address);
    long fd = sys_socket(AF_UNIX, (int)state->diag.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    long error = fd < 0 ? fd : sys_connect((int)fd, &address, size);

    if (error < 0 && fd >= 0)
        sys_close((int)fd);
    return error < 0 ? error : fd;
}

/* Closes both. */
static void send_held(int through, int held)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {(char[]){UNIX_HELD_WORD}, UNIX_HELD_SIZE};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = (void *)control;

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)(void *)CMSG_DATA(rights) = held;
    sys_sendmsg(through, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    sys_close(through);
    sys_close(held);
}

static long look_at_waiting(int fd, struct unix_state *state, int *held, char *buffer)
{
    int from = 0;
    long error = 0;

    for (uint32_t i = 0; i < state->pending_count && !error; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        struct timespec now = {0};
        if (sys_ppoll(&ready, 1, &now) != 1)
            break;
        long waiting = syscall6(__NR_accept4, fd, 0, 0, SOCK_CLOEXEC, 0, 0);
        if (waiting < 0)
            return waiting;
        int before = unix_held_take((int)waiting);
        held[i] = before >= 0 ? before : (int)waiting;
        if (before >= 0) { /* then the kernel named the stand-in */
            struct stat st;
            struct unix_diag diag;
            if (sys_fstat(before, &st) == 0 && unix_diag((uint32_t)st.st_ino, &diag, NULL) == 0)
                state->pending[i] = diag.peer;
        }
        struct queue queue = {.fd = held[i], .state = state, .pending = i + 1, .buffer = buffer};
        sys_setsockopt(held[i], SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
        error = peek_queue(&queue);
        from = -1;
        sys_setsockopt(held[i], SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
        from = 0;
    }
    return error;
}

/* A name that leads elsewhere by now has nobody who could connect, and those that wait had better be left. */
static long save_waiting(int fd, struct unix_state *state, char *buffer)
{
    int *held = arena_alloc((state->pending_count + 1) * sizeof *held);
    bool reachable = state->name.size && (!state->name.path[0] || state->has_file);

    if (!held)
        return -ENOMEM;
    if (!state->pending_count || !reachable)
        return 0;
    long error = look_at_waiting(fd, state, held, buffer);
    for (uint32_t i = 0; i < state->pending_count; i++) {
        if (!held[i])
            continue;
        long through = replacement(state);
        if (through >= 0)
            send_held((int)through, held[i]);
        else
            sys_close(held[i]);
    }
    return error;
}

static bool has_path(const struct unix_state *state)
{
    return state->name.size && state->name.path[0];
}

/* In the executor: a socket can't be opened anew elsewhere. */
static long look_here(struct peek *peek)
{
    struct unix_state *state = peek->state;
    bool named;

    take_name(peek->d->first, __NR_getsockname, &state->name, &named);
    take_name(peek->d->first, __NR_getpeername, &state->peer_name, &state->connected);
    state->options = sock_options_save(peek->d->first, NULL, 0);
    return state->options ? 0 : -ENOMEM;
}

static long save_here(void *argument)
{
    struct peek *peek = argument;
    struct unix_state *state = peek->state;
    struct queue queue = {.fd = peek->d->first, .state = state, .buffer = peek->buffer};
    struct unix_peeking peeking;
    long error = look_here(peek);

    if (!error && has_path(state) && !fd_aside(queue.fd))
        look_at_file(state);
    if (error || (peek->flight && !state->diag.listening))
        return error;
    if (state->diag.listening)
        return save_waiting(queue.fd, state, peek->buffer);
    unix_peek_begin(queue.fd, &peeking, true);
    error = peek_queue(&queue);
    unix_peek_end(queue.fd, &peeking);
    return error;
}

static long save_socket(struct peek *peek)
{
    struct unix_state *state = peek->state;
    long error = fd_call(peek->d, save_here, peek);

    if (!error && has_path(state) && fd_aside(peek->d->first)) /* our own current directory is another */
        error = park_call(suspend_executor(), look_at_file, state);
    if (!error && peek->flight && !state->diag.listening)
        take_flight(state, peek->flight);
    return error;
}

static long record(struct description *d, char *problem, size_t size)
{
    struct unix_state *state = d->own = arena_alloc(sizeof *state);
    struct peek peek = {.d = d, .state = state, .buffer = scratch_map(UNIX_PEEK_MAX, false),
                        .flight = flight_socket((uint32_t)d->st.st_ino)};
    struct unix_pending *pending = scratch_map(sizeof *pending, false);
    long error = state && peek.buffer && pending ? unix_diag((uint32_t)d->st.st_ino, &state->diag, pending) : -ENOMEM;

    if (error == -EMSGSIZE) /* more wait to be accepted than an answer holds */
        error = unix_diag((uint32_t)d->st.st_ino, &state->diag, NULL);
    if (!error) {
        state->queue_end = &state->queue;
        state->pending_count = pending->count;
        state->pending = arena_alloc((pending->count + 1) * sizeof *state->pending);
        if (state->pending)
            memcpy(state->pending, pending->inode, pending->count * sizeof *state->pending);
        error = state->pending ? save_socket(&peek) : -ENOMEM;
    }
    if (peek.buffer)
        scratch_unmap(peek.buffer, UNIX_PEEK_MAX);
    if (pending)
        scratch_unmap(pending, sizeof *pending);
    if (error == -EOPNOTSUPP)
        fmt(problem, size, "descriptor %d (%s): descriptors are in flight through a connection that waits to be accepted; accept it before a checkpoint", d->first, d->link);
    else if (error)
        fmt(problem, size, "descriptor %d (%s): what is queued can't be read: %e", d->first, d->link, (int)error);
    return error;
}

static long unix_save(struct description *d, char *problem, size_t size)
{
    return record(d, problem, size);
}

/* --- between processes: the state, its options, its pending connections, its messages, each in whole units --- */

#define UNIT 16

static long append(struct scratch_array *data, const void *bytes, size_t size)
{
    size_t whole = (size + UNIT - 1) & ~(size_t)(UNIT - 1);
    void *room = whole ? scratch_append(data, whole) : NULL;

    if (!whole)
        return 0;
    if (!room)
        return -ENOMEM;
    memcpy(room, bytes, size);
    return 0;
}

static long unix_publish(struct description *d, struct scratch_array *data, char *problem, size_t size)
{
    long error = record(d, problem, size);
    struct unix_state *state = d->own;

    if (!error)
        error = append(data, state, sizeof *state);
    if (!error)
        error = append(data, state->options, sock_options_size(state->options));
    if (!error)
        error = append(data, state->pending, state->pending_count * sizeof *state->pending);
    for (const struct unix_message *message = state->queue; message && !error; message = message->next) {
        error = append(data, message, sizeof *message);
        if (!error)
            error = append(data, message->bytes, message->size);
        if (!error)
            error = append(data, message->flight, message->flight_count * sizeof *message->flight);
    }
    return error;
}

struct reader {
    const char *at, *end;
};

static const void *next(struct reader *reader, size_t size)
{
    size_t whole = (size + UNIT - 1) & ~(size_t)(UNIT - 1);
    const void *at = reader->at;

    if (whole > (size_t)(reader->end - reader->at))
        return NULL;
    reader->at += whole;
    return at;
}

static void *copy(const void *bytes, size_t size)
{
    void *memory = bytes ? arena_alloc(size + 1) : NULL;

    if (memory)
        memcpy(memory, bytes, size);
    return memory;
}

static long unix_adopt(struct description *d, const void *data, size_t data_size, char *problem, size_t size)
{
    struct reader reader = {data, (const char *)data + data_size};
    struct unix_state *state = d->own = copy(next(&reader, sizeof *state), sizeof *state);
    const struct sock_options *options = (const void *)reader.at;
    const struct unix_message *message;

    if (!state || reader.end - reader.at < (long)sizeof *options)
        return -EPROTO;
    size_t options_size = sock_options_size(options);
    state->options = copy(next(&reader, options_size), options_size);
    state->pending = copy(next(&reader, state->pending_count * sizeof *state->pending), state->pending_count * sizeof *state->pending);
    state->queue = NULL;
    state->queue_end = &state->queue;
    if (!state->options || !state->pending)
        return -EPROTO;
    while (reader.at < reader.end) {
        if (!(message = next(&reader, sizeof *message)))
            return -EPROTO;
        const char *bytes = next(&reader, message->size);
        if (!bytes)
            return -EPROTO;
        const uint32_t *flight = next(&reader, message->flight_count * sizeof *flight);
        if (!flight)
            return -EPROTO;
        struct unix_message whole = *message;
        whole.flight = copy(flight, message->flight_count * sizeof *flight);
        if (!whole.flight || !add_message(state, &whole, bytes))
            return -ENOMEM;
    }
    return 0;
}

/* --- restart --- */

static long unix_restore(struct description *d, int low, char *problem, size_t size)
{
    struct unix_state *state = d->own;
    long error = state->description ? 0 : unix_make_all(problem, size);

    return error ? error : sys_fcntl(state->fd, F_DUPFD_CLOEXEC, low);
}

/* The first does it for all. */
static long unix_connect(struct description *d, char *problem, size_t size)
{
    struct unix_state *state = d->own;

    return state->fd < 0 ? 0 : unix_complete_all(problem, size);
}

const struct fd_kind fd_unix = {.name = "unix socket",
                               .claim = unix_claim, .together = true, .publish = unix_publish, .save = unix_save, .adopt = unix_adopt,
                               .restore = unix_restore, .connect = unix_connect};

struct unix_state *unix_state(const struct description *d)
{
    return d->kind == &fd_unix && !d->received ? d->own : NULL;
}
