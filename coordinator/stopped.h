/* Processes that are stopped (job control, SIGSTOP) when a checkpoint wants them: all their threads are, that of libckpt too. Those on this host are
 * continued for the checkpoint; that their programs don't get far, and are stopped again, is libckpt's (PROTO_GO_STOPPED). What can be seen of
 * it: the parent gets SIGCHLD for both, if it waits for such things, and a handler for SIGCONT may run. */
#ifndef STOPPED_H
#define STOPPED_H

/* A checkpoint has begun. Looks now and then at those that are late, as long as it is in the phases up to RESUME. */
void stopped_watch(void);

/* It is given up: those that have not been told are stopped again. Before the set ends. */
void stopped_restore(void);

#endif
