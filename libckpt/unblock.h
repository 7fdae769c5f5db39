/* Threads that block the checkpoint signal although nobody asked them to: libc makes some that block everything by system calls of its own (the
 * one behind SIGEV_THREAD timers, asynchronous I/O), and programs may use raw system calls. Checkpoint thread only. */
#ifndef UNBLOCK_H
#define UNBLOCK_H

/* Takes the signal out of the mask of another thread of this process, by ptrace(2) from a short-lived child: a thread can't trace its own
 * process. The thread's system call is interrupted as by a stop. 0 or -errno (-EPERM where ptrace is forbidden). */
long unblock_signal(int tid, int signal);

#endif
