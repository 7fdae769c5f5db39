/* Builds checkpoint images of made-up processes, for tests of the reader and of the loader. Independent of libckpt's writer: the second
 * hand that writes include/image.h's format from docs/image-format.md. Hosted; allocation failures end the program. */
#ifndef IMAGE_BUILD_H
#define IMAGE_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "image.h"

struct image_bytes { /* grows */
    unsigned char *at;
    size_t size, room;
};

struct image_build {
    struct image_header header; /* machine, entry and the like; offsets and checksums are filled in by image_build_finish */
    struct image_process process;
    struct image_mm mm;
    struct image_bytes segments, runs, strings, records;
    struct image_bytes pages; /* contents, in the order of the runs */
    size_t chunk_pages; /* pages a chunk, 256 by default */
};

void image_build_start(struct image_build *build);
void image_build_end(struct image_build *build);

/* Offset of a string in STRINGS. */
uint32_t image_build_string(struct image_build *build, const char *text);

/* Adds a segment; to be called by ascending address. Returns its index. */
uint32_t image_build_segment(struct image_build *build, const struct image_segment *segment);

/* Contents of `size` bytes (rounded up to pages with zeros) at an address in that segment; flags: IMAGE_RUN_CLEAN or 0. */
void image_build_contents(struct image_build *build, uint32_t segment, uint64_t address, const void *bytes, size_t size, unsigned flags);

void image_build_record(struct image_build *build, uint32_t type, const void *payload, uint32_t size);

/* The whole file, to be freed by the caller; the build is still usable. */
unsigned char *image_build_finish(struct image_build *build, bool compressed, size_t *size);

/* Writes it to a file, created or truncated, mode 0600. */
void image_build_save(struct image_build *build, bool compressed, const char *path);

/* Computes header and section checksums of a raw image again, so that tests can damage what lies behind them. */
void image_build_reseal(unsigned char *raw);
/* The header's only. */
void image_build_reseal_header(unsigned char *page);

#endif
