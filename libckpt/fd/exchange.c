/* RECONNECT: each process sends the descriptions that it has made for others, and takes those that others made for it: SCM_RIGHTS of unix(7)
 * over datagram sockets with abstract names, so that nothing has to be removed. The executor does it, whose descriptors they are.
 *
 * Everybody receives while it waits to send, so two that serve each other do not wait for each other; and when it has sent and received all,
 * nobody will ask it for anything, so there is no server to be kept alive. A datagram from another user is dropped: the kernel vouches
 * for the sender (SCM_CREDENTIALS). */
#include "fd.h"

#include <sys/un.h>

#include "fmt.h"
#include "library.h"
#include "msg.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#define BATCH 200 /* descriptors a message; SCM_MAX_FD is 253 */
#define MAGIC 0x58435346u
#define SLICE_NS 200000000ull /* then the checkpoint thread looks at its coordinator */
#define PATIENCE_NS 60000000000ull

struct head {
    uint32_t magic;
    uint32_t generation;
    int32_t from;
    uint32_t count;
};

struct item {
    int32_t holder; /* whose list: the receiver's, but for descriptors in flight */
    uint32_t index; /* there */
};

struct letter {
    struct head head;
    struct item item[BATCH];
};

static int socket_fd; /* ours */
static int target_fd; /* to `target`; -1 */
static int target; /* virtual pid */
static struct letter letter;
static int letter_fds[BATCH];
static unsigned outstanding; /* descriptions to be received */
static bool expects;

