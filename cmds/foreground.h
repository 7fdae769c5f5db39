/* dmtcp_restart between the terminal, the shell or the batch system on one side and the processes it restarted on the other: it waits for
 * them, ends as they end, stops as they stop, and hands on signals. Hosted.
 *
 * The restarted processes are in our process group, so what the terminal sends (^C, ^Z, hangup) reaches them without us, and we only must
 * not die of it first. What another process sends to us alone is meant for the program and handed on. The kernel tells the two apart:
 * si_code is SI_KERNEL for the terminal's. */
#ifndef FOREGROUND_H
#define FOREGROUND_H

#include <stddef.h>
#include <sys/types.h>

/* Before the first child: signals are taken up from now on and wait. */
void foreground_begin(void);

/* A restarted process; messages about it name the image. The first one is the one whose end is ours. */
void foreground_add(pid_t pid, const char *image);

/* Waits until the coordinator says on `connection` that all processes of the set run. Where it says otherwise, a child ends before, or the
 * user interrupts: kills the children, reaps them, and ends with one line and FAIL_RESTART (or by the user's signal). Closes the
 * connection. */
void foreground_until_running(int connection);

/* Waits for all children and ends as the first one did. */
_Noreturn void foreground_wait(void);

/* A restart failed halfway in dmtcp_restart itself: kills and reaps the children. */
void foreground_kill(void);

#endif
