/* Locks on files (lock.c). Checkpoint thread. */
#ifndef FD_LOCK_H
#define FD_LOCK_H

#include <stddef.h>

/* DRAIN, after all descriptions have been looked at. */
long locks_save(char *problem, size_t size);
/* RECONNECT, when all descriptors exist. */
long locks_restore(char *problem, size_t size);

#endif
