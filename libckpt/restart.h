/* From the loader's jump to the moment before the threads run. */
#ifndef RESTART_H
#define RESTART_H

#include "handoff.h"

/* The image's entry: called by the loader on its own stack, in the process's only thread, all signals blocked. */
_Noreturn void restart_entry(struct handoff *handoff);

/* The checkpoint thread, made again where it was at SNAPSHOT: restores everything else; returns when the program runs, or ends the process
 * with the handed over exit code after a message. */
void restart_run(void);

/* Gives the calling thread a file table, directory and umask of its own (worker.c). */
void worker_unshare(void);

#endif
