/* What is under way in TCP connections of the computation, while all of it stands still.
 *
 * What is in a receive queue is looked at by MSG_PEEK. What the other end has still to send arrives by itself, unless the window is closed: then
 * the queue is read, which opens it, until the other end has nothing left. Only the owner of the other end can put it back, by sending it
 * again before its threads run, so it gets the bytes in a file. The word `refill` of its list entry decides between a reader and an owner that runs
 * on because the checkpoint was given up.
 *
 * An end that has sent its end of file can't send again. There the receive queue is made larger, until all has arrived. */
#include "tcp_socket.h"

#include "arena.h"
#include "fd.h"
#include "log.h"
#include "fmt.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"
#include "tcp_port.h"

#include <asm/ioctls.h>
#include <linux/tcp.h>

#define LOG_MODULE "fd"
#define BUF_LOCK 72 /* SO_BUF_LOCK, newer than some headers */
#define RCVBUF_LOCK 2 /* SOCK_BUF_RCVBUF_LOCK */
#define ROOM 65536u /* for what arrives between two looks */
#define PATIENCE_NS 20000000000ull
#define PATIENCE_ENDED_NS 3000000000ull

void tcp_nap(unsigned microseconds)
{
    struct timespec time = {.tv_nsec = microseconds * 1000l};

    sys_nanosleep(&time);
}

static int get(int fd, int level, int name)
{
    int value = 0;
    unsigned size = sizeof value;

    return sys_getsockopt(fd, level, name, &value, &size) < 0 ? 0 : value;
}

static void set(int fd, int level, int name, int value)
{
    sys_setsockopt(fd, level, name, &value, sizeof value);
}

long tcp_queued(int fd)
{
    int queued = 0;
    long error = sys_ioctl(fd, FIONREAD, &queued);

    return error < 0 ? error : queued;
}

void tcp_push(int fd)
{
    int cork = get(fd, IPPROTO_TCP, TCP_CORK), at_once = get(fd, IPPROTO_TCP, TCP_NODELAY);

    if (cork)
        set(fd, IPPROTO_TCP, TCP_CORK, 0);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, at_once);
    if (cork)
        set(fd, IPPROTO_TCP, TCP_CORK, cork);
}

