/* Ends: of the programs (kill), of the coordinator (quit, timeouts, --exit-on-last).
 *
 * A signal (SIGINT, SIGTERM, SIGHUP) and the timeouts end the coordinator only: programs run on, and join a new one at the same address.
 * Only the commands k, q and kc kill programs. */
#ifndef END_H
#define END_H

#include "worker.h"

struct end_options {
    bool exit_on_last;
    unsigned timeout; /* seconds, 0: none */
    unsigned stale_timeout; /* seconds without programs */
};

/* Arms the timeouts. */
void end_start(const struct end_options *options);

/* Kills all programs. `waiter` (may be NULL; in state CLIENT_COMMAND) gets its REPLY when they are gone. */
void end_kill(struct client *waiter);

/* The coordinator goes, after it has killed the programs if asked to. */
void end_quit(bool kill, struct client *waiter);

/* Programs or the coordinator are ending. */
bool end_under_way(void);

/* Somebody came or went. joined: true if the worker came too late, and was told to end. */
bool end_worker_joined(struct worker *worker);
void end_worker_gone(void);
void end_restart_began(void);

/* After each round of the loop: are the last words flushed? */
void end_check(void);

#endif
