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
};

/* 0, or -errno: -ENOENT for an inode that is no unix socket. */
long unix_diag(uint32_t inode, struct unix_diag *diag);

#endif