/* An acknowledgement that was to be sent with data, or later. */
static void acknowledge(int fd)
{
    int quick = get(fd, IPPROTO_TCP, TCP_QUICKACK);

    set(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
    if (!quick)
        set(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
}

long tcp_settle(uint64_t device, int fd, const struct inet_place *local, const struct inet_place *peer, struct tcp_diag *other)
{
    unsigned still = 0;

    for (unsigned round = 0;; round++) {
        long error = tcp_diag_find(peer, local, other);
        bool ended = !error && !other->inode && tcp_has_sent_end(other->state);

        if (error || (!ended && !fd_entry_of(device, other->inode)))
            return error ? error : -ENOENT;
        if (!other->unsent)
            return 0;
        acknowledge(fd);
        still = other->in_flight ? 0 : still + 1;
        /* With an empty queue the window is open, and the other end has not been made to send yet (tcp_push). */
        if (round > 150 || still > (tcp_queued(fd) > 0 ? 5u : 100u))
            return 1;
        tcp_nap(200);
    }
}

/* --- looking --- */

static long peek_past_mark(int fd, struct tcp_state *state, size_t room)
{
    int from = 0, off = -1;
    bool moves = sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from) == 0; /* 6.9 */
    long n;

    if (sys_recvfrom(fd, &state->urgent_byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1) {
        long before = tcp_queued(fd);
        state->urgent = true;
        state->urgent_at = before > 0 ? (uint32_t)before : 0;
    }
    do {
        n = sys_recvfrom(fd, state->bytes + state->size, room - state->size, MSG_PEEK | MSG_DONTWAIT);
        state->size += n > 0 ? (uint32_t)n : 0;
    } while (n > 0 && moves && state->size < room);
    if (moves)
        sys_setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
    return 0;
}

static long peek(int fd, struct tcp_state *state, const struct inet_place *here, const struct inet_place *there)
{
    struct pollfd poll = {.fd = fd, .events = POLLPRI};
    struct timespec now = {0};
    struct tcp_diag self;
    long queued = tcp_queued(fd);
    bool urgent = sys_ppoll(&poll, 1, &now) > 0 && (poll.revents & POLLPRI);

    if (urgent && tcp_diag_find(here, there, &self) == 0 && queued < (long)self.received)
        queued = self.received;
    /* To look into an empty queue would take away the error that is still to be told. */
    if (queued <= 0)
        return 0;
    size_t room = (size_t)queued + 4096;
    state->bytes = arena_alloc(room);
    if (!state->bytes)
        return -ENOMEM;
    if (urgent)
        return peek_past_mark(fd, state, room);
    long n = sys_recvfrom(fd, state->bytes, room, MSG_PEEK | MSG_DONTWAIT);
    state->size = n > 0 ? (uint32_t)n : 0;
    return 0;
}

/* --- reading --- */

long tcp_refill_begin(uint64_t device, uint32_t inode, size_t room, int *file)
{
    struct fd_entry *entry = fd_entry_of(device, inode);
    uint32_t expected = FD_UNTOUCHED;
    char path[4500];

    if (!entry || !__atomic_compare_exchange_n(&entry->refill, &expected, FD_TAKING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return -ECANCELED;
    fd_refill_path(path, sizeof path, inode);
    long fd = sys_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* What has been read can't be thrown away because there is no room for it. */
    long error = fd < 0 ? fd : syscall6(__NR_fallocate, fd, 0, 0, (long)(sizeof(struct tcp_refill) + room), 0, 0);
    if (error == -EOPNOTSUPP)
        error = 0;
    if (error) {
        if (fd >= 0)
            sys_close((int)fd);
        sys_unlink(path);
        __atomic_store_n(&entry->refill, FD_UNTOUCHED, __ATOMIC_RELEASE);
        return error;
    }
    *file = (int)fd;
    return 0;
}

long tcp_refill_write(uint64_t device, uint32_t inode, int file, const struct tcp_refill *head, const char *bytes)
{
    struct fd_entry *entry = fd_entry_of(device, inode);
    struct tcp_refill complete = *head;
    long error = sys_pwrite_all(file, bytes, head->size, sizeof *head);

    complete.complete = !error;
    if (!error)
        error = sys_pwrite_all(file, &complete, sizeof complete, 0);
    sys_close(file);
    if (entry)
        __atomic_store_n(&entry->refill, FD_TAKEN, __ATOMIC_RELEASE);
    return error;
}

static long read_until_empty(int fd, struct tcp_state *state, size_t room, const struct inet_place *here, const struct inet_place *there)
{
    uint64_t end = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;

    for (;;) {
        struct tcp_diag other;
        long n = room > state->size ? sys_recvfrom(fd, state->bytes + state->size, room - state->size, MSG_DONTWAIT) : -EOVERFLOW;
        if (n > 0) {
            state->size += (uint32_t)n;
            continue;
        }
        if (n != -EAGAIN)
            return n;
        if (tcp_diag_find(there, here, &other) || (!other.unsent && tcp_queued(fd) <= 0))
            return 0;
        acknowledge(fd);
        if (sys_now_ns(CLOCK_MONOTONIC) > end)
            return -ETIMEDOUT;
        tcp_nap(200);
    }
}

/* A receive buffer larger by so much, and not by more: what it holds in the end does not come back to the sender, who then sends as much anew, at each
 * checkpoint, while the program does not read. By steps where no size can be set: how much RCVLOWAT asks for depends on the packets. */
static void ease(int fd, int before, int more)
{
    int lowest = get(fd, SOL_SOCKET, SO_RCVLOWAT), lock = get(fd, SOL_SOCKET, BUF_LOCK), half = before / 2 + more;

    set(fd, SOL_SOCKET, BUF_LOCK, lock & ~RCVBUF_LOCK);
    if (sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof half) < 0) {
        for (int step = before / 16 + more, i = 4; i < 32 && get(fd, SOL_SOCKET, SO_RCVBUF) < 2 * half; i++)
            set(fd, SOL_SOCKET, SO_RCVLOWAT, i * step);
        set(fd, SOL_SOCKET, SO_RCVLOWAT, lowest);
    }
    set(fd, SOL_SOCKET, BUF_LOCK, lock);
}

static long drain(const struct description *d, struct tcp_state *state, const struct inet_place *here, const struct inet_place *there,
                  const struct tcp_diag *other)
{
    size_t room = (size_t)tcp_queued(d->first) + other->unsent + ROOM;
    struct tcp_refill head = {.what = TCP_REFILL_READ, .local = *there, .peer = *here};
    int file;

    state->bytes = arena_alloc(room);
    long error = state->bytes ? tcp_refill_begin(d->st.st_dev, other->inode, room, &file) : -ENOMEM;
    if (error)
        return error;
    error = read_until_empty(d->first, state, room, here, there);
    head.size = state->size;
    /* What comes again in other pieces takes a little more room, of which the sender can't get more. */
    int before = get(d->first, SOL_SOCKET, SO_RCVBUF);
    ease(d->first, before, (int)(ROOM + other->unsent / 128));
    if (get(d->first, SOL_SOCKET, BUF_LOCK) & RCVBUF_LOCK && get(d->first, SOL_SOCKET, SO_RCVBUF) != before) {
        state->narrow = before;
        state->sender = other->inode;
    }
    log_trace("%s: %u bytes read through a closed window", d->link, state->size);
    long failed = tcp_refill_write(d->st.st_dev, other->inode, file, &head, state->bytes);
    return error ? error : failed;
}

void tcp_widen(int fd, size_t size)
{
    int lowest = get(fd, SOL_SOCKET, SO_RCVLOWAT), wanted = size > 1u << 30 ? 1 << 30 : (int)(size + ROOM);
    int lock = get(fd, SOL_SOCKET, BUF_LOCK), before = get(fd, SOL_SOCKET, SO_RCVBUF);

    /* A buffer that grows by itself is made as large as this needs, by a user who may not set such a size: up to tcp_rmem[2], while rmem_max is
     * for those whose size was set, which one is not just now. tcp(7), SO_BUF_LOCK (5.14) */
    set(fd, SOL_SOCKET, BUF_LOCK, lock & ~RCVBUF_LOCK);
    set(fd, SOL_SOCKET, SO_RCVLOWAT, wanted);
    set(fd, SOL_SOCKET, SO_RCVLOWAT, lowest);
    set(fd, SOL_SOCKET, BUF_LOCK, lock);
    int now = get(fd, SOL_SOCKET, SO_RCVBUF);
    if (now / 2 >= wanted || !(lock & RCVBUF_LOCK) || !sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted))
        return;
    if (now == before)
        set(fd, SOL_SOCKET, SO_RCVBUF, wanted);
}

static long await_rest(const struct description *d, const struct inet_place *here, const struct inet_place *there, struct tcp_diag *other,
                       char *problem, size_t size)
{
    uint64_t end = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_ENDED_NS;
    int fd = d->first, before = get(fd, SOL_SOCKET, SO_RCVBUF), lock = get(fd, SOL_SOCKET, BUF_LOCK);
    long error = 0;
    char byte;

    tcp_widen(fd, (size_t)tcp_queued(fd) + other->unsent);
    for (;;) {
        if (tcp_diag_find(there, here, other) || !other->unsent)
            break;
        /* The other end learns of the room. */
        sys_recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        acknowledge(fd);
        if (sys_now_ns(CLOCK_MONOTONIC) > end) {
            fmt(problem, size, "descriptor %d (%s): what its peer sent before it closed the TCP connection does not fit into the receive buffer; "
                "try again when more has been read", d->first, d->link);
            error = -EAGAIN;
            break;
        }
        tcp_nap(500);
    }
    if (lock & RCVBUF_LOCK)
        set(fd, SOL_SOCKET, SO_RCVBUF, before / 2);
    return error;
}

long tcp_stream_record(const struct description *d, struct tcp_state *state, char *problem, size_t size)
{
    struct inet_place here = inet_place(&state->local), there = inet_place(&state->peer);
    struct tcp_diag other;

    if (!tcp_is_connection(state->state) || !here.known || !there.known)
        return peek(d->first, state, &here, &there);
    long error = tcp_settle(d->st.st_dev, d->first, &here, &there, &other);
    /* Is there really none, or does the kernel tell nothing? */
    if (error == -ENOENT && tcp_diag_find(&here, &there, &other) && tcp_is_connection((uint32_t)tcp_info_state(d->first, NULL, NULL, NULL)))
        error = -EPROTONOSUPPORT;
    if (error < 0 && error != -ENOENT) {
        fmt(problem, size, "descriptor %d (%s): the kernel does not tell about TCP connections (sock_diag, module tcp_diag): %e", d->first, d->link,
            (int)error);
        return error;
    }
    if (error == 1 && tcp_has_sent_end(other.state)) {
        error = await_rest(d, &here, &there, &other, problem, size);
        return error ? error : peek(d->first, state, &here, &there);
    }
    if (error == 1)
        return drain(d, state, &here, &there, &other);
    return peek(d->first, state, &here, &there);
}

/* --- putting back --- */

long tcp_send_all(int fd, const char *bytes, size_t size)
{
    int room = get(fd, SOL_SOCKET, SO_SNDBUF), lock = get(fd, SOL_SOCKET, BUF_LOCK), unsent = get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
    unsigned stuck = 0;
    bool widened = false;
    long error = 0;

    if (unsent > 0)
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT32_MAX);
    while (size && !error) {
        long n = sys_sendto(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
            stuck = 0;
            continue;
        }
        if (n != -EAGAIN) {
            error = n;
            break;
        }
        if (++stuck == 20) {
            int wanted = room / 2 + (size > 1u << 28 ? 1 << 28 : (int)size + (int)ROOM);
            widened = true;
            set(fd, SOL_SOCKET, SO_SNDBUF, wanted);
            set(fd, SOL_SOCKET, SO_SNDBUFFORCE, wanted);
            if (get(fd, SOL_SOCKET, SO_SNDBUF) < room)
                set(fd, SOL_SOCKET, SO_SNDBUF, room / 2);
        }
        if (stuck > 2000)
            error = -ENOBUFS;
        tcp_nap(stuck < 20 ? 200 : 1000);
    }
    if (widened) {
        /* Or the program fills that too, and there is more to be sent again each time. */
        if (get(fd, SOL_SOCKET, SO_SNDBUF) > room) {
            set(fd, SOL_SOCKET, SO_SNDBUF, room / 2);
            set(fd, SOL_SOCKET, SO_SNDBUFFORCE, room / 2);
        }
        set(fd, SOL_SOCKET, BUF_LOCK, lock);
    }
    if (unsent > 0)
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent);
    return error;
}