static unsigned address_of(int virtual, struct sockaddr_un *address)
{
    char id[UPID_TEXT_MAX];

    /* A computation may be restarted twice on one host at one time, but not with one coordinator. */
    upid_text(&lib.computation, id);
    address->sun_family = AF_UNIX;
    address->sun_path[0] = 0;
    size_t length = fmt(address->sun_path + 1, sizeof address->sun_path - 1, "dmtcp-%s-%s-%u-%d", id, lib.conf.coord_address,
                        lib.conf.coord_port, virtual);
    return (unsigned)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

long exchange_open(char *problem, size_t size)
{
    struct sockaddr_un address;
    int on = 1;

    outstanding = 0;
    expects = false;
    socket_fd = target_fd = -1;
    target = 0;
    memset(&letter, 0, sizeof letter);
    for (struct description *d = fd_state.descriptions; d; d = d->next) {
        outstanding += d->received;
        expects |= d->received || d->receivers;
    }
    for (const struct flight *flight = flights_expected(); flight; flight = flight->next)
        outstanding++;
    expects |= outstanding != 0;
    if (!outstanding)
        return 0;
    long fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = fd;
    if (fd >= 0) {
        socket_fd = (int)fd;
        sys_setsockopt(socket_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
        error = syscall3(__NR_bind, fd, (long)&address, address_of(lib.pid, &address));
    }
    if (error < 0)
        fmt(problem, size, "the socket on which it gets descriptors from other processes can't be made: %e", (int)error);
    return error;
}

/* --- receiving --- */

/* False: not one that was asked for. */
static bool take_flight(const struct item *item, int fd)
{
    for (struct flight *flight = flights_expected(); flight; flight = flight->next)
        if (flight->holder == item->holder && flight->index == item->index && flight->fd < 0) {
            flight->fd = fd;
            outstanding--;
            return true;
        }
    return false;
}

static long take(const struct letter *from, const int *fds, unsigned count, char *problem, size_t size)
{
    long error = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct item *item = &from->item[i];
        struct description *d = item->index < fd_state.count ? fd_state.indexed[item->index] : NULL;
        if (item->holder != lib.pid && !error && take_flight(item, fds[i]))
            continue;
        d = item->holder == lib.pid ? d : NULL;
        if (!d || !d->received || d->kept || error) {
            sys_close(fds[i]);
            continue;
        }
        d->kept = 1; /* here */
        outstanding--;
        error = fd_place(d, fds[i], problem, size);
    }
    return error;
}

/* One datagram; 0 also when there is none. */
static long receive(char *problem, size_t size)
{
    struct letter in;
    char control[CMSG_SPACE(BATCH * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
    struct iovec part = {&in, sizeof in};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long n = syscall3(__NR_recvmsg, socket_fd, (long)&header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const int *fds = NULL;
    unsigned count = 0;
    bool ours = false;

    if (n < 0)
        return n == -EAGAIN ? 0 : n;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
        if (at->cmsg_type == SCM_RIGHTS) {
            fds = (const void *)CMSG_DATA(at);
            count = (unsigned)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        } else if (at->cmsg_type == SCM_CREDENTIALS) {
            ours = ((const struct ucred *)(const void *)CMSG_DATA(at))->uid == (uid_t)syscall3(__NR_getuid, 0, 0, 0);
        }
    }
    if (!ours || n < (long)sizeof in.head || in.head.magic != MAGIC || in.head.generation != lib.generation) {
        for (unsigned i = 0; i < count; i++)
            sys_close(fds[i]);
        return 0;
    }
    if ((header.msg_flags & MSG_CTRUNC) || in.head.count != count) {
        fmt(problem, size, "descriptors from process %d do not fit here; is the limit of open files (ulimit -Hn) too low?", in.head.from);
        return -EMFILE;
    }
    return take(&in, fds, count, problem, size);
}

/* --- sending --- */

/* The next target, in ascending order, or 0; and its first letter. */
static int next_target(void)
{
    int next = 0;

    for (struct description *d = fd_state.descriptions; d; d = d->next)
        for (struct receiver *r = d->receivers; r; r = r->next)
            if (r->virtual > target && (!next || r->virtual < next))
                next = r->virtual;
    return next;
}

/* Fills the letter with what the target has not got yet; a receiver that is in a letter is marked by virtual = 0 when the letter has gone. */
static void write_letter(void)
{
    letter.head = (struct head){.magic = MAGIC, .generation = lib.generation, .from = lib.pid};
    for (struct description *d = fd_state.descriptions; d; d = d->next)
        for (struct receiver *r = d->receivers; r && letter.head.count < BATCH; r = r->next)
            if (r->virtual == target) {
                letter_fds[letter.head.count] = d->kept;
                letter.item[letter.head.count++] = (struct item){r->holder, r->index};
                r->virtual = 0;
            }
}

static long send_letter(void)
{
    char control[CMSG_SPACE(BATCH * sizeof(int))] __attribute__((aligned(8)));
    struct iovec part = {&letter, sizeof letter.head + letter.head.count * sizeof *letter.item};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                            .msg_controllen = CMSG_SPACE(letter.head.count * sizeof(int))};
    struct cmsghdr *rights = (void *)control;

    memset(control, 0, sizeof control);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(letter.head.count * sizeof(int));
    memcpy(CMSG_DATA(rights), letter_fds, letter.head.count * sizeof(int));
    return sys_sendmsg(target_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static long reach_target(void)
{
    struct sockaddr_un address;
    unsigned size = address_of(target, &address);

    if (target_fd >= 0)
        sys_close(target_fd);
    target_fd = (int)sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return target_fd < 0 ? target_fd : sys_connect(target_fd, &address, size);
}

/* True: nothing left to send. -EAGAIN in *error: the target must read first. */
static bool send_some(long *error, char *problem, size_t size)
{
    *error = 0;
    while (!*error) {
        if (!letter.head.count && target)
            write_letter();
        if (!letter.head.count) {
            target = next_target();
            if (!target)
                return true;
            *error = reach_target();
            continue;
        }
        *error = send_letter();
        if (*error > 0)
            *error = 0;
        if (!*error)
            letter.head.count = 0;
    }
    if (*error == -ETOOMANYREFS) /* our user's descriptors in flight have reached the limit; the target reads */
        *error = -EAGAIN;
    if (*error != -EAGAIN)
        fmt(problem, size, "process %d can't be given the descriptors that it shares: %e", target, (int)*error);
    return false;
}

struct slice {
    char *problem;
    size_t size;
    bool done;
};

static long exchange(void *argument)
{
    struct slice *slice = argument;
    uint64_t end = sys_now_ns(CLOCK_MONOTONIC) + SLICE_NS;
    long error;

    for (;;) {
        bool sent = send_some(&error, slice->problem, slice->size);
        if (error && error != -EAGAIN)
            return error;
        if (sent && !outstanding) {
            slice->done = true;
            return 0;
        }
        if (sys_now_ns(CLOCK_MONOTONIC) > end)
            return 0;
        struct pollfd polls[2] = {{.fd = outstanding ? socket_fd : -1, .events = POLLIN}, {.fd = sent ? -1 : target_fd, .events = POLLOUT}};
        struct timespec wait = {.tv_nsec = 20000000};
        sys_ppoll(polls, 2, &wait);
        if (polls[0].revents && (error = receive(slice->problem, slice->size)))
            return error;
    }
}

static long tidy(void *unused)
{
    if (socket_fd >= 0)
        sys_close(socket_fd);
    if (target_fd >= 0)
        sys_close(target_fd);
    for (struct description *d = fd_state.descriptions; d; d = d->next)
        if (d->receivers)
            sys_close(d->kept);
    return 0;
}

long exchange_run(int (*poll)(void), char *problem, size_t size)
{
    struct slice slice = {.problem = problem, .size = size};
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    long error = 0;

    if (!expects)
        return 0;
    problem[0] = 0;
    while (!slice.done && !error) {
        error = park_call(suspend_executor(), exchange, &slice);
        if (!error && !slice.done && poll())
            error = -ECANCELED;
        if (!error && !slice.done && sys_now_ns(CLOCK_MONOTONIC) > deadline)
            error = -ETIMEDOUT;
    }
    park_call(suspend_executor(), tidy, NULL);
    if (error && !problem[0])
        fmt(problem, size, "%u descriptors that other processes make do not arrive: %e", outstanding, (int)error);
    return error;
}
