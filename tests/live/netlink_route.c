/* Route sockets: one that asks, one that watches groups (also above 32), one that was never bound; and an address that was asked for. */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <sys/socket.h>

#include "step.h"

static void ask(int fd, unsigned sequence)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg body;
    } query = {{sizeof query, RTM_GETLINK, NLM_F_REQUEST, sequence, 0}, {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex("lo")}};
    char answer[16384] __attribute__((aligned(8)));
    const struct nlmsghdr *header = (const void *)answer;

    CHECK(send(fd, &query, sizeof query, 0) == (long)sizeof query);
    CHECK(recv(fd, answer, sizeof answer, 0) > (long)sizeof *header);
    CHECK(header->nlmsg_type == RTM_NEWLINK && header->nlmsg_seq == sequence);
}

static struct sockaddr_nl address_of(int fd)
{
    struct sockaddr_nl address;
    socklen_t size = sizeof address;

    CHECK(getsockname(fd, (void *)&address, &size) == 0 && size == sizeof address);
    return address;
}

int main(void)
{
    int asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), watches = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    int fresh = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE), on = 1, group = 33;
    struct sockaddr_nl any = {.nl_family = AF_NETLINK}, wanted = {.nl_family = AF_NETLINK, .nl_pid = 0x7f000000u + (unsigned)getpid(),
                                                                  .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};

    CHECK(bind(asks, (void *)&any, sizeof any) == 0);
    CHECK(bind(watches, (void *)&wanted, sizeof wanted) == 0);
    CHECK(setsockopt(watches, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0);
    CHECK(setsockopt(watches, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof on) == 0);
    unsigned asked_as = address_of(asks).nl_pid, sequence = 1;
    CHECK(asked_as);
    while (step()) {
        uint32_t groups[8] = {0};
        int value = 0, type = 0;
        socklen_t size = sizeof groups;

        CHECK(address_of(asks).nl_pid == asked_as);
        CHECK(address_of(watches).nl_pid == wanted.nl_pid && address_of(watches).nl_groups == wanted.nl_groups);
        CHECK(address_of(fresh).nl_pid == 0);
        CHECK(getsockopt(watches, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size) == 0);
        CHECK(groups[0] == wanted.nl_groups && groups[1] == 1);
        size = sizeof value;
        CHECK(getsockopt(watches, SOL_NETLINK, NETLINK_PKTINFO, &value, &size) == 0 && value == 1);
        CHECK(getsockopt(asks, SOL_NETLINK, NETLINK_PKTINFO, &value, &size) == 0 && value == 0);
        CHECK(getsockopt(fresh, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM);
        CHECK(fcntl(watches, F_GETFL) & O_NONBLOCK);
        CHECK(fcntl(asks, F_GETFD) == FD_CLOEXEC && fcntl(watches, F_GETFD) == 0);
        ask(asks, sequence++);
    }
    return 0;
}
