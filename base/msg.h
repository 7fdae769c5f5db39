/* Messages of include/proto.h over a blocking stream socket: framing, deadlines, and the opening with its proofs, for the client side
 * (the coordinator reads without blocking and uses msg_check only). Free code; any thread. All return 0 or -errno: -EPROTO for a peer
 * that breaks the protocol, -EACCES for a wrong proof, -ETIMEDOUT, -ECONNRESET where the peer closed. */
#ifndef MSG_H
#define MSG_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

#define MSG_MAX (sizeof(struct proto_header) + PROTO_MAX_PAYLOAD)

/* Is this header one that this version accepts? 0 or -EPROTO. */
long msg_check(const struct proto_header *header);

/* Smallest payload of a message type (its struct), -1 for an unknown type. */
int msg_payload_min(unsigned type);

/* Sends one message: body (fixed struct, may be NULL with size 0) and tail. Never raises SIGPIPE. A message of at most 4 KiB goes out in one
 * system call. deadline_ns: CLOCK_MONOTONIC, 0 = none. */
long msg_send(int fd, unsigned type, const void *body, size_t body_size, const void *tail, size_t tail_size, uint64_t deadline_ns);

/* Receives one message; *header is checked, payload (at most size bytes, else -EMSGSIZE) is in buffer, and one zero byte after it, so size
 * must be at least PROTO_MAX_PAYLOAD + 1 to take any. */
long msg_receive(int fd, struct proto_header *header, void *buffer, size_t size, uint64_t deadline_ns);

/* Connects to a numeric address. The socket, or -errno. Close-on-exec. */
long msg_connect(const char *address, unsigned port, uint64_t deadline_ns);

/* The opening: HELLO to PROOF. `secret` has PROTO_SECRET_SIZE bytes. */
long msg_open(int fd, unsigned role, const uint8_t *secret, uint64_t deadline_ns);

/* "dmtcp coordinator" (coordinator true) or "dmtcp client" proof of proto.h. */
void msg_proof(uint8_t proof[PROTO_PROOF_SIZE], const uint8_t *secret, int coordinator, const uint8_t *client_nonce,
               const uint8_t *server_nonce);

/* Reads a secret file: regular, 0600, owned by the caller, exactly PROTO_SECRET_SIZE bytes. 0 or -errno; -EPERM: wrong owner or mode. */
long secret_read(const char *path, uint8_t secret[PROTO_SECRET_SIZE]);

/* Reads what upid_text writes. 0 or -EINVAL. */
long upid_from_text(struct upid *upid, const char *text);

/* "<host hex>-<pid>-<time hex>" */
void upid_text(const struct upid *upid, char text[UPID_TEXT_MAX]);

#endif
