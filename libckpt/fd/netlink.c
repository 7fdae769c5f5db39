/* Sockets of netlink(7), of the protocols that keep nothing else about a socket in the kernel: made anew with their address, groups and
 * options. What is queued can't be put back, since the kernel is its sender: an answer that has not been read is refused rather than waited for in
 * vain after a restart. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "sock_options.h"
#include "suspend.h"
#include "sys.h"

#include <linux/netlink.h>

#define GROUP_WORDS 8u /* the kernel has less than 40 groups */
#define ROW(name_) {SOL_NETLINK, name_, sizeof(int), SOCK_AFTER}

static const struct sock_option rows[] = {
    ROW(NETLINK_PKTINFO), ROW(NETLINK_BROADCAST_ERROR), ROW(NETLINK_NO_ENOBUFS), ROW(NETLINK_LISTEN_ALL_NSID),
    ROW(NETLINK_CAP_ACK), ROW(NETLINK_EXT_ACK), ROW(NETLINK_GET_STRICT_CHK),
};

/* dbus-daemon tells of its refusals through audit, what waits for devices listens to uevents. Not here: the connector, which keeps a
 * subscription, and netfilter, whose subsystems keep queues. */
static const int protocols[] = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_XFRM, NETLINK_SELINUX, NETLINK_AUDIT, NETLINK_KOBJECT_UEVENT,
                                NETLINK_GENERIC};

struct netlink_state {
    struct sock_options *options, *netlink_options;
    struct sockaddr_nl local, peer;
    uint32_t groups[GROUP_WORDS];
};

static long protocol_here(void *argument)
{
    int value = -1;
    unsigned size = sizeof value;
    long error = sys_getsockopt(((const struct description *)argument)->first, SOL_SOCKET, SO_PROTOCOL, &value, &size);

    return error ? error : value;
}

static bool netlink_claim(const struct description *d)
{
    if (!S_ISSOCK(d->st.st_mode) || d->domain != AF_NETLINK)
        return false;

    long protocol = fd_call(d, protocol_here, (void *)d);
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (protocol == protocols[i])
            return true;
    return false;
}

/* Asked with poll, since recv would take an error away that the program has not seen. */
static long queued_here(void *argument)
{
    struct pollfd poll = {.fd = ((const struct description *)argument)->first, .events = POLLIN};
    struct timespec now = {0};

    return sys_ppoll(&poll, 1, &now) > 0 && (poll.revents & POLLIN);
}

static long netlink_check(const struct description *d, char *problem, size_t size)
{
    if (fd_call(d, queued_here, (void *)d) <= 0)
        return 0;
    fmt(problem, size, "descriptor %d (%s) is a netlink socket with messages of the kernel that have not been read; read them, then checkpoint",
        d->first, d->link);
    return -EBUSY;
}

static long save_here(void *argument)
{
    const struct description *d = argument;
    struct netlink_state *state = d->own;
    unsigned size = sizeof state->local;
    long error = sys_getsockname(d->first, &state->local, &size);

    size = sizeof state->peer;
    if (!error)
        error = syscall3(__NR_getpeername, d->first, (long)&state->peer, (long)&size);
    size = sizeof state->groups;
    if (!error && sys_getsockopt(d->first, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, state->groups, &size) < 0)
        state->groups[0] = state->local.nl_groups; /* before Linux 4.2 */
    state->options = sock_options_save(d->first, NULL, 0);
    state->netlink_options = sock_options_save(d->first, rows, sizeof rows / sizeof *rows);
    return error ? error : state->options && state->netlink_options ? 0 : -ENOMEM;
}

static long netlink_save(struct description *d, char *problem, size_t size)
{
    d->own = arena_alloc(sizeof(struct netlink_state));
    long error = d->own ? fd_call(d, save_here, d) : -ENOMEM;

    if (error)
        fmt(problem, size, "descriptor %d (%s): its state can't be read: %e", d->first, d->link, (int)error);
    return error;
}

static long take_place(int fd, const struct netlink_state *state)
{
    struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_pid = state->local.nl_pid};
    long error = local.nl_pid ? syscall3(__NR_bind, fd, (long)&local, sizeof local) : 0;

    for (unsigned group = 1; !error && group <= GROUP_WORDS * 32; group++)
        if (state->groups[(group - 1) / 32] & (1u << (group - 1) % 32))
            error = sys_setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
    if (!error && (state->peer.nl_pid || state->peer.nl_groups))
        error = sys_connect(fd, &state->peer, sizeof state->peer);
    return error;
}

static long netlink_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct netlink_state *state = d->own;
    long fd = sys_socket(AF_NETLINK, (int)state->options->type | SOCK_CLOEXEC, (int)state->options->protocol), error = fd;

    if (fd >= 0) {
        sock_options_set((int)fd, state->options, SOCK_BEFORE_BIND, d->link);
        error = take_place((int)fd, state);
    }
    if (error < 0) {
        fmt(problem, size, "descriptor %d (%s): the netlink socket %u can't be made again: %e", d->first, d->link, state->local.nl_pid, (int)error);
        if (fd >= 0)
            sys_close((int)fd);
        return error;
    }
    sock_options_set((int)fd, state->options, SOCK_AFTER, d->link);
    sock_options_set((int)fd, state->netlink_options, SOCK_AFTER, d->link);
    sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    return fd_lift(fd, low);
}

const struct fd_kind fd_netlink = {.name = "netlink socket",
                                  .claim = netlink_claim, .check = netlink_check, .save = netlink_save, .restore = netlink_restore};
