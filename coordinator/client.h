/* Connections: framing, the opening with its proofs (proto.h), bounded buffers, deadlines. Whatever a peer does, garbage, silence, not
 * reading, costs its own connection only:
 *  - before its proof it may make us keep less than 1 KiB, afterwards one message at most, and a bounded queue of output;
 *  - it must have said what it wants OPENING_SECONDS after it connected;
 *  - no write waits: what the socket does not take is queued, and a queue that is full ends the connection.
 * A client is never closed in the middle of something: client_doom marks it, client_reap (between rounds) tells its role and frees it. So a
 * pointer to a client or its worker stays good for the length of a callback, and sending to a doomed one does nothing. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "loop.h"
#include "proto.h"

enum client_state {
    CLIENT_HELLO, /* connected: HELLO is due */
    CLIENT_PROOF, /* CHALLENGE sent: PROOF is due */
    CLIENT_NEW_WORKER, /* proven: JOIN is due */
    CLIENT_NEW_RESTART, /* proven: RESTART_BEGIN is due */
    CLIENT_NEW_COMMAND, /* proven: COMMAND is due */
    CLIENT_WORKER, /* role is its struct worker */
    CLIENT_RESTART, /* a dmtcp_restart whose processes join, or have joined */
    CLIENT_COMMAND, /* waits for its REPLY */
    CLIENT_CLOSING, /* all is said: output is flushed, then the peer closes */
    CLIENT_STATES
};

struct buffer {
    uint8_t *bytes;
    uint32_t used, taken, size;
};

struct client {
    struct source source; /* must be first */
    struct list hurry; /* in the list of those that have a deadline, oldest first; else alone */
    struct list doomed_link;
    struct list role_link; /* in the list of those that wait for the same thing; else alone */
    struct buffer in, out;
    uint64_t deadline_ns;
    void *role; /* CLIENT_WORKER: struct worker */
    uint32_t number;
    uint8_t state; /* enum client_state */
    bool doomed, writing;
    bool wants_progress; /* CLIENT_COMMAND */
    uint8_t client_nonce[PROTO_NONCE_SIZE], server_nonce[PROTO_NONCE_SIZE];
};

/* The payload has at least the size of its struct, no alignment and no terminator. */
typedef void message_handler(struct client *client, const uint8_t *payload, size_t size);

/* One row per message that a client may send: in which states, and what happens then. */
struct message_kind {
    unsigned states; /* bits 1 << enum client_state */
    message_handler *handle;
};
const struct message_kind *message_kind(unsigned type); /* message.c; never NULL */

/* What the coordinator proves to its clients, PROTO_SECRET_SIZE bytes; must be set before the first client. */
void client_set_secret(const uint8_t *secret);

/* Takes over a non-blocking socket. */
void client_accept(int fd);
message_handler client_take_hello, client_take_proof;

/* For the module whose role the client takes on. */
void client_set_state(struct client *client, enum client_state state);

/* Queues one message. */
void client_send(struct client *client, unsigned type, const void *body, size_t body_size, const void *tail, size_t tail_size);

/* Closes it after this round; why (may be NULL) goes to the log. */
void client_doom(struct client *client, const char *why);

/* Closes it when its output is flushed and the peer has closed, or OPENING_SECONDS later. The caller has detached its role. */
void client_finish(struct client *client);

/* REFUSE with one line, then client_finish. */
void client_refuse(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

void client_reap(void);

/* Proven connections that are about to become a worker or a restart; connections with output to be flushed. */
unsigned client_opening_count(void);
unsigned client_closing_count(void);

/* Copies text from a message, at most size - 1 bytes of it, terminated; control characters become '?', for it goes to terminals and logs. */
void text_from(char *to, size_t size, const uint8_t *from, size_t length);

/* The struct at the start of a payload, copied: payloads have no alignment. */
#define PAYLOAD(type, name, payload)                                                                                                 \
    struct type name;                                                                                                                \
    memcpy(&name, payload, sizeof name)

#endif
