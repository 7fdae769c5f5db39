/* What the kernel tells about TCP sockets of which one has no descriptor: sock_diag(7). In the executor, whose network it is. */
#ifndef TCP_DIAG_H
#define TCP_DIAG_H

#include "inet_address.h"

/* net/tcp_states.h of the kernel */
enum tcp_diag_state {
    TCP_IS_ESTABLISHED = 1, TCP_IS_SYN_SENT, TCP_IS_SYN_RECV, TCP_IS_FIN_WAIT1, TCP_IS_FIN_WAIT2, TCP_IS_TIME_WAIT, TCP_IS_CLOSE,
    TCP_IS_CLOSE_WAIT, TCP_IS_LAST_ACK, TCP_IS_LISTEN, TCP_IS_CLOSING
};

struct tcp_diag {
    struct inet_place local, peer;
    uint32_t inode; /* 0: nobody's: not accepted yet, or closed */
    uint32_t state;
    uint32_t received; /* bytes that nobody has read */
    uint32_t unsent; /* bytes and an end that the other side has not acknowledged */
    uint32_t in_flight; /* packets */
};

/* The socket that has these addresses. -ENOENT: none; -EPROTONOSUPPORT and others: the kernel does not tell. */
long tcp_diag_find(const struct inet_place *local, const struct inet_place *peer, struct tcp_diag *diag);
/* Calls visit with every socket in one of the states (bits) that has this local port (network byte order; 0: any), until it returns nonzero. */
long tcp_diag_each(uint16_t port, uint32_t states, long (*visit)(const struct tcp_diag *diag, void *argument), void *argument);

#endif
