/* Scratch memory: mappings of the library's own that never enter an image. The checkpoint thread and snapshot children only.
 * The table of ranges itself lives in scratch. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Anonymous memory, zeroed, page aligned; shared with children if `shared`. NULL: no memory. Named "dmtcp scratch" where the kernel
 * can (PR_SET_VMA_ANON_NAME), for people who read maps. */
void *scratch_map(size_t size, bool shared);
void scratch_unmap(void *memory, size_t size);

/* Is [start, end) touched by a scratch mapping? Sets *skip_end to where that mapping ends within it. */
bool scratch_covers(uint64_t start, uint64_t end, uint64_t *skip_start, uint64_t *skip_end);

/* After a restart: the mappings did not come back; forget them. */
void scratch_forget(void);

#endif
