/* Pids and tids as the program knows them (virtual) and as the kernel does now (real). They differ only after a restart that could not take the
 * old numbers back; until then `vpid_active` is false and translation costs one load. Own numbers are looked up in the library's state and in
 * the threads' slots, other processes' in the table of the host (processes.h); threads of other processes stand for themselves. Any thread;
 * free code; also in a child that has just been forked and shares or has copied its parent's state. */
#ifndef VPID_H
#define VPID_H

#include <stdbool.h>

#include "thread.h"

extern bool vpid_active;

/* A number that is not in the table stands for itself. 0 and negative numbers (groups) are passed on: -pid as -real. */
int vpid_to_real(int number);
int vpid_from_real(int number);

/* What getppid(2) says, as the program knows it. The process that dmtcp_restart is the parent of has the parent it had. */
int vpid_parent_from_real(int number);

/* Is the kernel's number of a new process one by which the program knows another process or thread? Then it must not be used: make another.
 * In the maker, or in the child before its state is reset. */
bool vpid_number_taken(int real);
/* Calls visit for all such numbers, and perhaps some that are no longer. */
void vpid_each_taken(void (*visit)(int number, void *argument), void *argument);

/* The slot of a pthread whose number in struct pthread is no longer the kernel's; NULL: it is right, or no such thread. */
struct thread *vpid_stale_pthread(unsigned long pthread);

/* Does si_pid of this siginfo name a process? sigaction(2), "The siginfo_t argument". */
static inline bool signals_from_process(const siginfo_t *info)
{
    if (info->si_signo == SIGCHLD && info->si_code > 0)
        return true;
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL || info->si_code == SI_MESGQ;
}

/* Decides vpid_active. A new program when it has joined; a forked child when its own numbers are set; a restart when all threads are back, and
 * again when all processes have entered their numbers (after RESTORE). */
void vpid_settle(void);

/* Checkpoint, before the snapshot: the parent's number is part of the image. */
void vpid_note_parent(void);
/* A restart, with the last vpid_settle. */
void vpid_settle_parent(void);
/* In a forked child, with its own numbers in lib and its threads' slots made anew: it has another parent. Includes vpid_settle. */
void vpid_forked(void);

#endif
