/* Memory that is hard to save, with contents that can be computed: every page of a region is either a pattern made from its address, or
 * zeros, or not there. */
#ifndef AWKWARD_H
#define AWKWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ul

enum expectation {
    EXPECT_NOTHING, /* the page is not in the image */
    EXPECT_PATTERN,
    EXPECT_ZEROS, /* stored although it is all zeros */
    EXPECT_PATTERN_OR_NOTHING,
};

struct region {
    const char *name;
    unsigned char *at;
    size_t size;
    uint32_t kind; /* of its segment */
    uint32_t vm_flags; /* that must be set */
    enum expectation (*expect)(size_t page);
    bool clean_allowed; /* runs may be IMAGE_RUN_CLEAN */
    bool keep; /* its contents are not spoilt after the snapshot */
    unsigned char *seen; /* a byte a page */
};

#define REGIONS_MAX 64
extern struct region regions[REGIONS_MAX];
extern unsigned region_count;

void pattern_fill(unsigned char *page);
/* As pattern_fill would leave it, were it at `address`. */
bool pattern_is(const unsigned char *page, uint64_t address);

/* Sets up one kind of memory, "awkward" (all kinds), "array:MiB", "sparse:MiB", "zeros:MiB", "huge:MiB", "random:MiB", "text:MiB". */
void memory_build(const char *what, const char *directory);
/* Changes what may be changed, so that an image that is not a frozen copy shows it. */
void memory_spoil(void);

#endif
