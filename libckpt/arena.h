/* Memory for what a checkpoint records: part of the image. One arena, one user: the checkpoint thread, or a parked thread that works for it.
 * Everything is given back at once when the next checkpoint starts. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

/* Zeroed, 16-byte aligned; NULL: no memory. */
void *arena_alloc(size_t size);
/* A copy of a string. */
char *arena_string(const char *text);
/* Forgets everything that was allocated; keeps the first chunk. */
void arena_reset(void);

#endif
