/* Which pages of a mapping exist: /proc/PID/pagemap, by PAGEMAP_SCAN (6.7) or by reading it. Free code; no state beyond the caller's. */
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ul

enum page_state { /* bits */
    PAGE_PRESENT = 1u << 0,
    PAGE_SWAPPED = 1u << 1,
    PAGE_OF_FILE = 1u << 2, /* the file's (or shared memory's) page, not a private copy of it */
    PAGE_ZERO = 1u << 3, /* the kernel's page of zeros; by PAGEMAP_SCAN only */
    PAGE_GUARD = 1u << 4, /* MADV_GUARD_INSTALL (6.13; shown since 6.15) */
};

struct pages {
    int pagemap; /* descriptor of /proc/PID/pagemap, open for reading */
    bool scan; /* PAGEMAP_SCAN works */
    bool guards; /* and knows guard pages */
};

/* Finds out what the kernel can. `disabled`: features, base/feature.h. */
void pages_init(struct pages *pages, int pagemap, uint32_t disabled);

/* Calls found() for each stretch of pages of equal state that are present, swapped or guards, by ascending address; a non-zero answer ends the
 * search and is returned. Otherwise 0 or -errno. */
long pages_find(const struct pages *pages, uint64_t start, uint64_t end, long (*found)(void *arg, uint64_t from, uint64_t to, unsigned state),
                void *arg);

/* Is any page of the range present or swapped? 1, 0 or -errno. */
long pages_any(const struct pages *pages, uint64_t start, uint64_t end);

/* Copies pages of this process that may vanish under the reader (beyond the end of a file, guards): bytes up to the first that can't be
 * read, a multiple of the page size. The kernel does the reading, so nothing faults. `memory`: a descriptor of /proc/self/mem, or -1. */
long pages_read(int memory, void *buffer, uint64_t address, size_t size);

#endif
