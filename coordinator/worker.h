/* The processes of the computation, one connection each, and the computation's identity. A coordinator serves one computation: its first
 * worker names it, and it ends with its last one. */
#ifndef WORKER_H
#define WORKER_H

#include "client.h"
#include "phase.h"
#include "table.h"

struct host {
    struct table_node node;
    uint32_t workers;
    bool own; /* this very host */
    char name[]; /* terminated */
};

struct worker {
    struct client *client;
    struct list link; /* in the list of all */
    struct list member_link; /* in the set of a checkpoint or restart (set.h); else alone */
    struct table_node by_process;
    struct upid process;
    struct host *host;
    uint64_t start_time; /* clock ticks, proc_pid_stat(5) field 22; 0: not on this host */
    uint32_t real_pid, virtual_pid;
    uint8_t ended; /* enum phase: the last one it ended in the set */
    bool told_to_end; /* KILL was sent */
    bool stopped, told_stopped; /* in this checkpoint: it was, and has been continued (stopped.h); and knows of it */
    uint16_t wait_count;
    struct list waits; /* for keys, kv.c */
    char *state; /* why it is late, or NULL */
    char *image; /* WRITTEN: absolute path, else NULL */
    char *image_to_be; /* IMAGE: absolute path, else NULL */
    uint64_t bytes_done, bytes_total; /* of memory, in this checkpoint */
    char program[]; /* terminated */
};

struct computation {
    struct upid name; /* all zero: none */
    uint32_t generation; /* of the last committed checkpoint */
    uint32_t attempt; /* the highest generation that was ever begun: numbers are not used twice (set.h) */
};
extern struct computation computation;

message_handler worker_take_join, worker_take_leave, worker_take_state;

/* Its connection ended. */
void worker_gone(struct worker *worker);

/* What is left of a worker that ended after its image was complete: host and image (which it takes over), no client, in no list. NULL: no memory. */
struct worker *worker_depart(struct worker *worker);
void worker_departed_free(struct worker *departed);

unsigned worker_count(void);
struct list *worker_list(void); /* by link */

/* Adopts an identity, for a restart. */
void computation_adopt(const struct upid *name, uint32_t generation);

/* Ends the computation when no worker of it is left. */
void computation_check(void);

/* "pid 4711 (python3) on host n2" */
#define WORKER_TEXT_MAX 512
const char *worker_text(const struct worker *worker, char text[WORKER_TEXT_MAX]);

/* The list that people see: a line per worker. To be freed. */
char *worker_list_text(size_t *size);

#endif
