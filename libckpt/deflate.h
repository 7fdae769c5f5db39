/* Gzip members (RFC 1952) that say how long they are: an extra field 'D','C' as include/image.h describes. Memory comes from the caller. */
#ifndef DEFLATE_H
#define DEFLATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct deflater;

#define DEFLATE_MEMORY (320ul << 10)
/* `memory`: DEFLATE_MEMORY bytes, zeroed, 16-aligned. NULL: zlib refuses. */
struct deflater *deflater_place(void *memory, unsigned level);

/* Most bytes that a member of so many can take. */
size_t member_bound(size_t raw_size);

/* Compresses the pieces (raw_size bytes together, at least 1) into one member at `out` (member_bound bytes); its size. What does not
 * shrink is stored, and a stretch of such data is not even tried at length. */
size_t deflater_member(struct deflater *deflater, const struct iovec *pieces, unsigned count, size_t raw_size, unsigned char *out);

/* The same, stored, whatever the contents: the size depends on raw_size only. */
size_t member_store(const struct iovec *pieces, unsigned count, size_t raw_size, unsigned char *out);
size_t member_stored_size(size_t raw_size);

#endif
