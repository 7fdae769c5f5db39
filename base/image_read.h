/* Reading images: the only parser of include/image.h's format. Free code: no allocation but mmap, no libc. Never trusts a length: every
 * offset, count, string and index that it hands out lies inside what was read and checksummed. Fuzzed (tests/fuzz).
 *
 * All return 0 or -errno and, in `problem` (PROBLEM_MAX bytes), one line for people without the file's name, such as
 * "is cut off: 4096 of 81920 bytes" or "section 2 is damaged (checksum)". */
#ifndef IMAGE_READ_H
#define IMAGE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

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

/* The file may be damaged in ways that do not matter and are not looked at: the time and system in a gzip member's head, its own checksum
 * (the CRC-32C of its contents is checked), and the gaps between parts.
 *
 * Header and all sections, checked against each other (runs within their segments and chunks, chunks within the file, segments ordered
 * and disjoint …). */
long image_open(int fd, struct image *image, char *problem);
void image_close(struct image *image);

/* Payload and size of the n-th record of a type (from 0), or NULL. Text (IMAGE_REC_CONF, IMAGE_REC_DESCRIPTORS) is not terminated. */
const void *image_record(const struct image *image, uint32_t type, unsigned n, uint32_t *size);

/* A string by offset; never NULL, "" for offset 0. image_open has checked all offsets that it knows. */
const char *image_string(const struct image *image, uint32_t offset);

/* Loads one chunk and checks its checksum: its bytes go, in order, to the `count` pieces of `target`, whose lengths add up to
 * chunk->raw_size (one piece a run, as a rule; the loader gives the program's own addresses). `work` is IMAGE_LOAD_MEMORY bytes for the
 * decompressor, aligned to 16; it is not used, and may be NULL, for a raw image. A raw chunk is read by preadv(2) without another copy.
 * Thread-safe over different targets and work areas. -EBADMSG: damaged. */
#define IMAGE_INFLATE_MEMORY (64u << 10)
#define IMAGE_INPUT_MEMORY (128u << 10)
#define IMAGE_LOAD_MEMORY (IMAGE_INFLATE_MEMORY + IMAGE_INPUT_MEMORY)
long image_load_chunk(const struct image *image, int fd, const struct image_chunk *chunk, const struct iovec *target, unsigned count,
                      void *work, char *problem);

/* The mapping image->memory has been moved (mremap) or copied to `memory`: corrects the pointers. */
void image_moved(struct image *image, void *memory);

/* Index of the segment that holds `address`, or segment_count. */
size_t image_segment_at(const struct image *image, uint64_t address);

#endif