/* A connection that was accepted too early: the same socket makes it again, under the same addresses, and waits in the listener's queue as before. */
static long connect_again(const struct description *d, const struct tcp_refill *head, const char *bytes)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct inet_address local = inet_address_of(&head->local, d->domain), peer = inet_address_of(&head->peer, d->domain);
    struct pollfd ready = {.fd = d->first, .events = POLLOUT};
    struct timespec patience = {.tv_sec = 5};
    int fd = d->first, reuse = get(fd, SOL_SOCKET, SO_REUSEADDR);
    long flags = sys_fcntl(fd, F_GETFL, 0);

    sys_connect(fd, &none, sizeof none);
    get(fd, SOL_SOCKET, SO_ERROR);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    sys_fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    long error = syscall3(__NR_bind, fd, (long)&local.any, local.size);
    if (error == -EADDRINUSE) {
        int late = get(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        error = tcp_connect_sharing(fd, &local, &peer);
        tcp_unshare(fd);
        set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, late);
    } else if (!error || error == -EINVAL) { /* it has kept its own */
        error = sys_connect(fd, &peer.any, peer.size);
    }
    if (error == -EINPROGRESS)
        error = sys_ppoll(&ready, 1, &patience) > 0 ? 0 : -ETIMEDOUT;
    if (!error)
        error = tcp_send_all(fd, bytes, head->size);
    if (!error && head->ended)
        syscall3(__NR_shutdown, fd, 1 /* SHUT_WR */, 0);
    sys_fcntl(fd, F_SETFL, flags);
    set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
    return error;
}

