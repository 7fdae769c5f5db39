/* The checkpoint thread: joins the coordinator, takes the process through its checkpoints, and after a restart puts it together again. */
#ifndef WORKER_H
#define WORKER_H

#include "thread.h"

/* The checkpoint thread's body; never returns. */
void worker_run(void *unused);

/* Where a restart continues: saved at SNAPSHOT. */
extern struct context worker_snapshot;

/* The last step of a checkpoint or restart, where the process was stopped: stops it, with its program's threads still parked. */
void worker_stop_again(bool restarted);
/* Before that, while all processes stand still: the SIGCONT by which we ourselves continued it is forgotten. One that is pending later is from
 * somebody who wants the program to go on (all threads block it until then), and it does. */
void worker_forget_continue(void);

#endif
