/* Results of waiting for children, as the kernel gives them: translated, and the table of processes told (wait.c). */
#ifndef REAPED_H
#define REAPED_H

#include <signal.h>
#include <sys/types.h>

/* wait4(2) and its kin: the number (0 and -1 are passed on) and the status that goes with it. Gives the result for the program. */
pid_t reaped(pid_t real, int status) __attribute__((visibility("hidden")));

/* waitid(2): its result, the siginfo that it filled in (not NULL), its options. Gives the result. */
int waited(int result, siginfo_t *info, int options) __attribute__((visibility("hidden")));

#endif
