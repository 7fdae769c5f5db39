/* Messages between the coordinator and its clients over one TCP connection each.
 *
 * Little-endian, fixed widths, append only: a field is never moved, a number never reused. Every message is a struct proto_header
 * and `length` bytes of payload: the struct named after the message, then the bytes that its comment names as its tail (text without
 * terminator, up to the end of the payload). A receiver checks magic, version, type and length before it looks at anything else and
 * closes the connection of a peer that breaks a rule; only that connection suffers.
 *
 * Opening, for every role: HELLO -> CHALLENGE -> PROOF -> (nothing; a wrong proof is answered by REFUSE and a close).
 *   CHALLENGE.proof = HMAC-SHA256(secret, "dmtcp coordinator" | HELLO.nonce | CHALLENGE.nonce)     (client checks it)
 *   PROOF.proof     = HMAC-SHA256(secret, "dmtcp client"      | HELLO.nonce | CHALLENGE.nonce)     (coordinator checks it)
 * The secret is 32 random bytes in a file of mode 0600 (base/secret.h), so a stranger on the port neither commands nor obeys.
 * Then, by role:
 *   worker:  JOIN -> WELCOME | REFUSE; afterwards the checkpoint messages below in both directions.
 *   restart: RESTART_BEGIN -> WELCOME | REFUSE; then the connection stays open until the processes have joined; the coordinator sends
 *            RESTART_DONE when all run again, or REFUSE with the reason when the restart failed.
 *   command: COMMAND -> any number of PROGRESS -> REPLY; then the coordinator closes. */
#ifndef PROTO_H
#define PROTO_H

#include "ident.h"

#define PROTO_MAGIC 0x43544d44u /* "DMTC" */
#define PROTO_VERSION 1u
#define PROTO_MAX_PAYLOAD 65536u
#define PROTO_NONCE_SIZE 16
#define PROTO_PROOF_SIZE 32
#define PROTO_SECRET_SIZE 32

struct proto_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type; /* enum proto_type */
    uint32_t length; /* of the payload, at most PROTO_MAX_PAYLOAD */
    uint32_t unused;
};
_Static_assert(sizeof(struct proto_header) == 16, "wire format");

enum proto_role { PROTO_ROLE_WORKER = 1, PROTO_ROLE_RESTART = 2, PROTO_ROLE_COMMAND = 3 };

enum proto_type {
    PROTO_HELLO = 1, /* client first */
    PROTO_CHALLENGE = 2,
    PROTO_PROOF = 3,
    PROTO_REFUSE = 4, /* tail: reason, one line; the sender closes */
    PROTO_JOIN = 5,
    PROTO_WELCOME = 6,
    PROTO_RESTART_BEGIN = 7,
    PROTO_RESTART_DONE = 8, /* no payload */
    PROTO_COMMAND = 9,
    PROTO_PROGRESS = 10,
    PROTO_REPLY = 11,

    PROTO_CKPT_BEGIN = 16, /* coordinator to worker */
    PROTO_PHASE_DONE = 17, /* worker to coordinator */
    PROTO_PHASE_GO = 18, /* coordinator to worker */
    PROTO_CKPT_FAILED = 19, /* worker to coordinator: this checkpoint, or restart, can't be; the worker has undone its part or will on ABORT */
    PROTO_CKPT_ABORT = 20, /* coordinator to worker: undo, remove the temporary file, run on; tail: reason */
    PROTO_WRITTEN = 21, /* worker to coordinator: the temporary file is complete and flushed */
    PROTO_COMMIT = 22, /* coordinator to worker: rename */
    PROTO_COMMITTED = 23, /* worker to coordinator */
    PROTO_WRITE_PROGRESS = 24, /* worker to coordinator, a few a second at most, from writers that take long */
    PROTO_KILL = 25, /* coordinator to worker: end this process with SIGKILL */
    PROTO_LEAVE = 26, /* worker to coordinator: leaves the computation on purpose; tail: reason */
    PROTO_KV_SET = 27, /* worker to coordinator */
    PROTO_KV_GET = 28, /* worker to coordinator; answered by KV_VALUE at once, or when the key is set if `wait` */
    PROTO_KV_VALUE = 29,
    PROTO_STATE = 30, /* worker to coordinator: why this process is late, for messages about deadlines; tail: text */
    PROTO_CKPT_REQUEST = 31, /* worker to coordinator: the program asks for a checkpoint of the computation; no payload. Refused (no restart
                              * script can be written, the programs are being killed): CKPT_ABORT with generation 0 */
    PROTO_TEXT = 32, /* coordinator to command: what comes before the REPLY's tail, for a list that is too long for one message; tail: text */
    PROTO_IMAGE = 33, /* worker to coordinator, after CKPT_BEGIN: where its image will be, so that somebody can remove the temporary file when the
                       * process and its writers are killed; tail: absolute path, final name */
};

struct proto_hello {
    uint32_t role; /* enum proto_role */
    uint32_t unused;
    uint8_t nonce[PROTO_NONCE_SIZE];
};

