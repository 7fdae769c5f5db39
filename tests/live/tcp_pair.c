/* TCP connections whose both ends are in one process, of both families and mixed (IPv4-mapped): addresses, data both ways, halves that are
 * closed, options, flags; a connection to itself; ends whose peer was closed. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "step.h"

struct end {
    int fd;
    struct sockaddr_storage local, peer;
    socklen_t size;
};

struct pair {
    struct end a, b;
};

static void remember(struct end *end)
{
    end->size = sizeof end->local;
    CHECK(getsockname(end->fd, (void *)&end->local, &end->size) == 0);
    end->size = sizeof end->peer;
    CHECK(getpeername(end->fd, (void *)&end->peer, &end->size) == 0);
}

static void same_names(const struct end *end)
{
    struct sockaddr_storage now;
    socklen_t size = sizeof now;

    CHECK(getsockname(end->fd, (void *)&now, &size) == 0 && size == end->size && !memcmp(&now, &end->local, size));
    CHECK(getpeername(end->fd, (void *)&now, &size) == 0 && size == end->size && !memcmp(&now, &end->peer, size));
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int get(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    CHECK(getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

/* server: the family of the listening socket; client: that of the other. */
static struct pair connected(int listener, int server, int client)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, name = {.sin6_family = 0};
    socklen_t size = sizeof name;
    struct pair pair;

    CHECK(getsockname(listener, (void *)&name, &size) == 0);
    v4.sin_port = v6.sin6_port = name.sin6_port; /* at the same place in both */
    pair.a.fd = socket(client, SOCK_STREAM, 0);
    CHECK(connect(pair.a.fd, client == AF_INET ? (void *)&v4 : (void *)&v6, client == AF_INET ? sizeof v4 : sizeof v6) == 0);
    pair.b.fd = accept(listener, NULL, NULL);
    CHECK(pair.b.fd >= 0);
    remember(&pair.a);
    remember(&pair.b);
    CHECK(pair.b.local.ss_family == server);
    return pair;
}

static int listening(int family, bool reuse)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    int fd = socket(family, SOCK_STREAM, 0);

    if (reuse)
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    CHECK(bind(fd, family == AF_INET ? (void *)&v4 : (void *)&v6, family == AF_INET ? sizeof v4 : sizeof v6) == 0 && listen(fd, 5) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
    char bytes[64];
    size_t got = 0;

    while (got < strlen(text)) {
        ssize_t n = read(fd, bytes + got, strlen(text) - got);
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(!memcmp(bytes, text, got));
}

static void at_end(int fd)
{
    char byte;

    CHECK(read(fd, &byte, 1) == 0);
}

static void awaits_end(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};

    CHECK(poll(&end, 1, 10000) == 1);
}

