/* Stopping all threads of the program, and letting them go. Checkpoint thread only, except the handler.
 *
 * A parked thread stands in the signal handler, in its own context, with all signals blocked, and does nothing but what park_call asks. */
#ifndef SUSPEND_H
#define SUSPEND_H

#include "thread.h"

/* Installs the handler for lib.conf.ckpt_signal. Constructor, and again after a restart. 0 or -errno. */
long suspend_install(void);

/* Signals every thread and waits until each is parked or gone. deadline_ns: CLOCK_MONOTONIC. 0: all parked; -ETIMEDOUT: problem names the
 * thread and what it does; other -errno. On an error the threads that did park stay so until suspend_release. `poll` is called now
 * and then while waiting; when it returns nonzero, the wait ends with -ECANCELED. */
long suspend_all(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t problem_size);

/* For `poll`: which thread has not parked yet, and what it does. */
void suspend_describe_late(char *text, size_t size);

/* Lets all parked threads run on; interrupted system calls continue as if nothing had happened. */
void suspend_release(bool restarted);

/* The slots in use, after suspend_all: fills at most `room` pointers, main thread first if it lives; returns how many there are. */
unsigned suspend_threads(struct thread **threads, unsigned room);

/* The parked main thread, or if it has ended, any parked thread: it works on the program's descriptors. */
struct thread *suspend_executor(void);

/* Runs function(argument) in a parked thread, on a stack of 256 KiB, and returns its result. */
long park_call(struct thread *thread, long (*function)(void *), void *argument);

/* Restart, in the new thread itself: sets its kernel state back and goes to where it was parked; never returns. */
_Noreturn void park_return(struct thread *thread);

/* Restart, leader only, if the main thread had ended: waits for park_call like a parked thread, ends when released. */
_Noreturn void park_stand_in(void);
extern struct thread stand_in;

/* Restart: forgets which threads are parked (none exists yet); all slots, and the stand-in if `with_stand_in`, are expected to arrive. */
void suspend_expect_restored(bool with_stand_in);
/* Waits until the thread, or if NULL all, have arrived. 0 or -ETIMEDOUT. */
long suspend_await(struct thread *thread, uint64_t deadline_ns);

#endif
