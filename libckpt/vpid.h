/* Pids and tids as the program knows them (virtual) and as the kernel does now (real). They differ only after a restart that could not take the
 * old numbers back; until then `vpid_active` is false and translation costs one load. Any thread; free code. */
#ifndef VPID_H
#define VPID_H

#include <stdbool.h>

#include "thread.h"

extern bool vpid_active;

/* A number that is not in the table stands for itself. 0 and negative numbers (groups) are passed on: -pid as -real. */
int vpid_to_real(int number);
int vpid_from_real(int number);

/* The slot of a pthread whose number in struct pthread is no longer the kernel's; NULL: it is right, or no such thread. */
struct thread *vpid_stale_pthread(unsigned long pthread);

/* Does si_pid of this siginfo name a process? sigaction(2), "The siginfo_t argument". */
static inline bool signals_from_process(const siginfo_t *info)
{
    if (info->si_signo == SIGCHLD && info->si_code > 0)
        return true;
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL || info->si_code == SI_MESGQ;
}

/* Restart: the table has been filled (all threads are back). */
void vpid_settle(void);

#endif
