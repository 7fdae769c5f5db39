/* The library's state in a process, and its checkpoint thread's view of it. Part of the image: everything here is back after a restart.
 *
 * Written by the constructor before the checkpoint thread exists, then by the checkpoint thread only. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdbool.h>

#include "conf.h"
#include "handoff.h"
#include "ident.h"
#include "proto.h"
#include "thread.h"

/* Who has the process: a checkpoint from its first signal to its end, or a thread on its way to exec of a program that can't be followed, and which
 * the checkpoint's signal would kill. */
enum library_gate { GATE_OPEN = 0, GATE_CHECKPOINT = 1, GATE_LEAVING = 2 };

struct library {
    struct conf conf;
    struct upid process;
    struct upid computation;
    char program[64]; /* for names and messages: last component of the executable's path */
    char executable[4096]; /* its path, when it began; "": not known, or the file had been removed */
    bool executable_differs; /* /proc/self/exe leads to dmtcp_restart's loader */
    int pid; /* as the program knows it: the kernel's at creation */
    int real_pid;
    uint32_t generation; /* of the last committed checkpoint, or the one restarted from */
    uint32_t upcoming; /* generation of the checkpoint under way */
    uint32_t checkpoints, restarts; /* of this process */
    int entry; /* in the table of processes */
    bool forked; /* made by a fork, and has not joined yet */
    bool launched; /* dmtcp_launch became this program: failing to join is its failure. Others run on and join when they can */
    uint32_t joined; /* 1: the coordinator has known this process, in this program */
    uint32_t writing; /* futex; 1: the image is being written, and the process should not end or call exec before it is complete */
    uint32_t gate; /* futex; enum library_gate */
    uint32_t ready; /* futex; 0: starting, 1: joined, 2: failed */
    char problem[256]; /* why not, when ready is 2 */
    char libc_name[32]; /* "glibc 2.36"; asked by the constructor, for only guest code may */
    char leader_name[16]; /* of the process's first thread, for ps, even when that has ended */
    uint64_t affinity[16]; /* the checkpoint thread's, which it had from the launch: what a thread has that restricts nothing */
    bool stopped; /* the process was stopped by a signal when the last checkpoint began (PROTO_GO_STOPPED) */
    bool restarting; /* between the restart entry and RESUME */
    struct handoff handoff; /* of the last restart */
};
extern struct library lib;

/* Starts the checkpoint thread in this process (constructor), without waiting for it. 0 or -errno. */
long library_start_thread(void);
/* After a restart, on the leader: makes the checkpoint thread again, where it was at SNAPSHOT. */
long library_revive_thread(void);

/* Checkpoint thread: sets lib.writing, and wakes who waits. */
void library_writing(bool writing);
/* A thread about to end the process, or to call exec: waits until the image that is being written is complete and reported. Returns at once in a
 * child of vfork. */
void library_await_writer(void);
/* Would it wait? */
bool library_is_writing(void);

/* Takes the gate; false: the other has it. Opens it, and wakes who waits for it. Waits until it is not as given. */
bool library_gate_take(uint32_t by);
void library_gate_open(void);
void library_gate_await(uint32_t state);

/* Message about this process on the program's standard error and to the log. */
#define LIB_ERROR(...) log_line(LOG_ERROR, LOG_MODULE, __VA_ARGS__)

#endif
