/* The processes of a computation on one host: a file in the tmp dir that all of them map shared, and the coordinator reads.
 *
 * It says which processes exist that the coordinator does not know yet (just forked, or between exec and joining again): a checkpoint waits for
 * those, and --exit-on-last is not reached while there are any. And it translates numbers: `virtual` is what programs know, `real` the
 * kernel's; they differ only after a restart that could not take the old numbers back.
 *
 * Entries are claimed and changed by atomic operations on `state`; an entry's other fields are written before its state says so. A process
 * that was killed leaves its entry behind; whoever waits for it, or needs room, frees entries whose process is gone. The table is made by
 * the first process of a computation on a host, and removed by the coordinator, or with the tmp dir. Never part of an image. */
#ifndef PTABLE_H
#define PTABLE_H

#include <stdint.h>

#define PTABLE_MAGIC 0x454c424154434f52ull
#define PTABLE_VERSION 3u
#define PTABLE_ENTRIES 32768u
/* <tmp dir>/processes-<computation id> */
#define PTABLE_NAME "processes-"

enum ptable_state {
    PTABLE_FREE = 0,
    PTABLE_RESERVED = 1, /* a process is about to be made by `parent` (real); real is 0 until it exists */
    PTABLE_STARTING = 2, /* exists; will join */
    PTABLE_JOINED = 3, /* the coordinator knows it */
    PTABLE_EXEC = 4, /* joined, and calls exec, or was made by vfork or spawn and does: the new program will join */
    PTABLE_LEFT = 5, /* runs outside the computation by its own choice (a static program …); its number stays translated */
    PTABLE_ZOMBIE = 6, /* ended, in a restarted computation: stands for the number until it is reaped */
    PTABLE_NUMBER = 7, /* no process of the computation: a number of a group or session, or of who stands in for the launching shell */
};

/* Why a process LEFT. Append only. */
enum ptable_reason { PTABLE_STAYS = 0, PTABLE_STATIC, PTABLE_SETUID, PTABLE_SETGID, PTABLE_FOREIGN, PTABLE_ASKED, PTABLE_NO_THREAD, PTABLE_MUSL, PTABLE_CAPABILITIES };
static inline const char *ptable_reason_text(uint32_t reason)
{
    return reason == PTABLE_STATIC      ? "is statically linked"
           : reason == PTABLE_SETUID    ? "is a setuid program"
           : reason == PTABLE_SETGID    ? "is a setgid program"
           : reason == PTABLE_FOREIGN   ? "is not a 64-bit program of this machine"
           : reason == PTABLE_ASKED     ? "was started by dmtcp_nocheckpoint"
           : reason == PTABLE_NO_THREAD ? "could not get a checkpoint thread"
           : reason == PTABLE_MUSL      ? "is linked with the musl C library"
           : reason == PTABLE_CAPABILITIES ? "has file capabilities"
                                        : "runs by itself";
}

struct ptable_entry {
    uint32_t state; /* enum ptable_state */
    int32_t real, virtual;
    int32_t parent; /* real pid of the maker, in RESERVED; afterwards libckpt/processes.c's mark of one that was stopped */
    uint64_t time; /* upid.time of the process */
    uint64_t start; /* field 22 of /proc/PID/stat, so that a number used again by a stranger is not taken for this one; 0: not known */
    uint32_t suspended; /* generation of the last checkpoint for which the process stood still */
    uint32_t reason; /* enum ptable_reason, when it LEFT */
};
_Static_assert(sizeof(struct ptable_entry) == 40, "shared between programs");

/* A pseudo terminal of the computation (libckpt/ptys.h). Entries are claimed in order and never given back; they are found by `real`. */
#define PTABLE_PTYS 1024u
struct ptable_pty {
    uint32_t real; /* the kernel's number and 1; 0: free */
    int32_t virtual; /* the number in the name that programs know */
    uint32_t master_mark, slave_mark; /* the last checkpoint at which a process of the computation had that end */
    uint32_t unused;
};

/* Objects of System V IPC that processes of the computation have asked for (libckpt/ipc.h). Claimed by `state`, like the others. */
#define PTABLE_IPC 8192u
enum { PTABLE_IPC_FREE = 0, PTABLE_IPC_CLAIMED = 1, PTABLE_IPC_USED = 2 };
enum ptable_ipc_kind { PTABLE_SHM = 1, PTABLE_SEM = 2, PTABLE_MSG = 3 };
struct ptable_ipc {
    uint32_t state;
    uint32_t kind;
    int32_t virtual, real; /* ids */
    int32_t key; /* != 0: the key by which programs ask for it, while the kernel has another object, or none, under that */
    uint32_t saved; /* generation of the last checkpoint for which a process took the contents into its image */
};

struct ptable {
    uint64_t magic;
    uint32_t version;
    uint32_t used; /* entries from this one on have never been claimed */
    uint32_t changes; /* shared futex: counts changes of states */
    uint32_t hurry; /* shared futex: counts checkpoints begun; a process that has put off joining joins now */
    uint32_t differ; /* 1: some virtual number is not the real one */
    uint32_t ipc_used; /* as used, for ipc */
    uint32_t ipc_differ; /* 1: some id is not the kernel's, or some key leads elsewhere */
    uint32_t ipc_home[2]; /* sysv_home() to which the real ids belong, lower half first */
    uint32_t unused[21];
    struct ptable_entry entry[PTABLE_ENTRIES];
    struct ptable_pty pty[PTABLE_PTYS];
    struct ptable_ipc ipc[PTABLE_IPC];
};

#endif
