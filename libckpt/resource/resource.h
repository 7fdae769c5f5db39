/* State of the process that is neither memory, thread nor descriptor. Checkpoint thread; user threads parked unless said otherwise. */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"

/* Before threads are suspended, and just before they run again: what must be different meanwhile (PR_SET_DUMPABLE, or /proc/self is closed;
 * RLIMIT_NOFILE). */
long resource_suspending(char *problem, size_t size);
void resource_resuming(void);

/* Around what opens descriptors at other times: RLIMIT_NOFILE holds for the checkpoint thread too, though its file table is its own. Does not
 * nest; resource_suspending has done it until resource_resuming. */
void resource_lift_limit(void);
void resource_lower_limit(void);

/* Records everything. Pending signals are taken out of their queues and stand in the arena until resource_refill. */
long resource_save(char *problem, size_t size);
/* Puts pending signals back. Also the last step of a restart, which arms timers too. */
void resource_refill(bool restarted);
/* A restart: everything else, through the executor thread where it is shared by the program's threads only. */
long resource_restore(char *problem, size_t size);

/* For the image's records. */
void resource_describe(struct image_process *process);
const uint32_t *resource_tids(uint32_t *count);
const struct image_zombie *resource_zombies(uint32_t *count);
/* Processors that this process may run on. */
unsigned resource_cpus(void);

/* Signal dispositions; when it is known whether numbers differ (vpid_settle). */
void signals_restore(void);

/* The controlling terminal: in a new program; for the image's records (device: field 7 of proc_pid_stat(5)); RECONNECT. */
void terminal_start(void);
void terminal_describe(struct image_process *process, uint64_t device);
void terminal_reconnect(void);

/* In a thread of a restart, before it runs: PR_SET_DUMPABLE as it was. */
void resource_dumpable(void);

/* System V IPC: DRAIN; REFILL, also of a checkpoint that is given up; RECONNECT. The objects of this process's image; does it have all of the
 * host's? */
struct sysv_object {
    struct sysv_object *next;
    void *attached; /* shared memory: until REFILL */
    size_t size; /* from `image` on */
    struct image_sysv image;
    char contents[];
};
long sysv_save(char *problem, size_t size);
void sysv_refill(void);
void sysv_reconnect(void);
const struct sysv_object *sysv_objects(void);
bool sysv_saver(void);

/* resource/signals.c, timers.c, attributes.c: parts of the above. */
void signals_save(void);
long signals_pending_save(void);
/* Takes what has come since: 1, nothing: 0, or -errno. */
long signals_pending_more(void);
void signals_pending_refill(void);
long zombies_save(char *problem, size_t size);
/* After the pending signals, of which it may take more. */
long timers_save(void);
void timers_restore(void);
void attributes_save(void);
void attributes_restore(void);

#endif
