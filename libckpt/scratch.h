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
/* A mapping made elsewhere that is to be treated like scratch (it never enters an image). False: no memory for the table. */
bool scratch_adopt(void *memory, size_t size);
/* In the child of a fork, before its checkpoint thread exists: gives back what belonged to the parent's, whose table may have been caught in the
 * middle of a change. Adopted mappings are forgotten, not unmapped. */
void scratch_forked(void);

/* Changes the size of a private mapping; it may move. New bytes are zero. NULL: no memory, the old mapping stays. */
void *scratch_resize(void *memory, size_t old_size, size_t new_size);

/* An array that grows, in private scratch memory; addresses of its elements hold until the next scratch_append. */
struct scratch_array {
    void *memory;
    size_t used, size; /* bytes */
};

/* Room for `size` more bytes at the end, which the caller fills in; NULL: no memory. */
void *scratch_append(struct scratch_array *array, size_t size);
void scratch_free(struct scratch_array *array);

/* Is [start, end) touched by a scratch mapping? Sets [*skip_start, *skip_end) to the lowest such stretch within it. */
bool scratch_covers(uint64_t start, uint64_t end, uint64_t *skip_start, uint64_t *skip_end);

/* In a child, before it maps anything: from now on scratch_covers speaks of the parent's mappings only. Where the parent has a mapping that the
 * child did not inherit, the child's own scratch may lie. */
void scratch_freeze(void);
/* Does a mapping made since scratch_freeze touch [start, end)? */
bool scratch_made_since(uint64_t start, uint64_t end);

/* After a restart: the mappings did not come back; forget them. */
void scratch_forget(void);

#endif
