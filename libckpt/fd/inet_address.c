#include "inet_address.h"

#include "str.h"
#include "sys.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void inet_address_take(int fd, long call, struct inet_address *address)
{
    *address = (struct inet_address){.size = sizeof address->v6};
    if (syscall3(call, fd, (long)&address->any, (long)&address->size) < 0)
        address->size = 0;
}

unsigned inet_port(const struct inet_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void inet_set_port(struct inet_address *address, unsigned port)
{
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons((uint16_t)port);
    else
        address->v4.sin_port = htons((uint16_t)port);
}

bool inet_same(const struct inet_address *a, const struct inet_address *b)
{
    return a->size == b->size && memcmp(&a->any, &b->any, a->size) == 0;
}

bool inet_is_bound(const struct inet_address *address)
{
    static const struct in6_addr wild;

    if (!address->size || inet_port(address))
        return address->size;
    return address->any.sa_family == AF_INET6 ? memcmp(&address->v6.sin6_addr, &wild, sizeof wild) != 0 : address->v4.sin_addr.s_addr != 0;
}

struct inet_place inet_place(const struct inet_address *address)
{
    struct inet_place place = {.known = address->size != 0};

    if (!address->size)
        return place;
    if (address->any.sa_family == AF_INET6) {
        memcpy(place.host, &address->v6.sin6_addr, sizeof place.host);
        place.port = address->v6.sin6_port;
    } else {
        memcpy(place.host, mapped, sizeof mapped);
        memcpy(place.host + sizeof mapped, &address->v4.sin_addr, 4);
        place.port = address->v4.sin_port;
    }
    return place;
}

bool inet_place_is_v4(const struct inet_place *place)
{
    return !memcmp(place->host, mapped, sizeof mapped);
}

bool inet_same_place(const struct inet_place *a, const struct inet_place *b)
{
    return a->known && b->known && a->port == b->port && !memcmp(a->host, b->host, sizeof a->host);
}

struct inet_address inet_address_of(const struct inet_place *place, int domain)
{
    struct inet_address address = {.size = domain == AF_INET6 ? sizeof address.v6 : sizeof address.v4};

    if (domain == AF_INET6) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = place->port;
        memcpy(&address.v6.sin6_addr, place->host, sizeof place->host);
    } else {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = place->port;
        memcpy(&address.v4.sin_addr, place->host + sizeof mapped, 4);
    }
    return address;
}

struct inet_address inet_loopback(const struct inet_address *like)
{
    struct inet_place place = inet_place(like);
    bool v4 = inet_place_is_v4(&place);

    memset(place.host + sizeof mapped, 0, 4);
    if (v4)
        place.host[12] = 127;
    else
        memset(place.host, 0, sizeof place.host);
    place.host[15] = 1;
    place.port = 0;
    return inet_address_of(&place, like->any.sa_family);
}
