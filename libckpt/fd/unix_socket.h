/* Unix sockets: what is recorded of one, between the files that record (unix_socket.c) and make (unix_make.c, unix_bind.c).
 *
 * All unix sockets of the computation on a host are made again by one process, the lowest that holds any: they are connected to each
 * other, wait in each other's queues, and share names, and whoever makes one needs the others at hand. */
#ifndef UNIX_SOCKET_H
#define UNIX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "sock_options.h"
#include "unix_diag.h"

struct description;

struct unix_name {
    uint32_t size; /* of sun_path that counts; 0: none */
    char path[sizeof ((struct sockaddr_un *)0)->sun_path + 4];
};

struct unix_message {
    struct unix_message *next;
    struct unix_name from;
    uint32_t pending; /* of one that listens: sent by this one of those that wait, counted from 1 */
    bool credentials;
    int32_t pid; /* virtual */
    uint32_t uid, gid;
    uint32_t size;
    uint32_t flight_count; /* descriptors that it carries: */
    int32_t holder; /* whose descriptions they are, */
    uint32_t *flight; /* and which (unix_flight.h) */
    char *bytes;
};

struct unix_state {
    struct unix_diag diag;
    struct unix_name name, peer_name;
    bool connected; /* has a peer, or had one */
    bool has_file; /* its name is a path, and leads to it */
    uint32_t file_mode, file_uid, file_gid;
    struct sock_options *options;
    uint32_t *pending; /* inodes */
    uint32_t pending_count;
    struct unix_message *queue, **queue_end;

    /* restart */
    struct description *description;
    struct unix_state *peer;
    bool in_backlog; /* connected to one that has yet to accept */
    int fd; /* until all are complete; -1 */
    int other; /* the end of a peer that is gone, while the queue is filled; -1 */
};

/* The state of a unix socket that this process makes, else NULL. */
struct unix_state *unix_state(const struct description *d);

/* SUSPEND, with a descriptor in the checkpoint thread's table: the queue, what is in flight by number. buffer: UNIX_PEEK_MAX bytes, scratch. */
enum { UNIX_PEEK_MAX = 16 << 20 }; /* memory is taken as it is used */
long unix_peek_flight(int fd, uint32_t inode, struct unix_message **messages, char *buffer);

/* unix_make.c. Restart, in the executor. */
long unix_make_all(char *problem, size_t size);
long unix_complete_all(char *problem, size_t size);

/* unix_bind.c. The same. A name under which a socket can be reached by another here, until names_leave. */
unsigned unix_address(const struct unix_name *name, struct sockaddr_un *address);
long unix_bind_name(int fd, const struct unix_state *state, char *problem, size_t size);
/* Binds to the name without a file of it to stay. */
long unix_bind_passing(int fd, const struct unix_name *name);
/* connect(2) to a socket that unix_bind_name has bound. */
long unix_reach(int fd, const struct unix_name *name);
/* To the directory from which the name is reached, and back. */
void unix_enter(const struct unix_name *name);
void unix_leave(void);
void unix_names_leave(void);

#endif
