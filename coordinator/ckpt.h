/* Checkpoints of the computation: phases SUSPEND to RESUME with a barrier each, then WRITE and COMMIT in the background (phase.h), then the
 * restart script.
 *
 * All or nothing: until COMMIT any failure aborts the set and everybody runs on; from COMMIT on it only goes forward, for by then every image
 * is complete on disk under its temporary name, where dmtcp_restart finds those that a dead process did not rename. */
#ifndef CKPT_H
#define CKPT_H

#include "worker.h"

struct ckpt_options {
    bool always_kill; /* --kill-after-ckpt */
};
extern struct ckpt_options ckpt_options;

/* Wants a checkpoint of the state now or later. One that has not stopped the programs yet serves; else another follows. `waiter` (may be
 * NULL) is in state CLIENT_COMMAND and gets its REPLY when the set is committed or failed, and, with kill, all programs are gone.
 * NULL, or why not: then nothing happens. */
const char *ckpt_request(struct client *waiter, bool kill);

/* The programs are to be killed: gives up the checkpoint under way, if any. False: it is being committed, and kills them when it is. */
bool ckpt_end_for_kill(void);

/* A new worker: takes part if nobody is past SUSPEND. */
void ckpt_worker_joined(struct worker *worker);

unsigned ckpt_interval(void);
void ckpt_set_interval(unsigned seconds);

/* The interval counts from now: programs have just begun to run. */
void ckpt_restart_interval(void);

message_handler ckpt_take_failed, ckpt_take_written, ckpt_take_committed, ckpt_take_progress, ckpt_take_request,
    ckpt_take_image;

#endif
