/* dmtcp_restart between the terminal, the shell or the batch system on one side and the processes it restarted on the other: it waits for
 * them, ends as they end, stops as they stop, and hands on signals. Hosted.
 *
 * A program that had been started from a script is in our process group, as it was in the script's, so what the terminal sends (^C, ^Z, hangup)
 * reaches it without us, and we only must not die of it first. What another process sends to us alone is meant for the program and handed
 * on. The kernel tells the two apart: si_code is SI_KERNEL for the terminal's.
 *
 * One that led a process group (a job of an interactive shell) leads one again: shells inside, and everything else that knows the group's
 * number, rely on it. Then we are to it what the shell is to us: when it runs, it gets the terminal if we have it; when it stops, we take the
 * terminal back and stop with our group, so that the shell sees its job stopped; when we go on, it gets it again (foreground_terminal). */
#ifndef FOREGROUND_H
#define FOREGROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Before the first child: signals are taken up from now on and wait. */
void foreground_begin(void);

/* A restarted process; messages about it name the image. The first one is the one whose end is ours. ours: it is our child; one that is not is
 * a process's that we restarted, or an orphan. Before any process can have ended. */
void foreground_add(pid_t pid, const char *image, bool ours);

/* The program's process group in our session, which gets the terminal when the program runs. */
void foreground_terminal(pid_t group);

/* Waits until the coordinator says on `connection` that all processes of the set run. Where it says otherwise, a child ends before, or the
 * user interrupts: kills the children, reaps them, and ends with one line and FAIL_RESTART (or by the user's signal). Closes the
 * connection. */
void foreground_until_running(int connection);

/* Waits for all our children, or where the set has orphans only, for those; ends as the first one did. */
_Noreturn void foreground_wait(void);

/* A restart failed halfway in dmtcp_restart itself: kills and reaps the children. */
void foreground_kill(void);

#endif
