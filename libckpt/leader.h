/* The end of a process whose threads end one by one (exit(2), not exit_group(2)): the kernel waits for the checkpoint thread too, which then has
 * to go. Checkpoint thread only. */
#ifndef LEADER_H
#define LEADER_H

/* Waits until the descriptor is readable, or lost. Does not return when the last thread of the program has ended: the process then ends with
 * the status of its leader. */
void leader_await_input(int fd);

/* Ends the thread if it is the last one. */
void leader_end_with(void);

#endif
