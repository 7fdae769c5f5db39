/* The terminals of a restart: pseudo terminals of the computation are made here, before the first process, because a controlling terminal
 * is inherited; and our own terminal, whose settings we put back in the end. Hosted. */
#ifndef TERMINALS_H
#define TERMINALS_H

#include <stdbool.h>

#include "handoff.h"
#include "image_set.h"

/* Makes every pseudo terminal whose master an image has, with its old number where that is free. Dies where it can't. */
void terminals_make(const struct image_set *set);
/* In the leader of a session, after setsid and before it has children of that session: its controlling terminal, if it had one of those. */
void terminals_take(const struct image_process *process);
/* In each process, before it execs: they stay open over the exec, and the handoff names them. After descriptors_close_on_exec. */
void terminals_hand_over(struct handoff *handoff);
/* When all processes are made. */
void terminals_close(void);

/* Before the first process: the settings of our terminal, if we are in its foreground. */
void terminal_remember(void);
/* The program runs on this terminal: makes it paint its screen again, if it does that kind of thing, in two steps: begin, and a while (ms,
 * 0: nothing to wait for) later end. */
int terminal_repaint_begin(void);
void terminal_repaint_end(void);
/* Around a stop, and in the end: our settings, then those of the program again. */
void terminal_ours(void);
void terminal_theirs(void);

#endif
