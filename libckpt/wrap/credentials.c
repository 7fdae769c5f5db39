/* Processes' numbers that sockets tell: SCM_CREDENTIALS and SO_PEERCRED (unix(7)). */
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "fd/unix_peers.h"
#include "vpid.h"
#include "wrap.h"

/* More control data than net.core.optmem_max usually lets through at all; where there is more, numbers in it stay. */
#define CONTROL_MAX 4096

static bool has_credentials(struct msghdr *message)
{
    if (!message->msg_control)
        return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at))
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_CREDENTIALS && at->cmsg_len >= CMSG_LEN(sizeof(struct ucred)))
            return true;
    return false;
}

static void translate(struct msghdr *message, int (*number)(int))
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at))
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_CREDENTIALS && at->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
            struct ucred *credentials = (struct ucred *)CMSG_DATA(at);
            credentials->pid = number(credentials->pid);
        }
}

static void received(struct msghdr *message)
{
    if (has_credentials(message))
        translate(message, vpid_from_real);
}

/* A message with its own control data: the program's must not change under other threads that send the same. */
struct outgoing {
    struct msghdr message;
    _Alignas(struct cmsghdr) char control[CONTROL_MAX];
};

static const struct msghdr *to_send(const struct msghdr *message, struct outgoing *copy)
{
    if (!message || message->msg_controllen > CONTROL_MAX || !has_credentials((struct msghdr *)(uintptr_t)message))
        return message;
    copy->message = *message;
    copy->message.msg_control = memcpy(copy->control, message->msg_control, message->msg_controllen);
    translate(&copy->message, vpid_to_real);
    return &copy->message;
}

WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))
{
    ssize_t result = REAL(recvmsg)(fd, message, flags);

    if (vpid_active && result >= 0)
        received(message);
    return result;
}

WRAP(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout))
{
    int result = REAL(recvmmsg)(fd, messages, count, flags, timeout);

    for (int i = 0; vpid_active && i < result; i++)
        received(&messages[i].msg_hdr);
    return result;
}

/* Of its own, so that the room is taken only when there may be something to translate. */
static __attribute__((noinline)) ssize_t send_translated(__typeof__(&sendmsg) real, int fd, const struct msghdr *message, int flags)
{
    struct outgoing copy;

    return real(fd, to_send(message, &copy), flags);
}

WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
{
    return vpid_active ? send_translated(REAL(sendmsg), fd, message, flags) : REAL(sendmsg)(fd, message, flags);
}

static bool any_credentials(struct mmsghdr *messages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (has_credentials(&messages[i].msg_hdr))
            return true;
    return false;
}

/* Messages with credentials are sent one by one: fewer than asked for may be sent, as ever, and an error is told if it is the first's. */
WRAP(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags))
{
    int sent = 0;

    if (!vpid_active || !any_credentials(messages, count))
        return REAL(sendmmsg)(fd, messages, count, flags);
    for (ssize_t n; (unsigned)sent < count; sent++) {
        n = sendmsg(fd, &messages[sent].msg_hdr, flags);
        if (n < 0)
            return sent ? sent : -1;
        messages[sent].msg_len = (unsigned)n;
    }
    return sent;
}

WRAP(int, getsockopt, (int fd, int level, int option, void *value, socklen_t *size))
{
    int result = REAL(getsockopt)(fd, level, option, value, size);

    if (level == SOL_SOCKET && option == SO_PEERCRED && result == 0 && *size >= sizeof(struct ucred)) {
        struct ucred *credentials = value;
        struct unix_peer peer;
        if (unix_peer_noted(fd, &peer))
            *credentials = (struct ucred){peer.pid, peer.uid, peer.gid};
        else if (vpid_active)
            credentials->pid = vpid_from_real(credentials->pid);
    }
    return result;
}
