#include "tcp_port.h"

#include "str.h"
#include "sys.h"

#define LOCAL_PORT_RANGE 51 /* IP_LOCAL_PORT_RANGE, 6.3 */

static void set(int fd, int level, int name, int value)
{
    sys_setsockopt(fd, level, name, &value, sizeof value);
}

long tcp_connect_sharing(int fd, const struct inet_address *local, const struct inet_address *target)
{
    struct inet_address host = *local;
    uint32_t range = inet_port(local) | inet_port(local) << 16;

    inet_set_port(&host, 0);
    set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    long error = sys_setsockopt(fd, IPPROTO_IP, LOCAL_PORT_RANGE, &range, sizeof range);
    if (!error)
        error = syscall3(__NR_bind, fd, (long)&host.any, host.size);
    return error ? -EADDRINUSE : sys_connect(fd, &target->any, target->size);
}

/* Ends of old connections that linger in TIME_WAIT keep their ports for a minute. Who connects to such an end, from the other end's address, makes it
 * answer with what it had received; that answer is out of place and is reset, and the reset ends it: RFC 1337. */
long tcp_end_lingering(const struct tcp_diag *old, void *tried)
{
    int domain = inet_place_is_v4(&old->local) ? AF_INET : AF_INET6;
    struct inet_address from = inet_address_of(&old->peer, domain), to = inet_address_of(&old->local, domain);
    struct timespec moment = {.tv_nsec = 1000000};
    struct tcp_diag now;
    long fd = sys_socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd < 0)
        return 0;
    set((int)fd, SOL_SOCKET, SO_REUSEADDR, 1);
    long error = syscall3(__NR_bind, fd, (long)&from.any, from.size);
    error = error ? tcp_connect_sharing((int)fd, &from, &to) : sys_connect((int)fd, &to.any, to.size);
    if (error == -EINPROGRESS && tried)
        ++*(unsigned *)tried;
    if (error == -EINPROGRESS)
        for (unsigned i = 0; i < 20 && tcp_diag_find(&old->local, &old->peer, &now) == 0 && now.state == TCP_IS_TIME_WAIT; i++)
            sys_nanosleep(&moment);
    sys_close((int)fd);
    return 0;
}

void tcp_clear_port(const struct inet_address *address)
{
    if (address->size && inet_port(address))
        tcp_diag_each(htons((uint16_t)inet_port(address)), 1u << TCP_IS_TIME_WAIT, tcp_end_lingering, NULL);
}

long tcp_bind_again(int fd, const struct inet_address *address)
{
    long error = syscall3(__NR_bind, fd, (long)&address->any, address->size);

    if (error != -EADDRINUSE)
        return error;
    tcp_clear_port(address);
    return syscall3(__NR_bind, fd, (long)&address->any, address->size);
}

long tcp_connect_from(int fd, const struct inet_address *local, const struct inet_address *target)
{
    long error = tcp_bind_again(fd, local);

    if (error == -EADDRINUSE)
        return tcp_connect_sharing(fd, local, target);
    return error ? error : sys_connect(fd, &target->any, target->size);
}

void tcp_unshare(int fd)
{
    uint32_t any = 0;

    sys_setsockopt(fd, IPPROTO_IP, LOCAL_PORT_RANGE, &any, sizeof any);
}
