#include "unix_diag.h"

#include "sys.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

struct query {
    struct nlmsghdr header;
    struct unix_diag_req request;
};

static void take_attributes(const char *at, const char *end, struct unix_diag *diag)
{
    while (end - at >= (long)sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const void *)at;
        const void *value = attribute + 1;

        if (attribute->nla_len < sizeof *attribute || attribute->nla_len > end - at)
            return;
        switch (attribute->nla_type) {
        case UNIX_DIAG_PEER: diag->peer = *(const uint32_t *)value; break;
        case UNIX_DIAG_NAME: diag->named = true; break;
        case UNIX_DIAG_SHUTDOWN: diag->shutdown = *(const uint8_t *)value; break;
        }
        at += NLA_ALIGN(attribute->nla_len);
    }
}

static long ask(int fd, uint32_t inode, struct unix_diag *diag)
{
    struct query query = {
        .header = {.nlmsg_len = sizeof query, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .request = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_ino = inode, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER,
                    .udiag_cookie = {~0u, ~0u}},
    };
    char answer[4096] __attribute__((aligned(8)));
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
    take_attributes((const char *)(message + 1), (const char *)header + header->nlmsg_len, diag);
    return 0;
}

long unix_diag(uint32_t inode, struct unix_diag *diag)
{
    long fd = sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), error;

    *diag = (struct unix_diag){0};
    if (fd < 0)
        return fd;
    error = ask((int)fd, inode, diag);
    sys_close((int)fd);
    return error;
}
