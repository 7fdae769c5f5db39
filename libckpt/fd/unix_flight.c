#include "unix_flight.h"

#include <poll.h>
#include <sys/un.h>

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "unix_socket.h"

#define PASSPIDFD 76
#define BUFFER_SIZE 65536u
#define BATCH 100u

static struct scratch_array sockets; /* struct flight_socket */
static struct scratch_array numbers; /* int: in the order of the queues */
static struct flight *expected;

/* --- looking at queues --- */

static void set_aside(int fd, int name, int wanted, int *value)
{
    unsigned size = sizeof *value;

    if (sys_getsockopt(fd, SOL_SOCKET, name, value, &size) < 0)
        *value = name == SO_PEEK_OFF ? -2 : -1;
    else if (*value != wanted)
        sys_setsockopt(fd, SOL_SOCKET, name, &wanted, sizeof wanted);
}

void unix_peek_begin(int fd, struct unix_peeking *peeking, bool with_credentials)
{
    set_aside(fd, SO_PEEK_OFF, 0, &peeking->off);
    set_aside(fd, SO_PASSCRED, with_credentials, &peeking->credentials);
    set_aside(fd, SO_PASSSEC, 0, &peeking->security);
    set_aside(fd, PASSPIDFD, 0, &peeking->pidfd);
}

static void put_back(int fd, int name, int value, int was)
{
    if (value != was)
        sys_setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}

void unix_peek_end(int fd, const struct unix_peeking *peeking)
{
    if (peeking->off != -2)
        put_back(fd, SO_PEEK_OFF, peeking->off, -2);
    if (peeking->credentials >= 0)
        put_back(fd, SO_PASSCRED, peeking->credentials, -1);
    if (peeking->security > 0)
        put_back(fd, SO_PASSSEC, peeking->security, 0);
    if (peeking->pidfd > 0)
        put_back(fd, PASSPIDFD, peeking->pidfd, 0);
}

/* CMSG_NXTHDR may be a call of libc's. */
struct cmsghdr *unix_next_control(const struct msghdr *header, struct cmsghdr *at)
{
    char *next = (char *)at + CMSG_ALIGN(at->cmsg_len), *end = (char *)header->msg_control + header->msg_controllen;

    return at->cmsg_len >= sizeof *at && end - next >= (long)sizeof *at ? (void *)next : NULL;
}

/* The end of a sequenced connection is an empty message too, again and again. */
static bool at_end(int fd)
{
    struct pollfd poll = {.fd = fd, .events = POLLRDHUP};
    struct timespec now = {0};

    return sys_ppoll(&poll, 1, &now) == 1 && (poll.revents & (POLLRDHUP | POLLHUP));
}

static bool is_unix(int fd, int *type)
{
    int domain = 0;
    unsigned size = sizeof domain;

    if (sys_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
        return false;
    return sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &size) == 0;
}

/* Without room for it, the kernel says that there would have been something, and makes no descriptor. */
static bool carries_rights(int fd, char *buffer)
{
    for (;;) {
        struct iovec part = {buffer, BUFFER_SIZE};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
        long n = syscall3(__NR_recvmsg, fd, (long)&header, MSG_PEEK | MSG_DONTWAIT);

        if (n <= 0 || (header.msg_flags & MSG_CTRUNC))
            return n > 0;
    }
}

/* Of messages with bounds empty ones can be peeked only once (unix_socket.c): their queues are read where descriptors can be had. */
static bool to_be_read(int fd, int type, char *buffer)
{
    struct unix_peeking peeking;
    int off = -1;
    unsigned size = sizeof off;
    char byte;

    sys_getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, &size);
    if (off < 0) {
        long n = sys_recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 || (n == 0 && (type == SOCK_STREAM || at_end(fd))))
            return false;
    }
    if (type != SOCK_STREAM)
        return true;
    unix_peek_begin(fd, &peeking, false);
    bool rights = carries_rights(fd, buffer);
    unix_peek_end(fd, &peeking);
    return rights;
}

struct search {
    int *found; /* numbers of sockets */
    unsigned count;
    char *buffer;
};

/* In the executor. */
static long search(void *argument)
{
    struct search *search = argument;

    for (unsigned i = 0; i < fd_state.descriptor_count; i++) {
        int fd = fd_state.descriptors[i].fd, type;

        if (is_unix(fd, &type) && to_be_read(fd, type, search->buffer))
            search->found[search->count++] = fd;
    }
    return 0;
}

/* --- sockets from the program's table to the checkpoint thread's --- */

