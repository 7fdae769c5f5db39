/* TCP sockets: what is recorded of one, between the files that record (tcp_socket.c, tcp_stream.c, tcp_waiting.c) and make (tcp_make.c).
 *
 * All TCP sockets of the computation on a host are made again by one process, the lowest that holds any: they are connected to each other and
 * share ports, and whoever makes a connection needs both ends at hand, and nobody listening on its port. A connection whose other end is
 * not among them has lost its peer. */
#ifndef TCP_SOCKET_H
#define TCP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inet_address.h"
#include "sock_options.h"
#include "tcp_diag.h"

struct description;

/* Of a listening socket: a connection of the computation that nobody has accepted yet. */
struct tcp_waiting {
    struct tcp_waiting *next;
    struct inet_place client;
    uint32_t inode; /* the client's */
    uint32_t size; /* of what it has sent */
    uint32_t ended; /* it has sent the end, too */
    char *bytes;
    int held; /* accepted by this checkpoint, until it is over; -1 */
};

struct tcp_state {
    struct inet_address local, peer;
    uint32_t state; /* enum tcp_diag_state */
    bool read_closed; /* the end was received, or shutdown(SHUT_RD) */
    bool error; /* SO_ERROR will tell one */
    bool was_connected;
    bool urgent;
    char urgent_byte;
    uint32_t urgent_at; /* bytes before it */
    int backlog;
    struct sock_options *options, *inet_options;
    uint32_t size; /* of what is to be read */
    char *bytes;
    struct tcp_waiting *waiting;
    int narrow; /* SO_RCVBUF, while the checkpoint has made it larger; 0 */
    uint32_t sender; /* inode of the other end that sends again meanwhile */

    /* restart */
    struct description *description;
    struct tcp_state *mate; /* the other end */
    const struct tcp_waiting *at_listener; /* still to be accepted */
    int fd; /* until all are complete; -1 */
};

/* The state of a TCP socket that this process makes, else NULL. */
struct tcp_state *tcp_state(const struct description *d);
bool tcp_has_sent_end(uint32_t state);
bool tcp_is_connection(uint32_t state);

/* --- checkpoint, in the executor --- */

/* tcp_stream.c: what is to be read: in the receive queue, and what the other end, if the computation has it, has still to send. */
long tcp_stream_record(const struct description *d, struct tcp_state *state, char *problem, size_t size);
/* What a sender holds back to fill packets, goes out. */
void tcp_push(int fd);
/* Waits a moment for what the other end has sent and we have not acknowledged, without reading: 0 all is here; 1 the window is closed or the
 * other end slow; -ENOENT: the computation has no such socket here, and nobody has closed one. */
long tcp_settle(uint64_t device, int fd, const struct inet_place *local, const struct inet_place *peer, struct tcp_diag *other);
int tcp_info_state(int fd, uint32_t *waiting, uint32_t *backlog, bool *was_connected);
long tcp_queued(int fd);

/* What is left of a stream of another process for its owner. */
enum { TCP_REFILL_READ = 1, TCP_REFILL_ACCEPTED };
struct tcp_refill {
    uint32_t what;
    uint32_t size; /* bytes follow */
    uint32_t ended;
    uint32_t complete;
    struct inet_place local, peer;
};
/* Claims the stream of a socket of the computation. 0, -ECANCELED: its owner runs already. */
long tcp_refill_begin(uint64_t device, uint32_t inode, size_t room, int *file);
long tcp_refill_write(uint64_t device, uint32_t inode, int file, const struct tcp_refill *head, const char *bytes);
/* fd_kind.release */
void tcp_release(struct description *d);
/* fd_kind.released: a receive buffer that was made larger goes back to its size when the other end has sent all again. */
void tcp_released(struct description *d);
/* Sends all of it into an own socket whose peer does not read for now. -ENOBUFS: it does not fit. */
long tcp_send_all(int fd, const char *bytes, size_t size);
/* Room for so much in a receive queue, as far as it is allowed. */
void tcp_widen(int fd, size_t size);
void tcp_nap(unsigned microseconds);

/* tcp_waiting.c: the computation's own connections that wait to be accepted, with data. */
long tcp_waiting_record(const struct description *d, struct tcp_state *state, char *problem, size_t size);
void tcp_waiting_release(struct tcp_state *state);

/* --- restart, in the executor: tcp_make.c --- */

long tcp_make_all(char *problem, size_t size);

#endif
