/* Contents: worker threads take chunks from a common counter and read or inflate them straight to where they belong. The threads are raw
 * clones with nothing of libc's: each has a fake thread control block, because the static zlib looks for its stack canary there. */
#include "fmt.h"
#include "loader.h"

#include <linux/futex.h>

#define WORKERS_MAX 256u
#define WORKER_STACK (64u << 10)
/* Longer runs get their pages in one call instead of a fault each (kernel 5.14; a third of the time of a raw image). */
#define POPULATE_PAGES 16
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define RUNS_MAX (IMAGE_MAX_CHUNK / IMAGE_PAGE)

struct worker {
    uint32_t tid; /* futex; the kernel clears it when the thread has ended */
    long error;
    char problem[IMAGE_PROBLEM_MAX];
    struct loader_tcb tcb;
    struct iovec target[RUNS_MAX];
    unsigned char work[IMAGE_LOAD_MEMORY] __attribute__((aligned(16)));
    unsigned char sink[IMAGE_MAX_CHUNK]; /* for runs that are read for the checksum only */
    unsigned char stack[WORKER_STACK] __attribute__((aligned(16)));
};

static uint64_t next_chunk; /* atomic */
static uint32_t failed; /* atomic */

static unsigned worker_count(void)
{
    uint64_t count = loader.handoff.workers;

    if (count > loader.image.chunk_count)
        count = loader.image.chunk_count;
    if (count > WORKERS_MAX)
        count = WORKERS_MAX;
    return count ? (unsigned)count : 1;
}

uint64_t workers_memory(void)
{
    return worker_count() * sizeof(struct worker);
}

/* Is the run there already, or not wanted? */
static bool run_is_skipped(const struct image_run *run)
{
    unsigned state = loader.segment_state[run->segment];

    return state & SEGMENT_IN_PLACE || (run->address & IMAGE_RUN_CLEAN && state & SEGMENT_FILE_MAPPED);
}

static uint64_t run_address(const struct image_run *run)
{
    return run->address & ~(uint64_t)(IMAGE_PAGE - 1);
}

static void load_chunk(struct worker *worker, const struct image_chunk *chunk)
{
    const struct image_run *run = loader.image.runs + chunk->first_run;
    size_t at = 0;
    bool wanted = false;

    for (uint32_t i = 0; i < chunk->run_count; i++) {
        bool skip = run_is_skipped(&run[i]);
        worker->target[i].iov_base = skip ? worker->sink + at : (void *)run_address(&run[i]);
        worker->target[i].iov_len = (size_t)run[i].pages * IMAGE_PAGE;
        at += worker->target[i].iov_len;
        wanted |= !skip;
        if (!skip && run[i].pages >= POPULATE_PAGES)
            sys_madvise(worker->target[i].iov_base, worker->target[i].iov_len, MADV_POPULATE_WRITE);
    }
    if (wanted)
        worker->error = image_load_chunk(&loader.image, loader.handoff.image_fd, chunk, worker->target, chunk->run_count, worker->work,
                                         worker->problem);
}

static void work(void *argument)
{
    struct worker *worker = argument;

    while (!__atomic_load_n(&failed, __ATOMIC_RELAXED)) {
        uint64_t n = __atomic_fetch_add(&next_chunk, 1, __ATOMIC_RELAXED);
        if (n >= loader.image.chunk_count)
            break;
        load_chunk(worker, &loader.image.chunks[n]);
        if (worker->error)
            __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
    }
}

static void start(struct worker *worker)
{
    const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

    worker->tcb.self = &worker->tcb;
    /* Without threads (a process limit) the first worker does it all. */
    if (thread_start(flags, worker->stack + WORKER_STACK, &worker->tid, &worker->tid, &worker->tcb, work, worker) < 0)
        worker->tid = 0;
}

static void join(struct worker *worker)
{
    uint32_t tid;

    /* Not a private futex: the kernel wakes with FUTEX_WAKE alone (set_tid_address(2)). */
    while ((tid = __atomic_load_n(&worker->tid, __ATOMIC_ACQUIRE)))
        syscall6(__NR_futex, (long)&worker->tid, FUTEX_WAIT, tid, 0, 0, 0);
}

/* The word is cleared while the thread still ends; only when it has left the list of tasks is its id free for set_tid. The directory has
 * one link for each task, and two. */
static void wait_until_alone(void)
{
    struct stat st;

    while (!sys_fstatat(AT_FDCWD, "/proc/self/task", &st, 0) && st.st_nlink > 3)
        syscall3(__NR_sched_yield, 0, 0, 0);
}

void load_contents(void)
{
    struct worker *worker = (void *)loader.worker_memory;
    unsigned count = worker_count();

    for (unsigned i = 1; i < count; i++)
        start(&worker[i]);
    work(&worker[0]);
    for (unsigned i = 1; i < count; i++)
        join(&worker[i]);
    if (count > 1)
        wait_until_alone();
    for (unsigned i = 0; i < count; i++)
        if (worker[i].error)
            die("%s", worker[i].problem);
}

static const unsigned char *live_bytes_differ(const struct image_chunk *chunk, const unsigned char *at, uint32_t segment,
                                              const unsigned char *live, uint64_t *compared)
{
    const struct image_run *run = loader.image.runs + chunk->first_run;
    uint64_t start = loader.image.segments[segment].start;

    for (uint32_t i = 0; i < chunk->run_count; i++) {
        size_t size = (size_t)run[i].pages * IMAGE_PAGE;
        if (run[i].segment == segment) {
            if (memcmp(at, live + (run_address(&run[i]) - start), size))
                return at;
            *compared += size;
        }
        at += size;
    }
    return NULL;
}

static bool chunk_has_segment(const struct image_chunk *chunk, uint32_t segment)
{
    const struct image_run *run = loader.image.runs + chunk->first_run;

    for (uint32_t i = 0; i < chunk->run_count; i++)
        if (run[i].segment == segment)
            return true;
    return false;
}

bool contents_equal(uint32_t segment, const unsigned char *live)
{
    const struct image *image = &loader.image;
    uint64_t compared = 0, size = (sizeof(struct worker) + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
    struct worker *worker = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool equal = true;

    if (SYS_IS_ERROR(worker))
        die("can't be restored: %lu bytes of memory: %e", size, (int)(long)worker);
    for (size_t n = 0; n < image->chunk_count && equal; n++) {
        const struct image_chunk *chunk = &image->chunks[n];
        struct iovec target = {worker->sink, chunk->raw_size};

        if (!chunk_has_segment(chunk, segment))
            continue;
        if (image_load_chunk(image, loader.handoff.image_fd, chunk, &target, 1, worker->work, worker->problem))
            die("%s", worker->problem);
        equal = !live_bytes_differ(chunk, worker->sink, segment, live, &compared);
    }
    sys_munmap(worker, size);
    return equal && compared == image->segments[segment].end - image->segments[segment].start;
}
