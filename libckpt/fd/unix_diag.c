#include "unix_diag.h"

#include "str.h"
#include "sys.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

struct query {
    struct nlmsghdr header;
    struct unix_diag_req request;
};

static void take_pending(const void *inodes, size_t size, struct unix_pending *pending)
{
    if (!pending)
        return;
    pending->count = (uint32_t)(size / sizeof *pending->inode);
    if (pending->count > sizeof pending->inode / sizeof *pending->inode)
        pending->count = sizeof pending->inode / sizeof *pending->inode;
    memcpy(pending->inode, inodes, pending->count * sizeof *pending->inode);
}

static void take_attributes(const char *at, const char *end, struct unix_diag *diag, struct unix_pending *pending)
{
    while (end - at >= (long)sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const void *)at;
        const void *value = attribute + 1;

        if (attribute->nla_len < sizeof *attribute || attribute->nla_len > end - at)
            return;
        switch (attribute->nla_type) {
        case UNIX_DIAG_PEER: diag->peer = *(const uint32_t *)value; break;
        case UNIX_DIAG_NAME: diag->named = true; break;
        case UNIX_DIAG_VFS: diag->file = ((const struct unix_diag_vfs *)value)->udiag_vfs_ino; break;
        case UNIX_DIAG_RQLEN: diag->backlog = diag->listening ? ((const struct unix_diag_rqlen *)value)->udiag_wqueue : 0; break;
        case UNIX_DIAG_ICONS: take_pending(value, attribute->nla_len - sizeof *attribute, pending); break;
        case UNIX_DIAG_SHUTDOWN: diag->shutdown = *(const uint8_t *)value; break;
        }
        at += NLA_ALIGN(attribute->nla_len);
    }
}

static long ask(int fd, uint32_t inode, struct unix_diag *diag, struct unix_pending *pending)
{
    struct query query = {
        .header = {.nlmsg_len = sizeof query, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .request = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_ino = inode, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | (pending ? UDIAG_SHOW_ICONS : 0),
                    .udiag_cookie = {~0u, ~0u}},
    };
    char answer[8192] __attribute__((aligned(8)));
    long n = sys_sendto(fd, &query, sizeof query, 0, NULL, 0);

    if (n >= 0)
        n = sys_recvfrom(fd, answer, sizeof answer, 0);
    if (n < 0)
        return n;
    const struct nlmsghdr *header = (const void *)answer;
    if (n < (long)sizeof *header || header->nlmsg_len > (unsigned long)n)
        return -EPROTO;
    if (header->nlmsg_type == NLMSG_ERROR)
        return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
    const struct unix_diag_msg *message = NLMSG_DATA(header);
    diag->type = message->udiag_type;
    diag->listening = message->udiag_state == 10; /* TCP_LISTEN */
    diag->connected = message->udiag_state == 1; /* TCP_ESTABLISHED */
    take_attributes((const char *)(message + 1), (const char *)header + header->nlmsg_len, diag, pending);
    return 0;
}

long unix_diag(uint32_t inode, struct unix_diag *diag, struct unix_pending *pending)
{
    long fd = sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), error;

    *diag = (struct unix_diag){0};
    if (pending)
        pending->count = 0;
    if (fd < 0)
        return fd;
    error = ask((int)fd, inode, diag, pending);
    sys_close((int)fd);
    return error;
}
