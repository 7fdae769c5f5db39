/* What the kernel tells about unix sockets without privilege: sock_diag(7). Checkpoint thread. */
#ifndef UNIX_DIAG_H
#define UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>

struct unix_diag {
    uint32_t type; /* SOCK_STREAM … */
    bool listening;
    bool connected;
    uint32_t peer; /* inode, 0: none (any more) */
    bool named;
    uint8_t shutdown; /* bit 0: receiving, bit 1: sending */
    uint32_t file; /* inode of the file to which it is bound, 0: none */
    uint32_t backlog; /* of one that listens */
};

/* Connections to a listening socket that it has yet to accept, in their order: the inodes of the sockets that connected, 0 for one closed since. */
struct unix_pending {
    uint32_t count;
    uint32_t inode[1000];
};

/* 0, or -errno: -ENOENT for an inode that is no unix socket. pending may be NULL. */
long unix_diag(uint32_t inode, struct unix_diag *diag, struct unix_pending *pending);

#endif
