/* Numeric internet addresses for free code, which has no inet_pton(3). Any thread. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%2" (the scope as a number) with a port up to 65535 in *to. Returns the size of the socket
 * address, or -EINVAL for anything else, names included. */
long address_parse(const char *text, unsigned port, union address *to);

#endif
