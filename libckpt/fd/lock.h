/* Locks on files (lock.c). Checkpoint thread. */
#ifndef FD_LOCK_H
#define FD_LOCK_H

#include <stddef.h>

/* DRAIN, after all descriptions have been looked at. */
long locks_save(char *problem, size_t size);
/* RECONNECT, when all descriptors exist. */
long locks_restore(char *problem, size_t size);
/* REFILL after a restart: closing a descriptor, of those in flight, has let go of what the process had locked of its file. */
void locks_again(void);

#endif
