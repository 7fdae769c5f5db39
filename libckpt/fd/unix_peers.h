/* SO_PEERCRED after a restart: the kernel tells who made the connection again, the program is told who made it first. */
#ifndef UNIX_PEERS_H
#define UNIX_PEERS_H

#include <stdbool.h>
#include <stdint.h>

struct unix_peer { /* struct ucred with a virtual pid; 0: unknown */
    int32_t pid;
    uint32_t uid, gid;
};

/* As the program sees it: what was noted for the socket, or what the kernel says. In the executor. */
struct unix_peer unix_peer_read(int fd);
/* Restart, in the executor, with the descriptors in their places. */
void unix_peers_forget(void);
void unix_peer_note(int fd, struct unix_peer peer);
/* Any thread. False: nothing was noted for the socket. */
bool unix_peer_noted(int fd, struct unix_peer *peer);

#endif
