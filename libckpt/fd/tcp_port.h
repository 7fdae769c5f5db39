/* Ports for connections that are made again: others may have them too, and old connections may linger on them. In the executor. */
#ifndef TCP_PORT_H
#define TCP_PORT_H

#include "tcp_diag.h"

/* All give back 0 or -errno. Sockets are expected to have SO_REUSEADDR. */

/* A port that has other connections, and that nobody has bound, can't be bound, but connected from: as the kernel itself does when it chooses one.
 * Sets IP_BIND_ADDRESS_NO_PORT, and what tcp_unshare undoes. -EADDRINUSE: the kernel can't (before 6.3). */
long tcp_connect_sharing(int fd, const struct inet_address *local, const struct inet_address *target);
void tcp_unshare(int fd);
/* Ends a socket in TIME_WAIT; counts in *(unsigned *)tried, if that is not NULL, those where it could be tried. */
long tcp_end_lingering(const struct tcp_diag *old, void *tried);
/* All of them at the address's port. */
void tcp_clear_port(const struct inet_address *address);
/* bind(2), connect(2), after clearing and sharing if need be. */
long tcp_bind_again(int fd, const struct inet_address *address);
long tcp_connect_from(int fd, const struct inet_address *local, const struct inet_address *target);

#endif
