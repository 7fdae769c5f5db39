/* The restart loader: rebuilds the address space that an image describes and jumps into the image. It knows memory and nothing else
 * (descriptors, threads and the rest are libckpt's, which comes back with the memory).
 *
 * Rules: free code; no pointer tables and no pointers into the loader itself that live across relocate_self() (the linker script and
 * check-loader see to the former). Everything that the loader uses lies in [loader_start, loader_end) or [scratch_start, scratch_end) of
 * the handoff, so that libckpt can unmap it. One thread, except within load_contents(). */
#ifndef LOADER_H
#define LOADER_H

#pragma GCC visibility push(hidden)

#include "handoff.h"
#include "image_read.h"
#include "machine_loader.h"
#include "str.h"

struct range {
    uint64_t start, end;
};

static inline bool ranges_meet(struct range a, struct range b)
{
    return a.start < b.end && b.start < a.end;
}

/* What becomes of a segment; one byte each, in scratch memory. */
enum {
    SEGMENT_HAS_RUNS = 1u << 0,
    SEGMENT_HAS_DIRTY_RUNS = 1u << 1, /* runs other than IMAGE_RUN_CLEAN */
    SEGMENT_FILE_MAPPED = 1u << 2, /* clean runs are there already */
    SEGMENT_IN_PLACE = 1u << 3, /* nothing to map, load or protect: [vvar], a moved [vdso] */
    SEGMENT_WRITABLE = 1u << 4, /* mapped read-write for loading; wants its protection afterwards */
    SEGMENT_MAPPED = 1u << 5,
};

/* A special mapping of the kernel: [vvar], [vvar_vclock], [vdso]. */
struct special {
    struct range range;
    char name[24];
    bool code; /* [vdso] */
};
#define SPECIAL_MAX 8

struct loader {
    struct handoff handoff;
    struct image image;
    int handoff_fd;
    unsigned attempt; /* how often the loader was execed again for another layout */
    char **argv, **envp; /* on the kernel's stack; valid until it is unmapped */
    struct range self, scratch;
    unsigned char *segment_state; /* in scratch */
    unsigned char *worker_memory; /* in scratch */
    struct special special[SPECIAL_MAX];
    unsigned special_count;
    struct range special_range; /* from the first to the last */
    bool warnings; /* the user wants them */
    struct loader_tcb tcb;
    char problem[IMAGE_PROBLEM_MAX];
};
extern struct loader loader;

/* Linker script. */
extern char loader_image_start[], loader_text_end[], loader_rodata_end[], loader_image_end[];

/* entry.S */
_Noreturn void jump_to_copy(long delta, void (*function)(void));
_Noreturn void jump_to_image(uint64_t entry, struct handoff *handoff);
long thread_start(unsigned long flags, void *stack_top, uint32_t *parent_tid, uint32_t *child_tid, void *tls, void (*function)(void *),
                  void *argument);
_Noreturn void loader_main(uint64_t *stack);

/* message.c: one line on standard error, "dmtcp_restart: IMAGE: …". */
_Noreturn void die(const char *format, ...) __attribute__((nonnull(1)));
void warn(const char *format, ...) __attribute__((nonnull(1)));

/* place.c: a range of `size` bytes that nothing in the image and none of the `count` ranges touches, far from both if there is room.
 * 0: none. */
uint64_t find_hole(uint64_t size, const struct range *ranges, unsigned count);
/* Is it in the way of the image: of a segment or of the heap's whole extent? */
bool in_the_way(struct range range);

/* relocate.c */
/* Reads the live maps. */
void maps_survey(void);
/* A hole free of the image, of the live maps and of the loader; dies where there is none. Remembers it as taken. */
uint64_t take_hole(uint64_t size);
/* Moves the loader and what image_open() mapped out of the image's way, makes the scratch memory, and calls go_on() with an empty stack. */
_Noreturn void relocate_self(void (*go_on)(void));
/* Unmaps everything but the loader, its scratch memory and the special mappings. */
void unmap_the_rest(void);

/* vdso.c */
/* After maps_survey(): compares the live vDSO with the image's, moves it out of the way. May exec the loader again (see there). */
void vdso_park(void);
/* After unmap_the_rest(): moves it to the image's place, where it is the same. */
void vdso_place(void);
/* Is the live vDSO the image's, and going to its place? */
bool vdso_is_same(void);
/* After the contents are loaded. */
void vdso_patch(void);

/* segments.c */
void segments_survey(void); /* SEGMENT_HAS_* */
void segments_map(void);
void segments_finish(void); /* protections and VmFlags */

/* inflate.c */
/* Scratch bytes for all workers. */
uint64_t workers_memory(void);
void load_contents(void);
/* Loads the chunks that hold parts of one segment and compares them with memory at `live`. */
bool contents_equal(uint32_t segment, const unsigned char *live);

/* mm.c: brk before segments are mapped, everything else after. */
void mm_brk(void);
void mm_restore(void);

#pragma GCC visibility pop
#endif
