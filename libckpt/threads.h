/* The table of thread slots, and what a thread has in the kernel. The table is part of the image and never shrinks; slots do not move. */
#ifndef THREADS_H
#define THREADS_H

#include "thread.h"

/* Checkpoint thread. Claims slots (THREAD_NEW) for threads of /proc/self/task that have none, and marks slots THREAD_GONE whose threads
 * are no longer there; passes over the checkpoint thread, kernel workers (PF_IO_WORKER) and a leader that has ended. 0 or -errno.
 * complete: the kernel left none out (it may while threads end). */
long threads_list(bool *complete);

/* Frees the slots of threads that are gone. */
void threads_drop_gone(void);

/* Iterates over the slots in use, from NULL; NULL at the end. */
struct thread *threads_next(struct thread *thread);

/* Is this pointer a slot of the table? Any thread. */
bool threads_own(const void *pointer);

/* The slot of a thread by the number the program knows, or by the kernel's; NULL. Any thread: slots of running threads do not change. */
struct thread *threads_by_tid(int tid);
struct thread *threads_by_real_tid(int tid);

/* Is the address in the vDSO? */
bool threads_in_vdso(uint64_t address);
/* Learns where the vDSO is: constructor. */
void threads_init(void);

/* In the thread itself, in its handler. */
void thread_save_kernel_state(struct thread *thread);
/* The same, after it: a new thread that got the kernel's number of one that has ended takes the slot over, under its own number. */
void threads_recognise(struct thread *thread);
/* In the new thread itself; FS is already set. Uses no stack beyond 512 bytes. */
void thread_restore_kernel_state(const struct thread *thread);

#endif
