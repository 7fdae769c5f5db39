/* TCP sockets without a connection: new, bound, listening, of both families. UDP sockets: bound, connected, with datagrams queued. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "step.h"

struct place {
    int fd, family;
    struct sockaddr_storage address;
    socklen_t size;
};

static struct place open_place(int family, int type)
{
    struct place place = {.fd = socket(family, type, 0), .family = family};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    place.size = family == AF_INET ? sizeof v4 : sizeof v6;
    CHECK(place.fd >= 0 && bind(place.fd, family == AF_INET ? (void *)&v4 : (void *)&v6, place.size) == 0);
    CHECK(getsockname(place.fd, (void *)&place.address, &place.size) == 0);
    return place;
}

static void same_name(const struct place *place)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    CHECK(getsockname(place->fd, (void *)&address, &size) == 0 && size == place->size && !memcmp(&address, &place->address, size));
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    CHECK(getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

static void set(int fd, int level, int name, int value)
{
    CHECK(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

/* Accepts, and leaves no connection behind. */
static void accepts(const struct place *listener)
{
    struct linger reset = {.l_onoff = 1};
    int client = socket(listener->family, SOCK_STREAM, 0), server;
    char byte = 0;

    CHECK(connect(client, (const void *)&listener->address, listener->size) == 0);
    server = accept(listener->fd, NULL, NULL);
    CHECK(server >= 0 && write(client, "x", 1) == 1 && read(server, &byte, 1) == 1 && byte == 'x');
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(client);
    close(server);
}

static void queue(const struct place *from, const struct place *to)
{
    CHECK(sendto(from->fd, "first", 5, 0, (const void *)&to->address, to->size) == 5);
    CHECK(sendto(from->fd, "", 0, 0, (const void *)&to->address, to->size) == 0);
    CHECK(sendto(from->fd, "third", 5, 0, (const void *)&to->address, to->size) == 5);
}

static void take(const struct place *to, const struct place *from, const char *expected)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char bytes[16];
    ssize_t n = recvfrom(to->fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&address, &size);

    CHECK(n == (ssize_t)strlen(expected) && !memcmp(bytes, expected, (size_t)n));
    CHECK(size == from->size && !memcmp(&address, &from->address, size));
}

static void try_family(int family)
{
    struct place listener = open_place(family, SOCK_STREAM), bound = open_place(family, SOCK_STREAM), receiver = open_place(family, SOCK_DGRAM),
                 sender = open_place(family, SOCK_DGRAM), gone = open_place(family, SOCK_DGRAM), connected = open_place(family, SOCK_DGRAM);
    int new = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct tcp_info info;
    socklen_t size;
    char byte;

    CHECK(listen(listener.fd, 7) == 0);
    set(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
    set(listener.fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(new, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    set(new, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(bound.fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set(receiver.fd, SOL_SOCKET, SO_RCVBUF, 100000);
    if (family == AF_INET)
        set(sender.fd, IPPROTO_IP, IP_TTL, 9);
    else
        set(sender.fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
    int buffer = option(receiver.fd, SOL_SOCKET, SO_RCVBUF);
    CHECK(connect(connected.fd, (void *)&sender.address, sender.size) == 0);
    queue(&sender, &receiver);
    queue(&gone, &receiver);
    close(gone.fd);
    while (step()) {
        same_name(&listener);
        same_name(&bound);
        same_name(&receiver);
        same_name(&sender);
        same_name(&connected);
        accepts(&listener);
        size = sizeof info;
        CHECK(getsockopt(listener.fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_sacked == 7);
        CHECK(option(listener.fd, IPPROTO_TCP, TCP_NODELAY) == 1 && option(listener.fd, SOL_SOCKET, SO_REUSEADDR) == 0);
        CHECK(option(new, IPPROTO_TCP, TCP_KEEPIDLE) == 77 && option(new, SOL_SOCKET, SO_KEEPALIVE) == 1);
        CHECK((fcntl(new, F_GETFL) & O_NONBLOCK) && option(bound.fd, SOL_SOCKET, SO_REUSEPORT) == 1);
        CHECK(option(receiver.fd, SOL_SOCKET, SO_RCVBUF) == buffer);
        CHECK(family == AF_INET ? option(sender.fd, IPPROTO_IP, IP_TTL) == 9 : option(sender.fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 9);
        take(&receiver, &sender, "first");
        take(&receiver, &sender, "");
        take(&receiver, &sender, "third");
        take(&receiver, &gone, "first");
        take(&receiver, &gone, "");
        take(&receiver, &gone, "third");
        CHECK(recv(receiver.fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
        CHECK(send(connected.fd, "to peer", 7, 0) == 7);
        take(&sender, &connected, "to peer");
        queue(&sender, &receiver);
        gone.fd = socket(family, SOCK_DGRAM, 0);
        CHECK(bind(gone.fd, (void *)&gone.address, gone.size) == 0);
        queue(&gone, &receiver);
        close(gone.fd);
    }
}

int main(int argc, char **argv)
{
    try_family(argc > 1 && !strcmp(argv[1], "6") ? AF_INET6 : AF_INET);
    puts("sockets kept");
    return 0;
}
