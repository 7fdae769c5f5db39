/* Writing the image file: several writes in flight through io_uring, or pwritev where there is none. One struct io a task. */
#ifndef IO_H
#define IO_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In flight per writer: one is being filled while the others are on their way; more only adds memory as long as writes go to the page
 * cache, where the kernel takes them one after the other per file. */
#define IO_DEPTH 4

struct io_slot {
    struct iovec *vector; /* what to write, in order; room as the owner placed it */
    unsigned count;
    bool busy;
    uint64_t offset;
    size_t size;
    unsigned char *buffer; /* the owner's, free for use until the write has ended */
};

struct io {
    int file;
    bool uring; /* the ring works */
    unsigned in_flight;
    struct io_slot slots[IO_DEPTH];
    struct io_uring ring;
};

/* vector and buffer of each slot have been set by the caller. Never fails: without a ring it writes directly. */
void io_open(struct io *io, int file, bool uring);
/* A slot that may be filled; waits for one if need be. NULL: a write failed, *error. */
struct io_slot *io_take(struct io *io, long *error);
/* Starts the write that the slot describes. 0 or -errno, of this or an earlier write. */
long io_write(struct io *io, struct io_slot *slot);
/* Waits for all. */
long io_drain(struct io *io);
void io_close(struct io *io);

#endif
