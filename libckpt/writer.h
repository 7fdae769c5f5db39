/* The image writer's own interior: what snapshot.c (the checkpoint thread's side), the first snapshot child and its siblings share.
 *
 * Who runs what:
 *   checkpoint thread  snapshot_start … snapshot_discard (snapshot.c); serves the child while user threads are parked (saved.c)
 *   first child        engine_run (writer.c): its own address space, a copy of the program's, on a stack in scratch
 *   siblings           tasks with the first child's address space (CLONE_VM), so they cost no copy of page tables; each writes
 *                      chunks through a ring of its own (chunk.c). They share nothing that changes but the engine's counters and its lock.
 * A process that can't be cloned runs engine_run itself, on the same kind of stack, while its threads stay parked.
 *
 * Nothing here writes to libckpt's data, its arenas or the checkpoint thread's stack: they are contents of the image by now. */
#ifndef WRITER_H
#define WRITER_H

#include "io.h"
#include "plan.h"
#include "snapshot.h"

/* Shared between the checkpoint thread and the first child; the child has it at the same address. */
struct snapshot {
    int32_t child; /* pid, 0: none (any more) */
    int32_t socket; /* to the child: orders, and end-of-file when the writers have ended; -1: none */
    uint32_t failed; /* some task has claimed the result for its error */
    uint32_t complete; /* the image is whole */
    uint32_t created; /* the temporary file is ours */
    uint32_t keep; /* the program has taken the complete file over: the child's end, or its parent's, leaves it */
    uint32_t fsync;
    int32_t parent; /* pid */
    uint32_t writers_started;
    uint64_t done, total; /* bytes */
    uint64_t copied; /* bytes of shared memory, while the program stands still: a sign of life */
    struct snapshot_result result;
    char temp_path[4096 + 8];
};

/* A new descriptor, moved above 2 if it is not there already: log lines of a process whose standard error is closed must not go into an
 * image or to the other side of a socket. Errors pass through. */
long fd_above_standard(long fd);

/* Records the first error of a snapshot; later ones are dropped. Returns `error`. Any task of the writer. */
long snapshot_fail(struct snapshot *snapshot, long error, const char *format, ...);
bool snapshot_failed(const struct snapshot *snapshot);
/* The same for an error of the image file, with what people can do about it. */
long snapshot_file_fail(struct snapshot *snapshot, long error, const char *verb);

static inline void snapshot_alive(struct snapshot *snapshot, size_t bytes)
{
    __atomic_fetch_add(&snapshot->copied, bytes, __ATOMIC_RELAXED);
}

static inline uint64_t snapshot_copied(const struct snapshot *snapshot)
{
    return __atomic_load_n(&snapshot->copied, __ATOMIC_RELAXED);
}

struct job { /* a chunk to be: chunk_pages pages from here on, over several runs if need be */
    uint64_t first_page; /* within the run */
    uint64_t run;
};

#define WRITERS_MAX 64
#define RAW_CHUNK_PAGES 256u /* 1 MiB, the most that the format allows: fewer, larger writes */
#define GZIP_CHUNK_PAGES 64u /* 256 KiB: fits the second-level cache, spreads small images over all writers; ratio within 1 % of larger */
#define WRITER_STACK (256ul << 10)

struct engine {
    struct snapshot *snapshot;
    const struct snapshot_request *request;
    struct plan plan;
    struct pages parent_pages;
    int maps, smaps, pagemap; /* of the program; inherited */
    int child_socket;
    int file;
    int memory; /* /proc/self/mem; -1: can't be had */
    bool in_place, uring;
    uint32_t chunk_pages;
    unsigned writers;

    const struct job *jobs;
    uint64_t job_count;
    uint64_t next_job; /* atomic */

    /* Allotment of file space: chunks are numbered, and placed in the raw image and in the file, in one step and in one order. */
    uint32_t lock;
    uint32_t chunk_count;
    uint64_t raw_end, file_end, run_count, stored_bytes;
    struct image_chunk *chunks;
    struct image_run *runs;

    int first_pid;
    unsigned siblings; /* not reaped yet; the first child's count */

    uint64_t program_total_vm; /* pages, before the clone */
    bool program_locked;
};

/* One task's own. */
struct writer {
    struct engine *engine;
    struct io io;
    struct deflater *deflater; /* NULL: raw */
    struct image_run *runs; /* of the chunk in work: chunk_pages */
    void *copy; /* gzip: chunk_pages pages for RUN_COPY sources; raw uses the slot's buffer */
    struct iovec *vector; /* gzip: pieces of the chunk */
    void *stack;
    unsigned trials; /* chunks that have shown what a page costs; see chunk.c */
    uint64_t direct_cost, copied_cost; /* of the cheapest of them, ns for PAGE_COST_UNIT pages */
};

/* writer.c: the whole work of the first child, from closing descriptors to the header. `engine` is in scratch. */
void engine_run(void *engine);
/* Pages of address space of the calling process, 0 if unknown. */
uint64_t writer_total_vm(void);
/* Reaps siblings that have ended (all of them, waiting, if `block`); true: the snapshot has failed. */
bool engine_supervise(struct engine *engine, bool block);
extern struct snapshot *writer_snapshot;

/* chunk.c */
/* Memory that one writer needs, and its set-up within `memory`, which is zeroed and page aligned. The ring is made by writer_work. */
size_t writer_memory(const struct engine *engine);
void writer_place(struct writer *writer, struct engine *engine, void *memory);
/* Takes jobs until there are none. 0 or -errno (reported). */
long writer_work(struct writer *writer);

/* records.c: the records section, in scratch; the strings it needs go to STRINGS. */
long records_build(struct engine *engine, struct scratch_array *records);

/* finish.c: sections and header. */
long engine_finish(struct engine *engine, const struct scratch_array *records);
/* Where page data begins in the file. */
uint64_t image_file_start(bool gzip);

/* x86_64/writer_stack.S */
/* clone(2) with a stack: the child calls function(argument) on it, which must not return. */
long writer_clone(unsigned long flags, void *stack_top, void (*function)(void *), void *argument);
/* Calls function(argument) on another stack. */
void writer_call(void *stack_top, void (*function)(void *), void *argument);
void writer_restorer(void);

#endif
