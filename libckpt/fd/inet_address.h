/* Addresses of TCP and UDP sockets, as the kernel gives them, and in a form in which IPv4 and IPv4-mapped IPv6 are the same. */
#ifndef INET_ADDRESS_H
#define INET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct inet_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    unsigned size; /* 0: none */
};

struct inet_place {
    uint8_t host[16]; /* IPv4: mapped, ::ffff:a.b.c.d */
    uint16_t port; /* network byte order */
    uint16_t known; /* 0: no address */
};

/* call: __NR_getsockname or __NR_getpeername. In the executor. */
void inet_address_take(int fd, long call, struct inet_address *address);
unsigned inet_port(const struct inet_address *address);
void inet_set_port(struct inet_address *address, unsigned port);
bool inet_same(const struct inet_address *a, const struct inet_address *b);
/* A port, an address, or both: IP_BIND_ADDRESS_NO_PORT has the second alone. */
bool inet_is_bound(const struct inet_address *address);

struct inet_place inet_place(const struct inet_address *address);
bool inet_place_is_v4(const struct inet_place *place);
bool inet_same_place(const struct inet_place *a, const struct inet_place *b);
/* For a socket of the domain. */
struct inet_address inet_address_of(const struct inet_place *place, int domain);
/* The loopback address in the form that the given one has, port 0. */
struct inet_address inet_loopback(const struct inet_address *like);

#endif
