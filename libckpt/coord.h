/* The process's connection to its coordinator. Checkpoint thread only. */
#ifndef COORD_H
#define COORD_H

#include <stdbool.h>
#include <stddef.h>

#include "proto.h"

struct coord_message {
    struct proto_header header;
    unsigned char *payload; /* valid until the next receive; one zero byte follows it */
};

/* Memory for messages, in scratch: after the start and after a restart. 0 or -errno. */
long coord_init(void);

/* Connects, proves the secret both ways, joins with these proto_join flags; takes over computation and generation. 0 or -errno; problem
 * then says why in one line. */
long coord_join(unsigned flags, char *problem, size_t problem_size);

bool coord_connected(void);
int coord_descriptor(void);
void coord_close(void);

/* 0 or -errno; on an error the connection is closed. */
long coord_send(unsigned type, const void *body, size_t body_size, const char *tail);

/* 1: a message; 0: nothing until deadline_ns (CLOCK_MONOTONIC; 0: wait for ever, 1: do not wait); -errno: connection lost and closed. A
 * message that asks for the end of the process is obeyed here. */
int coord_receive(struct coord_message *message, uint64_t deadline_ns);

#endif