static long refill(const struct description *d)
{
    struct tcp_refill head = {0};
    char path[4500], *bytes = NULL;

    fd_refill_path(path, sizeof path, d->st.st_ino);
    long file = sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    long error = file < 0 ? file : sys_pread_all((int)file, &head, sizeof head, 0);
    if (!error && !head.complete)
        error = -EIO;
    if (!error && head.size) {
        bytes = sys_mmap(NULL, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        error = SYS_IS_ERROR(bytes) ? (long)bytes : sys_pread_all((int)file, bytes, head.size, sizeof head);
    }
    if (!error && head.what == TCP_REFILL_READ)
        error = tcp_send_all(d->first, bytes, head.size);
    if (!error && head.what == TCP_REFILL_ACCEPTED)
        error = connect_again(d, &head, bytes);
    if (bytes && !SYS_IS_ERROR(bytes))
        sys_munmap(bytes, head.size);
    if (file >= 0)
        sys_close((int)file);
    sys_unlink(path);
    return error;
}

void tcp_release(struct description *d)
{
    struct fd_entry *entry = fd_own_entry(d);
    uint64_t end = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS + PATIENCE_NS;
    uint32_t state = FD_UNTOUCHED;

    if (d->own)
        tcp_waiting_release(d->own);
    if (!entry)
        return;
    while (!__atomic_compare_exchange_n(&entry->refill, &state, FD_RUNNING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) && state == FD_TAKING &&
           sys_now_ns(CLOCK_MONOTONIC) < end) {
        tcp_nap(500);
        state = FD_UNTOUCHED;
    }
    if (state == FD_UNTOUCHED || state == FD_RUNNING)
        return;
    long error = state == FD_TAKEN ? refill(d) : -ETIMEDOUT;
    __atomic_store_n(&entry->refill, FD_RUNNING, __ATOMIC_RELEASE);
    /* A stream with a hole would be worse. */
    if (error) {
        log_warn("%s: what was on its way through a TCP connection can't be put back (%e); the connection is closed", d->link, (int)error);
        syscall3(__NR_shutdown, d->first, 2 /* SHUT_RDWR */, 0);
    }
}

void tcp_released(struct description *d)
{
    uint64_t end = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    struct tcp_state *state = d->own;

    if (!state || !state->narrow)
        return;
    const struct fd_entry *sender = fd_entry_of(d->st.st_dev, state->sender);
    while (sender && __atomic_load_n(&sender->refill, __ATOMIC_ACQUIRE) != FD_RUNNING && sys_now_ns(CLOCK_MONOTONIC) < end)
        tcp_nap(500);
    set(d->first, SOL_SOCKET, SO_RCVBUF, state->narrow / 2);
    state->narrow = 0;
}