int main(int argc, char **argv)
{
    bool v6 = argc > 1;
    int listener = listening(v6 ? AF_INET6 : AF_INET, true), second = listening(AF_INET, false), family = v6 ? AF_INET6 : AF_INET;

    signal(SIGPIPE, SIG_IGN);
    struct pair plain = connected(listener, family, family), mixed = connected(listener, family, AF_INET), half = connected(listener, family, family),
                closed = connected(second, AF_INET, AF_INET), kept = connected(second, AF_INET, AF_INET), both = connected(listener, family, AF_INET),
                deaf = connected(listener, family, family), broken = connected(second, AF_INET, AF_INET), corked = connected(listener, family, family);
    struct linger linger = {.l_onoff = 1, .l_linger = 7};
    char congestion[16] = "reno";

    close(second); /* the accepted ones have its port still */
    set(plain.a.fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(plain.b.fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(plain.b.fd, IPPROTO_TCP, TCP_KEEPIDLE, 11);
    set(plain.b.fd, IPPROTO_TCP, TCP_KEEPINTVL, 12);
    set(plain.b.fd, IPPROTO_TCP, TCP_KEEPCNT, 13);
    set(plain.b.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 14000);
    set(plain.a.fd, SOL_SOCKET, SO_SNDBUF, 70000);
    set(plain.b.fd, SOL_SOCKET, SO_RCVBUF, 80000);
    set(mixed.a.fd, IPPROTO_IP, IP_TOS, 0x10);
    CHECK(setsockopt(mixed.b.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    CHECK(setsockopt(mixed.a.fd, IPPROTO_TCP, TCP_CONGESTION, congestion, 4) == 0);
    fcntl(plain.a.fd, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(mixed.b.fd, F_SETFD, FD_CLOEXEC);

    /* to itself */
    struct end self = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    CHECK(bind(self.fd, (void *)&here, sizeof here) == 0 && getsockname(self.fd, (void *)&here, &size) == 0);
    CHECK(connect(self.fd, (void *)&here, sizeof here) == 0);
    remember(&self);

    say(half.a.fd, "before the end");
    CHECK(shutdown(half.a.fd, SHUT_WR) == 0);
    say(closed.b.fd, "left behind");
    close(closed.b.fd);
    awaits_end(closed.a.fd);
    CHECK(shutdown(both.a.fd, SHUT_WR) == 0 && shutdown(both.b.fd, SHUT_WR) == 0);
    CHECK(shutdown(deaf.a.fd, SHUT_RD) == 0);
    say(broken.b.fd, "then it broke");
    struct linger now = {.l_onoff = 1};
    CHECK(setsockopt(broken.b.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(broken.b.fd);
    set(corked.a.fd, IPPROTO_TCP, TCP_CORK, 1);
    for (int round = 0;; round++) {
        say(plain.a.fd, "one way");
        say(plain.b.fd, "the other");
        say(mixed.a.fd, "mapped");
        say(self.fd, "myself");
        say(half.b.fd, "late answer");
        say(corked.a.fd, "held back");
        bool more = step();
        if (!more)
            break;
        same_names(&plain.a);
        same_names(&plain.b);
        same_names(&mixed.a);
        same_names(&mixed.b);
        same_names(&half.a);
        same_names(&half.b);
        same_names(&kept.a);
        same_names(&kept.b);
        same_names(&self);
        CHECK(get(corked.a.fd, IPPROTO_TCP, TCP_CORK) == 1);
        hear(plain.b.fd, "one way");
        hear(plain.a.fd, "the other");
        hear(mixed.b.fd, "mapped");
        hear(self.fd, "myself");
        hear(half.a.fd, "late answer");
        hear(corked.b.fd, "held back");
        CHECK(get(plain.a.fd, IPPROTO_TCP, TCP_NODELAY) == 1 && get(plain.b.fd, IPPROTO_TCP, TCP_NODELAY) == 0);
        CHECK(get(plain.b.fd, SOL_SOCKET, SO_KEEPALIVE) == 1 && get(plain.b.fd, IPPROTO_TCP, TCP_KEEPIDLE) == 11);
        CHECK(get(plain.b.fd, IPPROTO_TCP, TCP_KEEPINTVL) == 12 && get(plain.b.fd, IPPROTO_TCP, TCP_KEEPCNT) == 13);
        CHECK(get(plain.b.fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 14000 && get(plain.a.fd, SOL_SOCKET, SO_SNDBUF) == 140000);
        CHECK(get(plain.b.fd, SOL_SOCKET, SO_RCVBUF) == 160000 && get(mixed.a.fd, IPPROTO_IP, IP_TOS) == 0x10);
        CHECK(get(plain.b.fd, SOL_SOCKET, SO_REUSEADDR) == 1 && get(kept.b.fd, SOL_SOCKET, SO_REUSEADDR) == 0);
        size = sizeof linger;
        CHECK(getsockopt(mixed.b.fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff == 1 && linger.l_linger == 7);
        size = sizeof congestion;
        CHECK(getsockopt(mixed.a.fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &size) == 0 && !strcmp(congestion, "reno"));
        CHECK(fcntl(plain.a.fd, F_GETFL) & O_NONBLOCK && !(fcntl(plain.b.fd, F_GETFL) & O_NONBLOCK));
        CHECK(fcntl(mixed.b.fd, F_GETFD) == FD_CLOEXEC && fcntl(mixed.a.fd, F_GETFD) == 0);
        CHECK(write(half.a.fd, "x", 1) == -1 && errno == EPIPE);
        if (round == 0) {
            hear(half.b.fd, "before the end");
            hear(closed.a.fd, "left behind");
            hear(broken.a.fd, "then it broke");
        }
        at_end(half.b.fd);
        at_end(closed.a.fd);
        at_end(both.a.fd);
        at_end(both.b.fd);
        at_end(deaf.a.fd);
        say(deaf.a.fd, "still speaks");
        hear(deaf.b.fd, "still speaks");
        char byte;
        ssize_t n = read(broken.a.fd, &byte, 1);
        CHECK(round == 0 ? n == -1 && errno == ECONNRESET : n == 0);
        CHECK(write(broken.a.fd, "x", 1) == -1 && errno == EPIPE);
        struct pair fresh = connected(listener, family, family);
        close(fresh.a.fd);
        at_end(fresh.b.fd);
        close(fresh.b.fd);
    }
    puts("all connections are there");
    return 0;
}
