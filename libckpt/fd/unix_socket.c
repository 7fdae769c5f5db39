/* Unix sockets: what is recorded. Queues are read by MSG_PEEK with SO_PEEK_OFF, so nothing is taken out and resuming costs nothing. */
#include "unix_socket.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "unix_held.h"
#include "vpid.h"

#define PEEK_MAX (16u << 20) /* memory is taken as it is used */
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
    char *buffer; /* scratch, PEEK_MAX */
};

/* CMSG_NXTHDR may be a call of libc's. */
static struct cmsghdr *next_header(const struct msghdr *header, struct cmsghdr *at)
{
    char *next = (char *)at + CMSG_ALIGN(at->cmsg_len), *end = (char *)header->msg_control + header->msg_controllen;

    return at->cmsg_len >= sizeof *at && end - next >= (long)sizeof *at ? (void *)next : NULL;
}

static void take_control(struct msghdr *header, struct unix_message *message)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = next_header(header, at)) {
        if (at->cmsg_level != SOL_SOCKET)
            continue;
        if (at->cmsg_type == SCM_CREDENTIALS) {
            const struct ucred *credentials = (const void *)CMSG_DATA(at);
            message->credentials = credentials->pid != 0;
            message->pid = vpid_from_real(credentials->pid);
            message->uid = credentials->uid;
            message->gid = credentials->gid;
        }
        if (at->cmsg_type == SCM_RIGHTS) {
            message->flight_count = (uint32_t)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            for (uint32_t i = 0; i < message->flight_count; i++)
                sys_close(((const int *)(const void *)CMSG_DATA(at))[i]);
        }
    }
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

static long peek_queue(int fd, struct unix_state *state, uint32_t pending, char *buffer)
{
    for (;;) {
        char control[CMSG_SPACE(RIGHTS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) + 512] __attribute__((aligned(8)));
        struct sockaddr_un from;
        struct unix_message message = {.pending = pending};
        struct iovec part = {buffer, PEEK_MAX};
        struct msghdr header = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                                .msg_control = control, .msg_controllen = sizeof control};
        long n = syscall3(__NR_recvmsg, fd, (long)&header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n == -EAGAIN || n == -ENOTCONN || (n == 0 && state->diag.type == SOCK_STREAM))
            return 0;
        if (n < 0)
            return n;
        take_control(&header, &message);
        if (header.msg_flags & MSG_TRUNC)
            return -EMSGSIZE;
        /* The end of the queue of a closed sequenced connection looks like an empty message. */
        if (n == 0 && state->diag.type == SOCK_SEQPACKET && (pending || (state->diag.shutdown & 1)))
            return 0;
        message.size = (uint32_t)n;
        if (header.msg_namelen > offsetof(struct sockaddr_un, sun_path)) {
            message.from.size = header.msg_namelen - (uint32_t)offsetof(struct sockaddr_un, sun_path);
            memcpy(message.from.path, from.sun_path, message.from.size);
        }
        if (!add_message(state, &message, buffer))
            return -ENOMEM;
        if (message.flight_count)
            return -EOPNOTSUPP;
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

static void look_at_file(struct unix_state *state)
{
    struct stat st;

    if (!state->name.size || !state->name.path[0] || sys_fstatat(AT_FDCWD, state->name.path, &st, 0) < 0)
        return;
    state->has_file = S_ISSOCK(st.st_mode) && (uint32_t)st.st_ino == state->diag.file;
    state->file_mode = st.st_mode;
    state->file_uid = st.st_uid;
    state->file_gid = st.st_gid;
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
        sys_setsockopt(held[i], SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
        error = peek_queue(held[i], state, i + 1, buffer);
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

/* In the executor: a socket can't be opened anew elsewhere. */
static long save_here(void *argument)
{
    struct peek *peek = argument;
    struct unix_state *state = peek->state;
    int fd = peek->d->first, from = 0, on = 1;
    bool named;

    take_name(fd, __NR_getsockname, &state->name, &named);
    take_name(fd, __NR_getpeername, &state->peer_name, &state->connected);
    look_at_file(state);
    state->options = sock_options_save(fd, NULL, 0);
    if (!state->options)
        return -ENOMEM;
    if (state->diag.listening)
        return save_waiting(fd, state, peek->buffer);
    const int *off = sock_options_find(state->options, SOL_SOCKET, SO_PEEK_OFF);
    const int *credentials = sock_options_find(state->options, SOL_SOCKET, SO_PASSCRED);
    sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
    if (credentials && !*credentials)
        sys_setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    long error = peek_queue(fd, state, 0, peek->buffer);
    if (credentials && !*credentials)
        sys_setsockopt(fd, SOL_SOCKET, SO_PASSCRED, credentials, sizeof *credentials);
    if (off)
        sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, off, sizeof *off);
    return error;
}

static long record(struct description *d, char *problem, size_t size)
{
    struct unix_state *state = d->own = arena_alloc(sizeof *state);
    struct peek peek = {.d = d, .state = state, .buffer = scratch_map(PEEK_MAX, false)};
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
        error = state->pending ? park_call(suspend_executor(), save_here, &peek) : -ENOMEM;
    }
    if (peek.buffer)
        scratch_unmap(peek.buffer, PEEK_MAX);
    if (pending)
        scratch_unmap(pending, sizeof *pending);
    if (error == -EOPNOTSUPP)
        fmt(problem, size, "descriptor %d (%s): descriptors are in flight through it; receive them before a checkpoint", d->first, d->link);
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
        if (!add_message(state, message, bytes))
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
