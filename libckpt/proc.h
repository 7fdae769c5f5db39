/* What /proc says about this process, read without libc. Any thread with a file table of its own to open files in: the checkpoint
 * thread. Sources: proc(5). */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "thread.h"

struct proc_tasks {
    int fd;
    uint32_t at, end;
    char buffer[4096];
};
long proc_tasks_open(struct proc_tasks *tasks);
/* The next tid, or 0 at the end. */
int proc_tasks_next(struct proc_tasks *tasks);
/* How many there are; 0: not known. The directory's links, less "." and "..". */
unsigned proc_tasks_count(struct proc_tasks *tasks);
void proc_tasks_close(struct proc_tasks *tasks);

/* Reads a whole small file, at most size-1 bytes, and terminates it. Bytes read, or -errno. */
long proc_read(const char *path, char *buffer, size_t size);

/* /proc/self/task/T/syscall; in_syscall is false where the thread runs or is gone. */
void proc_sample_syscall(int tid, struct syscall_sample *sample);

/* Does the thread exist and live (not Z or X)? */
bool proc_thread_lives(int tid);
/* When it began, in clock ticks since boot, which tells threads of the same number apart; 0: it does not live; PROC_START_UNKNOWN: it
 * can't be read now. */
#define PROC_START_UNKNOWN UINT64_MAX
uint64_t proc_thread_start(int tid);
/* Does it compute, or wait for a processor? */
bool proc_thread_runs(int tid);
/* Does it live, and run signal handlers (kernel workers do not)? */
bool proc_thread_takes_signals(int tid);

/* Does the thread block the signal now? */
bool proc_thread_blocks(int tid, int signal);

/* Why a thread does not answer the signal, for people: "thread 4713 blocks signal 64", "thread 4713 is in vfork" … */
void proc_describe_thread(int tid, int signal, char *text, size_t size);

/* The value of a "Name:\tvalue" line in a status-like text, or NULL. */
const char *proc_field(const char *text, const char *name);

void proc_find_vdso(uint64_t *start, uint64_t *end);

#endif
