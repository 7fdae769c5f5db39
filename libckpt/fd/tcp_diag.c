#include "tcp_diag.h"

#include "str.h"
#include "sys.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

struct query {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

static struct inet_place place_of(int family, const uint32_t *host, uint16_t port)
{
    struct inet_address address = {.size = 0};

    if (family == AF_INET6) {
        address.size = sizeof address.v6;
        memcpy(&address.v6.sin6_addr, host, 16);
        address.v6.sin6_port = port;
    } else {
        address.size = sizeof address.v4;
        memcpy(&address.v4.sin_addr, host, 4);
        address.v4.sin_port = port;
    }
    address.any.sa_family = (sa_family_t)family;
    return inet_place(&address);
}

static void take(const struct nlmsghdr *header, struct tcp_diag *diag)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    const char *at = (const char *)(message + 1), *end = (const char *)header + header->nlmsg_len;

    *diag = (struct tcp_diag){
        .local = place_of(message->idiag_family, message->id.idiag_src, message->id.idiag_sport),
        .peer = place_of(message->idiag_family, message->id.idiag_dst, message->id.idiag_dport),
        .inode = message->idiag_inode, .state = message->idiag_state, .received = message->idiag_rqueue, .unsent = message->idiag_wqueue};
    while (end - at >= (long)sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const void *)at;
        if (attribute->nla_len < sizeof *attribute || attribute->nla_len > end - at)
            return;
        if (attribute->nla_type == INET_DIAG_INFO && attribute->nla_len >= sizeof *attribute + offsetof(struct tcp_info, tcpi_sacked))
            diag->in_flight = ((const struct tcp_info *)(const void *)(attribute + 1))->tcpi_unacked;
        at += NLA_ALIGN(attribute->nla_len);
    }
}

static long ask(struct query *query)
{
    long fd = sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    query->header.nlmsg_len = sizeof *query;
    query->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    query->header.nlmsg_flags |= NLM_F_REQUEST;
    query->request.sdiag_protocol = IPPROTO_TCP;
    query->request.idiag_ext = 1u << (INET_DIAG_INFO - 1);
    query->request.id.idiag_cookie[0] = query->request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    long error = fd < 0 ? fd : sys_sendto((int)fd, query, sizeof *query, 0, NULL, 0);
    if (error < 0 && fd >= 0)
        sys_close((int)fd);
    return error < 0 ? error : fd;
}

static bool holds_message(const struct nlmsghdr *header, const char *end)
{
    return end - (const char *)header >= (long)sizeof *header && header->nlmsg_len >= sizeof *header && header->nlmsg_len <= end - (const char *)header;
}

static long error_of(const struct nlmsghdr *header)
{
    return header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)) ? ((const struct nlmsgerr *)NLMSG_DATA(header))->error : -EPROTO;
}

long tcp_diag_find(const struct inet_place *local, const struct inet_place *peer, struct tcp_diag *diag)
{
    bool v4 = inet_place_is_v4(local) && inet_place_is_v4(peer);
    struct query query = {.request = {.sdiag_family = v4 ? AF_INET : AF_INET6, .idiag_states = ~0u}};
    char answer[4096] __attribute__((aligned(8)));
    const struct nlmsghdr *header = (const void *)answer;

    query.request.id.idiag_sport = local->port;
    query.request.id.idiag_dport = peer->port;
    memcpy(query.request.id.idiag_src, local->host + (v4 ? 12 : 0), v4 ? 4 : 16);
    memcpy(query.request.id.idiag_dst, peer->host + (v4 ? 12 : 0), v4 ? 4 : 16);
    long fd = ask(&query), n = fd < 0 ? fd : sys_recvfrom((int)fd, answer, sizeof answer, 0);
    if (fd >= 0)
        sys_close((int)fd);
    if (n < 0)
        return n;
    if (!holds_message(header, answer + n))
        return -EPROTO;
    if (header->nlmsg_type == NLMSG_ERROR)
        return error_of(header);
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return -EPROTO;
    take(header, diag);
    /* Where there is no connection, the kernel tells of who listens for one. */
    return diag->state == TCP_IS_LISTEN || !inet_same_place(&diag->peer, peer) ? -ENOENT : 0;
}

struct walk {
    uint16_t port;
    long (*visit)(const struct tcp_diag *, void *);
    void *argument;
};

/* 1: the last message was there. */
static long visit_all(const char *at, const char *end, const struct walk *walk)
{
    for (; holds_message((const void *)at, end); at += NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)at)->nlmsg_len)) {
        const struct nlmsghdr *header = (const void *)at;
        struct tcp_diag diag;
        if (header->nlmsg_type == NLMSG_DONE)
            return 1;
        if (header->nlmsg_type == NLMSG_ERROR)
            return error_of(header);
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            return -EPROTO;
        take(header, &diag);
        long error = !walk->port || diag.local.port == walk->port ? walk->visit(&diag, walk->argument) : 0;
        if (error)
            return error;
    }
    return 0;
}

static long each_of(int family, uint32_t states, const struct walk *walk)
{
    struct query query = {.header = {.nlmsg_flags = NLM_F_DUMP}, .request = {.sdiag_family = (uint8_t)family, .idiag_states = states}};
    char answer[16384] __attribute__((aligned(8)));

    query.request.id.idiag_sport = walk->port;
    long fd = ask(&query), done = fd < 0 ? fd : 0;
    while (!done) {
        done = sys_recvfrom((int)fd, answer, sizeof answer, 0);
        if (!done)
            done = -EPROTO;
        if (done > 0)
            done = visit_all(answer, answer + done, walk);
    }
    if (fd >= 0)
        sys_close((int)fd);
    return done == 1 ? 0 : done;
}

long tcp_diag_each(uint16_t port, uint32_t states, long (*visit)(const struct tcp_diag *diag, void *argument), void *argument)
{
    struct walk walk = {port, visit, argument};
    long error = each_of(AF_INET, states, &walk), error6 = error ? 0 : each_of(AF_INET6, states, &walk);

    return error ? error : error6 == -ENOENT ? 0 : error6; /* a kernel without IPv6 */
}