struct proto_challenge {
    uint8_t nonce[PROTO_NONCE_SIZE];
    uint8_t proof[PROTO_PROOF_SIZE];
};

struct proto_proof {
    uint8_t proof[PROTO_PROOF_SIZE];
};

enum { PROTO_JOIN_RESTART = 1u << 0, PROTO_JOIN_RECONNECT = 1u << 1 /* lost its coordinator, found this one */ };

struct proto_join { /* tail: "host\0program\0" */
    struct upid process;
    struct upid computation; /* all zero: not part of one yet; WELCOME names it */
    uint32_t flags;
    uint32_t real_pid;
    uint32_t virtual_pid;
    uint32_t generation; /* last committed checkpoint that this process knows of, or that it restarts from */
};

struct proto_welcome {
    struct upid computation;
    uint32_t generation; /* of the last committed checkpoint of this computation, 0 if none */
    uint32_t client; /* the coordinator's number for this connection */
    uint32_t interval; /* seconds */
    uint32_t unused;
};

struct proto_restart_begin { /* tail: host */
    struct upid computation;
    uint32_t generation;
    uint32_t processes; /* in the whole set, over all hosts */
    uint32_t flags; /* 0 */
    uint32_t interval; /* seconds + 1 to set, 0 to leave */
};

/* enum proto_op's names as JSON shows them are in interface.md. */
enum proto_op {
    PROTO_OP_STATUS = 1,
    PROTO_OP_LIST,
    PROTO_OP_CHECKPOINT,
    PROTO_OP_BLOCKING_CHECKPOINT,
    PROTO_OP_KILL_AFTER_CHECKPOINT,
    PROTO_OP_INTERVAL,
    PROTO_OP_KILL,
    PROTO_OP_QUIT,
};

enum { PROTO_COMMAND_PROGRESS = 1u << 0 /* send PROTO_PROGRESS */ };

struct proto_command {
    uint32_t op; /* enum proto_op */
    uint32_t flags;
    uint32_t argument; /* interval: seconds */
    uint32_t unused;
};

struct proto_progress {
    uint64_t bytes_done; /* of memory, over all processes */
    uint64_t bytes_total; /* 0: not known yet */
    uint32_t phase; /* enum phase */
    uint32_t processes;
};

enum proto_result { PROTO_DONE = 0, PROTO_NOT_RUNNING = 1, PROTO_FAILED = 2, PROTO_INVALID = 3 };

struct proto_reply { /* tail: list: the text; otherwise the reason of a failure, or nothing */
    uint32_t result; /* enum proto_result */
    uint32_t peers;
    uint32_t running; /* 0 or 1 */
    uint32_t interval;
    uint32_t generation;
    uint32_t unused;
};

enum { PROTO_CKPT_KILL = 1u << 0 /* the processes are killed once the set is committed: they stand still until KILL, or CKPT_ABORT when it
                                  * was not as it should be after all */ };

struct proto_ckpt_begin { /* tail: subdirectory for this set's images ("" or "ckpt_<computation>_<generation>") */
    struct upid computation; /* final name of the computation */
    uint32_t generation; /* of the set being made */
    uint32_t flags;
    uint32_t host_processes; /* processes of the computation on the receiver's host: bounds its writers */
    uint32_t deadline_ms; /* for SUSPEND; also the measure for how long the next phase is waited for */
};

struct proto_phase_done {
    uint32_t generation;
    uint32_t phase; /* the one that ended, enum phase */
};

struct proto_phase_go {
    uint32_t generation;
    uint32_t phase; /* the one that begins */
    uint32_t processes; /* in the set; final from SNAPSHOT on */
    uint32_t flags; /* PROTO_GO_* */
};
enum {
    PROTO_GO_STOPPED = 1u << 0, /* the process was stopped (SIGSTOP, SIGTSTP …); the coordinator has sent SIGCONT so that it can take part. Its
                                 * program's threads stay parked until it has committed, and then it stops again by itself */
};

struct proto_ckpt_failed { /* tail: reason */
    uint32_t generation;
    uint32_t phase;
};

struct proto_ckpt_abort { /* tail: reason */
    uint32_t generation;
    uint32_t unused;
};

struct proto_written { /* tail: absolute path of the final image */
    uint64_t memory_bytes;
    uint64_t file_bytes;
    uint64_t pause_ns; /* how long user threads stood still */
    uint32_t generation;
    uint32_t unused;
};

struct proto_commit {
    uint32_t generation;
    uint32_t unused;
};

struct proto_committed {
    uint32_t generation;
    uint32_t error; /* errno, 0: renamed */
};

struct proto_write_progress {
    uint64_t bytes_done;
    uint64_t bytes_total;
    uint32_t generation;
    uint32_t unused;
};

struct proto_kv { /* SET: tail key, value. GET: tail key. VALUE: tail key, value. */
    uint32_t key_length;
    uint32_t value_length;
    uint32_t found; /* VALUE: 0 or 1 */
    uint32_t wait; /* GET: 1 to be answered only when the key exists */
    uint32_t tag; /* echoed by VALUE */
    uint32_t unused;
};

#endif
