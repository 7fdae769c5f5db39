/* This process's view of include/ptable.h, and the numbers in it. Free code, any thread, no locks; also in a vfork child. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptable.h"

/* Maps the table of lib.computation, and makes it if there is none. Checkpoint thread. 0 or -errno. */
long processes_open(void);
/* After a restart the mapping did not come back. */
void processes_forget(void);
/* In the child of a fork, after scratch_forked: the mapping is there. */
void processes_forked(void);
bool processes_known(void);
/* Is some number of the computation on this host not the kernel's? */
bool processes_differ(void);

/* Entries: an index, or -1 when the table is full or not there; every function takes -1 and does nothing. */
int processes_reserve(void); /* before a process is made */
void processes_leaves(int entry, uint32_t reason); /* LEFT, because of enum ptable_reason */
void processes_release(int entry); /* it was not made, or is gone */
void processes_started(int entry, int real); /* the maker, when it exists: RESERVED becomes STARTING, unless it is there already itself */
int processes_adopt(int real, int virtual, uint64_t time); /* the process itself: its entry, claimed if there is none; state unchanged or STARTING */
void processes_state(int entry, uint32_t state);
/* The process has joined. One that is just about to exec stays in EXEC, for the new program must join again; in the new program, before its main,
 * `fresh` ends that. */
void processes_joined(int entry, bool fresh);
/* Its exec failed: EXEC (or LEFT) becomes STARTING, or JOINED when *joined is 1 or becomes so. */
void processes_stays(int entry, const uint32_t *joined);
int processes_find(int real); /* the entry of a process by its real number */

/* A number of a process on this host; 0: not in the table. */
int processes_real(int virtual);
int processes_virtual(int real);
/* The caller's, in a new program: not that of a process that is gone and whose number it got. */
int processes_virtual_own(int real);
/* Is the number known to programs as that of a process other than `real`? */
bool processes_taken(int virtual, int real);
/* Does a process that just got this number from the kernel clash with a living one that is known by it? */
bool processes_clash(int real);
/* A child was reaped: its numbers mean nothing any more. */
void processes_reaped(int virtual);

/* Waits until every process in the table has joined or is gone. 0; -ETIMEDOUT, problem names one. poll as in suspend_all. */
long processes_await_joined(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t size);
/* The process itself, when a checkpoint begins: processes_await_joined of another one found it stopped, and has continued it. Says so once. */
bool processes_was_stopped(int entry);
/* The process stands still for this checkpoint. */
void processes_suspended(int entry, uint32_t generation);
/* When all stand still: is this process (by its real number) one of the computation, and yet does not? Then it is about to end. */
bool processes_is_missing(int real, uint32_t generation);
/* Wakes those that put off joining; and puts off joining (until woken, at most so long). */
void processes_hurry(void);
void processes_linger(uint64_t ns);

/* NULL: none. For ipc.c. */
struct ptable *processes_table(void);
/* PTABLE_PTYS entries; NULL: no table. For ptys.c. */
struct ptable_pty *processes_ptys(void);

/* Calls visit for every entry in use. */
void processes_each(void (*visit)(const struct ptable_entry *entry, void *argument), void *argument);

#endif
