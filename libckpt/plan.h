/* What goes into an image: the mappings (segments) and the stretches of pages to be stored (runs). Made by the first snapshot child, or by
 * the process itself when it writes its own image; only ever by one task, before any writer starts. Everything lives in scratch.
 *
 * The parts that compare with the parent or read shared memory run while user threads are parked, so they are quick; see writer.c for the
 * order. All functions return 0 or -errno after snapshot_fail (writer.h) has recorded the reason. */
#ifndef PLAN_H
#define PLAN_H

#include "image.h"
#include "pages.h"
#include "scratch.h"

struct fd_object;
struct snapshot;

enum {
    SEGMENT_ABSENT = 1u << 0, /* the child has no such mapping (MADV_DONTFORK) */
    SEGMENT_WIPED = 1u << 1, /* the child's is empty (MADV_WIPEONFORK) */
    SEGMENT_LAZY = 1u << 2, /* has MADV_FREE pages: they may turn into zeros at any time, also in a frozen copy */
    SEGMENT_SWAPPED = 1u << 3, /* shared memory partly in swap, where mincore(2) does not see it */
    SEGMENT_SAVED = 1u << 4, /* its runs are already there */
    SEGMENT_OPENED = 1u << 5, /* made readable for the writers */
    SEGMENT_DELETED = 1u << 6, /* its file has no name any more */
    SEGMENT_EMPTY = 1u << 7, /* no page of it in memory or swap */
};

struct segment {
    struct image_segment image;
    uint32_t flags;
};

enum {
    RUN_COPY = 1u << 0, /* the bytes may change or be unreadable: copy them with pages_read before anything else */
    RUN_CLEAN = 1u << 1, /* IMAGE_RUN_CLEAN */
    RUN_KEEP_ZEROS = 1u << 2, /* pages of zeros are stored too */
    RUN_UNPLACED = 1u << 3, /* source is an offset in plan.saved */
};

struct run {
    uint64_t address; /* in the program */
    uint64_t source; /* where the writer finds the bytes; mostly the same */
    uint64_t pages;
    uint32_t segment;
    uint32_t flags;
};

struct plan {
    struct snapshot *snapshot;
    bool (*saved_elsewhere)(uint64_t inode); /* System V shared memory that is in another process's image; NULL: none */
    const struct fd_object *objects; /* shared memory that there are descriptors of */
    struct scratch_array segments; /* struct segment */
    struct scratch_array runs; /* struct run */
    struct scratch_array strings;
    struct scratch_array guards; /* struct image_guard */
    struct scratch_array saved; /* contents copied while the program stood still */
    uint64_t pages; /* in all runs */
    bool live; /* the pages are the program's own, not a frozen copy of them */
};

static inline struct segment *plan_segment(const struct plan *plan, size_t index)
{
    return (struct segment *)plan->segments.memory + index;
}

static inline size_t plan_segment_count(const struct plan *plan)
{
    return plan->segments.used / sizeof(struct segment);
}

static inline bool segment_readable(const struct segment *segment)
{
    return segment->image.prot & 1; /* PROT_READ */
}

/* segments.c: lists the mappings; `maps` is a descriptor of /proc/PID/maps. Scratch is left out. */
long plan_read_maps(struct plan *plan, int maps);
/* Which of the segments are not in `maps` (the child's own)? */
long plan_mark_absent(struct plan *plan, int maps);
/* Which private anonymous ones are empty in `own` but not in `parent`? */
long plan_mark_wiped(struct plan *plan, const struct pages *own, const struct pages *parent);
/* Adds a string to STRINGS; its offset, or -errno. */
long plan_string(struct plan *plan, const char *text);

/* flags.c: VmFlags and the like of `smaps`, for those segments that are in it. */
long plan_read_smaps(struct plan *plan, int smaps);

/* saved.c: shared memory: copies what exists (or, in place, where nothing changes meanwhile, only notes where it is). */
long plan_save_shared(struct plan *plan, const struct pages *parent, bool in_place);
/* Absent and wiped segments: asks the parent for their contents over `socket`, and tells it that it may go. */
long plan_save_private(struct plan *plan, const struct pages *parent, int socket);
/* The parent's side: answers until the child has all it wants. deadline: seconds without an order or progress, after which it hangs. */
long plan_serve(const struct snapshot *snapshot, int socket, unsigned deadline);
/* Is some swap in use? */
bool plan_swap_in_use(void);

/* runs.c: finds the pages of all segments that are not saved yet, and makes unreadable ones readable. */
long plan_find_pages(struct plan *plan, const struct pages *own);
long plan_add_run(struct plan *plan, uint64_t address, uint64_t source, uint64_t pages, uint32_t segment, uint32_t flags);
/* Undoes the making readable. */
void plan_restore_protection(struct plan *plan);

void plan_free(struct plan *plan);

#endif
