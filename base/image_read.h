/* Reading images: the only parser of include/image.h's format. Free code: no allocation but mmap, no libc. Never trusts a length: every
 * offset, count, string and index that it hands out lies inside what was read and checksummed. Fuzzed (tests/fuzz).
 *
 * All return 0 or -errno and, in `problem` (PROBLEM_MAX bytes), one line for people without the file's name, such as
 * "is cut off: 4096 of 81920 bytes" or "section 2 is damaged (checksum)". */
#ifndef IMAGE_READ_H
#define IMAGE_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "image.h"

#define IMAGE_PROBLEM_MAX 160

struct image {
    struct image_header header;
    bool compressed; /* the file at hand consists of gzip members (a raw one may come from zcat) */
    /* Sections, decoded; point into one mapping that image_close gives back. */
    const struct image_segment *segments;
    const struct image_chunk *chunks;
    const struct image_run *runs;
    const char *strings;
    const unsigned char *records;
    size_t segment_count, chunk_count, run_count, strings_size, records_size;
    const struct image_process *process;
    const struct image_mm *mm;
    void *memory; /* the mapping */
    size_t memory_size;
};

/* Header page only: cheap, for planning over many images. */
long image_read_header(int fd, struct image_header *header, bool *compressed, char *problem);

/* Header and all sections, checked against each other (runs within their segments and chunks, chunks within the file, segments ordered
 * and disjoint …). */
long image_open(int fd, struct image *image, char *problem);
void image_close(struct image *image);

/* Payload and size of the n-th record of a type (from 0), or NULL. */
const void *image_record(const struct image *image, uint32_t type, unsigned n, uint32_t *size);

/* A string by offset; never NULL, "" for offset 0. image_open has checked all offsets that it knows. */
const char *image_string(const struct image *image, uint32_t offset);

/* Loads one chunk into buffer (raw_size bytes) and checks its checksum. `scratch` (at least chunk->file_size bytes) is used for a compressed
 * one; `window` is IMAGE_INFLATE_MEMORY bytes for zlib. Thread-safe over different buffers. */
#define IMAGE_INFLATE_MEMORY (64u << 10)
long image_load_chunk(const struct image *image, int fd, const struct image_chunk *chunk, void *buffer, void *scratch, void *window,
                      char *problem);

#endif
