/* Connections that wait to be accepted, with data: what a client has sent can be read only from the accepted socket, and accepting can't be undone.
 * So a checkpoint accepts it, and sends it, as a descriptor, through a new connection that waits in its place. Whoever accepts that one
 * gets it instead (wrap/accept.c). The kernel keeps what is in flight just as it keeps what waits: closing the listening socket
 * closes both. */
#ifndef UNIX_HELD_H
#define UNIX_HELD_H

#include <stdbool.h>

/* The first message of a connection that stands for another. */
#define UNIX_HELD_WORD "dmtcp: accepted before"
enum { UNIX_HELD_SIZE = sizeof UNIX_HELD_WORD };

/* A checkpoint has begun in this process or in one from which it was forked. */
extern bool unix_held_possible;

/* If an accepted socket stands for another: that one, close-on-exec, and the given one is closed. Else -1. Any thread. */
int unix_held_take(int fd);

#endif