struct transfer {
    const struct sockaddr_un *address;
    unsigned address_size;
    const int *fds;
    unsigned count;
};

/* In the executor. */
static long send_sockets(void *argument)
{
    const struct transfer *transfer = argument;
    char control[CMSG_SPACE(BATCH * sizeof(int))] __attribute__((aligned(8)));
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr header = {.msg_name = (void *)(uintptr_t)transfer->address, .msg_namelen = transfer->address_size, .msg_iov = &part,
                            .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(transfer->count * sizeof(int))};
    struct cmsghdr *rights = (void *)control;

    memset(control, 0, sizeof control);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(transfer->count * sizeof(int));
    memcpy(CMSG_DATA(rights), transfer->fds, transfer->count * sizeof(int));
    long fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    long error = fd < 0 ? fd : sys_sendmsg((int)fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (fd >= 0)
        sys_close((int)fd);
    return error < 0 ? error : 0;
}

static long note_socket(int fd, bool nested)
{
    struct stat st;
    long error = sys_fstat(fd, &st);

    if (error < 0)
        return error;
    struct flight_socket *socket = scratch_append(&sockets, sizeof *socket);
    if (!socket)
        return -ENOMEM;
    *socket = (struct flight_socket){.inode = (uint32_t)st.st_ino, .fd = fd, .nested = nested};
    return 0;
}

/* Datagrams of others to the name are dropped: the kernel vouches for the sender. */
static long receive_sockets(int from, unsigned count)
{
    char control[CMSG_SPACE(BATCH * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
    char byte;

    for (;;) {
        struct iovec part = {&byte, 1};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        long n = syscall3(__NR_recvmsg, from, (long)&header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), error = 0;
        const int *fds = NULL;
        unsigned got = 0;
        bool ours = false;

        if (n < 0)
            return n;
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = unix_next_control(&header, at)) {
            if (at->cmsg_type == SCM_RIGHTS) {
                fds = (const void *)CMSG_DATA(at);
                got = (unsigned)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            } else if (at->cmsg_type == SCM_CREDENTIALS) {
                ours = ((const struct ucred *)(const void *)CMSG_DATA(at))->pid == sys_getpid();
            }
        }
        for (unsigned i = 0; i < got; i++)
            if (ours && !error)
                error = note_socket(fds[i], false);
            else
                sys_close(fds[i]);
        if (ours)
            return error ? error : got == count ? 0 : -EMFILE;
    }
}

static long bring(const int *fds, unsigned count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsigned size = sizeof address;
    int on = 1;
    long fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = fd;

    if (fd >= 0)
        error = sys_setsockopt((int)fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (!error)
        error = syscall3(__NR_bind, fd, (long)&address, sizeof address.sun_family); /* a name of the kernel's choice */
    if (!error)
        error = sys_getsockname((int)fd, &address, &size);
    for (unsigned i = 0; i < count && !error; i += BATCH) {
        struct transfer transfer = {&address, size, fds + i, count - i < BATCH ? count - i : BATCH};
        error = park_call(suspend_executor(), send_sockets, &transfer);
        if (!error)
            error = receive_sockets((int)fd, transfer.count);
    }
    if (fd >= 0)
        sys_close((int)fd);
    return error;
}

/* --- what is in flight --- */

static bool seen(uint32_t inode, unsigned before)
{
    const struct flight_socket *at = sockets.memory;

    for (unsigned i = 0; i < before; i++)
        if (at[i].inode == inode)
            return true;
    return false;
}

long flight_note(int fd)
{
    long lifted = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd_state.flight_first);
    int type;

    sys_close(fd);
    if (lifted < 0)
        return lifted;
    int *number = scratch_append(&numbers, sizeof *number);
    if (!number) {
        sys_close((int)lifted);
        return -ENOMEM;
    }
    *number = (int)lifted;
    long error = is_unix((int)lifted, &type) ? note_socket((int)lifted, true) : 0;
    return error ? error : lifted;
}

static long take_all(char *buffer)
{
    long error = 0;

    for (unsigned i = 0; (i + 1) * sizeof(struct flight_socket) <= sockets.used && !error; i++) {
        struct flight_socket socket = ((struct flight_socket *)sockets.memory)[i];
        struct unix_message *messages;

        if (seen(socket.inode, i))
            continue;
        error = unix_peek_flight(socket.fd, socket.inode, &messages, buffer);
        ((struct flight_socket *)sockets.memory)[i].messages = messages;
    }
    return error;
}

static long add_descriptors(void)
{
    unsigned count = (unsigned)(numbers.used / sizeof(int)), at = fd_state.descriptor_count;
    struct descriptor *all = arena_alloc((at + count + 1) * sizeof *all);
    struct description **indexed = arena_alloc((at + count + 1) * sizeof *indexed);

    if (!all || !indexed)
        return -ENOMEM;
    memcpy(all, fd_state.descriptors, at * sizeof *all);
    for (unsigned i = 0; i < count; i++, at++) {
        unsigned place = at;
        int number = ((int *)numbers.memory)[i];
        for (; place && all[place - 1].fd > number; place--)
            all[place] = all[place - 1];
        all[place] = (struct descriptor){.fd = number};
    }
    fd_state.descriptors = all;
    fd_state.indexed = indexed;
    fd_state.descriptor_count = at;
    return 0;
}

static long find_through(const int *fds, unsigned count, char *problem, size_t size)
{
    char *buffer = scratch_map(UNIX_PEEK_MAX, false);
    long error = buffer ? 0 : -ENOMEM;

    fd_state.flights_aside = true;
    fd_state.flight_first = fd_state.descriptors[fd_state.descriptor_count - 1].fd + 1;
    if (!error)
        error = bring(fds, count);
    if (!error)
        error = take_all(buffer);
    if (!error)
        error = add_descriptors();
    if (buffer)
        scratch_unmap(buffer, UNIX_PEEK_MAX);
    if (error == -EMFILE)
        fmt(problem, size, "the descriptors in flight in the queue of descriptor %d and others do not fit here; is the limit of open files "
                           "(ulimit -Hn) too low?", fds[0]);
    else if (error)
        fmt(problem, size, "the descriptors in flight in the queue of descriptor %d can't be looked at: %e; receive them before a checkpoint",
            fds[0], (int)error);
    return error;
}

long flights_find(char *problem, size_t size)
{
    size_t room = (fd_state.descriptor_count + 1) * sizeof(int);
    struct search search_state = {.found = scratch_map(room, false), .buffer = scratch_map(BUFFER_SIZE, false)};
    long error = search_state.found && search_state.buffer ? 0 : -ENOMEM;

    sockets = numbers = (struct scratch_array){0}; /* after a restart, what the image remembers means nothing */
    expected = NULL;
    /* Everybody who has a socket looks at its queue, which shifts its offset and sets its options aside. */
    long lock = survey_lock();
    if (!error)
        error = park_call(suspend_executor(), search, &search_state);
    if (!error && search_state.count)
        error = find_through(search_state.found, search_state.count, problem, size);
    if (lock >= 0)
        sys_close((int)lock);
    if (search_state.found)
        scratch_unmap(search_state.found, room);
    if (search_state.buffer)
        scratch_unmap(search_state.buffer, BUFFER_SIZE);
    return error;
}

void flights_leave(void)
{
    const struct flight_socket *socket = sockets.memory;
    const int *number = numbers.memory;

    if (!fd_state.flights_aside)
        return;
    fd_state.flights_aside = false;
    for (unsigned i = 0; i < sockets.used / sizeof *socket; i++)
        if (!socket[i].nested)
            sys_close(socket[i].fd);
    for (unsigned i = 0; i < numbers.used / sizeof *number; i++)
        sys_close(number[i]);
    scratch_free(&sockets);
    scratch_free(&numbers);
}

/* --- for those who record --- */

const struct flight_socket *flight_socket(uint32_t inode)
{
    const struct flight_socket *socket = sockets.memory;

    for (unsigned i = 0; fd_state.flights_aside && i < sockets.used / sizeof *socket; i++)
        if (socket[i].inode == inode)
            return &socket[i];
    return NULL;
}

uint32_t flight_description(int number)
{
    for (unsigned i = fd_state.descriptor_count; i-- > 0;)
        if (fd_state.descriptors[i].fd == number)
            return fd_state.descriptors[i].description->index;
    return ~0u;
}

/* --- restart --- */

long flights_expect(int holder, unsigned index)
{
    struct flight *flight = arena_alloc(sizeof *flight);

    if (!flight)
        return -ENOMEM;
    *flight = (struct flight){.next = expected, .holder = holder, .index = index, .fd = -1};
    expected = flight;
    return 0;
}

struct flight *flights_expected(void)
{
    return expected;
}

int flight_arrived(int holder, unsigned index)
{
    if (holder == lib.pid)
        return index < fd_state.count ? fd_state.indexed[index]->first : -1;
    for (const struct flight *flight = expected; flight; flight = flight->next)
        if (flight->holder == holder && flight->index == index)
            return flight->fd;
    return -1;
}
