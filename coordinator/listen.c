#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "host.h"
#include "loop.h"
#include "report.h"

enum {
    MAX_SOCKETS = 16,
    ANY_PORT_TRIES = 32, /* a port that is free on one address may be in use on another */
    ACCEPT_ROUND = 64, /* connections taken in before others get their turn */
};

static void ready(struct source *source, uint32_t events);
static void retry(struct timer *timer);

static struct source sockets[MAX_SOCKETS];
static unsigned count, port;
static bool paused;
static char host_text[256];
static struct timer retry_timer = {.expired = retry};

struct wanted {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size;
    bool optional; /* a host may be without IPv6 */
};

static struct wanted wanted[MAX_SOCKETS];
static unsigned wanted_count;

static void want(const struct sockaddr *address, socklen_t size, bool optional)
{
    for (unsigned i = 0; i < wanted_count; i++)
        if (wanted[i].size == size && !memcmp(&wanted[i].address, address, size))
            return;
    if (wanted_count == MAX_SOCKETS)
        return;
    memcpy(&wanted[wanted_count].address, address, size);
    wanted[wanted_count].size = size;
    wanted[wanted_count++].optional = optional;
}

static void want_v4(uint32_t address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};

    want((struct sockaddr *)&v4, sizeof v4, false);
}

static void want_v6(const struct in6_addr *address)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = *address};

    want((struct sockaddr *)&v6, sizeof v6, true);
}

static void choose(const char *host)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found, *each;
    int error;

    if (host && (!strcmp(host, "*") || !strcmp(host, "0.0.0.0") || !strcmp(host, "::"))) {
        want_v4(INADDR_ANY);
        want_v6(&in6addr_any);
        return;
    }
    want_v4(INADDR_LOOPBACK);
    want_v6(&in6addr_loopback);
    if (!host || !*host || !strcmp(host, "localhost"))
        return;
    error = getaddrinfo(host, NULL, &hints, &found);
    if (error)
        die("host %s: %s", host, gai_strerror(error));
    for (each = found; each; each = each->ai_next)
        want(each->ai_addr, each->ai_addrlen, false);
    freeaddrinfo(found);
}

static void set_port(struct wanted *one, unsigned number)
{
    if (one->address.any.sa_family == AF_INET)
        one->address.v4.sin_port = htons((uint16_t)number);
    else
        one->address.v6.sin6_port = htons((uint16_t)number);
}

/* The socket, or -errno. */
static int open_one(const struct wanted *one)
{
    int on = 1, fd = socket(one->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (one->address.any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (!bind(fd, &one->address.any, one->size) && !listen(fd, SOMAXCONN))
        return fd;
    error = errno;
    close(fd);
    return -error;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size))
        die("getsockname: %m");
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static void close_all(void)
{
    while (count)
        close(sockets[--count].fd);
}

/* 0, or -errno for the address *which. */
static int open_all(unsigned number, const struct wanted **which)
{
    for (unsigned i = 0; i < wanted_count; i++) {
        int fd;

        set_port(&wanted[i], number);
        fd = open_one(&wanted[i]);
        if (fd < 0 && wanted[i].optional && fd != -EADDRINUSE && fd != -EACCES)
            continue;
        if (fd < 0) {
            close_all();
            *which = &wanted[i];
            return fd;
        }
        if (!number)
            number = port_of(fd);
        sockets[count++] = (struct source){.fd = fd, .ready = ready};
    }
    port = number;
    return 0;
}

static _Noreturn void fail(const struct wanted *one, const char *host, unsigned number, int error)
{
    char address[INET6_ADDRSTRLEN] = "?";

    getnameinfo(&one->address.any, one->size, address, sizeof address, NULL, 0, NI_NUMERICHOST);
    if (error == EADDRINUSE && number)
        die("port %u is in use on %s: choose another (--coord-port P, 0 for any free one), or end the coordinator that is there "
            "(dmtcp_command --coord-port %u --quit)", number, address, number);
    if (error == EADDRNOTAVAIL)
        die("can't listen on %s (%s): it is no address of this host; start the coordinator there, or give another --coord-host", host,
            address);
    if (error == EACCES)
        die("port %u: %s; ports below 1024 are for root, choose another (--coord-port P)", number, strerror(error));
    die("can't listen on %s port %u: %s", address, number, strerror(error));
}

void listen_open(const char *host, unsigned number)
{
    const struct wanted *which = NULL;
    int error = 0;

    choose(host);
    for (int i = 0; i < (number ? 1 : ANY_PORT_TRIES); i++) {
        error = open_all(number, &which);
        if (error != -EADDRINUSE)
            break;
    }
    if (error)
        fail(which, host, number, -error);
    if (host && *host && strcmp(host, "*") && strcmp(host, "0.0.0.0") && strcmp(host, "::"))
        snprintf(host_text, sizeof host_text, "%s", host);
    else
        host_name(host_text, sizeof host_text);
}

void listen_start(void)
{
    for (unsigned i = 0; i < count; i++) {
        int error = loop_add(&sockets[i], EPOLLIN);

        if (error)
            die("epoll_ctl: %s", strerror(error));
    }
}

unsigned listen_port(void)
{
    return port;
}

const char *listen_host(void)
{
    return host_text;
}

void listen_close(void)
{
    timer_clear(&retry_timer);
    for (unsigned i = 0; i < count; i++)
        loop_remove(&sockets[i]);
    close_all();
}

/* A listening socket with a connection that can't be taken stays ready, and the loop would spin. */
static void pause_accepting(void)
{
    if (paused)
        return;
    warn("no more connections for now: %m");
    paused = true;
    for (unsigned i = 0; i < count; i++)
        loop_change(&sockets[i], 0);
    timer_after(&retry_timer, SECOND_NS);
}

void listen_resume(void)
{
    if (!paused)
        return;
    paused = false;
    timer_clear(&retry_timer);
    for (unsigned i = 0; i < count; i++)
        loop_change(&sockets[i], EPOLLIN);
}

static void retry(struct timer *timer)
{
    listen_resume();
}

static void ready(struct source *source, uint32_t events)
{
    for (int i = 0; i < ACCEPT_ROUND; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
            client_accept(fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting();
        if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
            return;
    }
}
