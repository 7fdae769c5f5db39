/* Chunks: page after page is looked at once, for zeros and for the checksum, while it is in the first-level cache; what is left goes to the
 * file, from where it lies (raw) or through deflate. Chunks are numbered when their size is known, so those of several
 * writers come in any order of addresses, but without a hole in the file. */
#include "writer.h"

#include "crc32c.h"
#include "deflate.h"
#include "feature.h"
#include "str.h"
#include "sys.h"

typedef uint64_t word8 __attribute__((vector_size(64), may_alias));

static bool is_zero(const void *page)
{
    const uint64_t *words = page;
    const word8 *at = page;

    if (words[0] | words[PAGE_SIZE / 8 - 1]) /* most pages end here */
        return false;
    for (unsigned i = 0; i < PAGE_SIZE / sizeof *at; i += 4) {
        word8 any = at[i] | at[i + 1] | at[i + 2] | at[i + 3];
        uint64_t sum = 0;

        for (unsigned k = 0; k < 8; k++)
            sum |= any[k];
        if (sum)
            return false;
    }
    return true;
}

/* --- memory of a writer --- */

/* --- the cheaper way to the program's pages --- */

/* A page of a frozen copy can be looked at where it lies, or be copied by the kernel first. On bare metal the former costs next to nothing.
 * Where a hypervisor keeps page tables of its own, each page of a new process that is touched for the first time is a trip to it, several
 * microseconds, and the copy a third of that. So every writer tries: one chunk in place, then copies until its buffers are warm, then what
 * was cheaper. */
#define PAGE_COST_UNIT 1024u

static unsigned trials_wanted(const struct writer *writer)
{
    return writer->deflater ? 3 : IO_DEPTH + 2;
}

static bool copy_is_cheaper(const struct writer *writer)
{
    if (!writer->trials || writer->engine->memory < 0)
        return false;
    return writer->trials < trials_wanted(writer) || writer->copied_cost < writer->direct_cost;
}

static void learn_cost(struct writer *writer, uint64_t began_ns, uint32_t pages)
{
    uint64_t *cost = writer->trials ? &writer->copied_cost : &writer->direct_cost;
    uint64_t now = (sys_now_ns(CLOCK_MONOTONIC) - began_ns) * PAGE_COST_UNIT / pages;

    if (!*cost || now < *cost)
        *cost = now ? now : 1;
    writer->trials++;
}

#define ROUND(size) (((size) + 4095) & ~4095ul)

size_t writer_memory(const struct engine *engine)
{
    size_t raw = engine->chunk_pages * PAGE_SIZE, vector = ROUND(engine->chunk_pages * sizeof(struct iovec));
    size_t own = ROUND(sizeof(struct writer)) + ROUND(engine->chunk_pages * sizeof(struct image_run)) + WRITER_STACK;

    if (engine->request->conf->gzip)
        return own + DEFLATE_MEMORY + raw + vector + IO_DEPTH * (ROUND(member_bound(raw)) + vector);
    return own + IO_DEPTH * (raw + vector);
}

static void *carve(char **at, size_t size)
{
    void *memory = *at;

    *at += ROUND(size);
    return memory;
}

void writer_place(struct writer *writer, struct engine *engine, void *memory)
{
    size_t raw = engine->chunk_pages * PAGE_SIZE, vector = engine->chunk_pages * sizeof(struct iovec);
    bool gzip = engine->request->conf->gzip;
    char *at = memory;

    writer = carve(&at, sizeof *writer);
    writer->engine = engine;
    writer->runs = carve(&at, engine->chunk_pages * sizeof *writer->runs);
    writer->stack = carve(&at, WRITER_STACK);
    if (gzip) {
        writer->deflater = deflater_place(carve(&at, DEFLATE_MEMORY), engine->request->conf->gzip_level);
        writer->copy = carve(&at, raw);
        writer->vector = carve(&at, vector);
    }
    for (unsigned i = 0; i < IO_DEPTH; i++) {
        writer->io.slots[i].vector = carve(&at, vector);
        writer->io.slots[i].buffer = carve(&at, gzip ? member_bound(raw) : raw);
    }
}

/* --- allotment --- */

/* The lock is held for a few dozen instructions. Should its holder be killed, engine_supervise finds out and fails the snapshot. */
static bool lock_engine(struct engine *engine)
{
    for (unsigned tries = 1; __atomic_exchange_n(&engine->lock, 1, __ATOMIC_ACQUIRE); tries++) {
        if (tries % 64)
            cpu_relax();
        else
            syscall3(__NR_sched_yield, 0, 0, 0);
        if (tries % 65536 == 0 && engine_supervise(engine, false))
            return false;
    }
    return true;
}

struct gathered {
    uint32_t pages, runs, pieces;
    uint32_t crc;
    uint32_t choice; /* pages that could be had either way */
};

/* Gives the chunk its number and its place. 0, or -ECANCELED when another writer is dead. */
static long allot(struct writer *writer, const struct gathered *chunk, size_t file_size, uint64_t *file_offset)
{
    struct engine *engine = writer->engine;

    if (!lock_engine(engine))
        return -ECANCELED;
    *file_offset = engine->file_end;
    engine->chunks[engine->chunk_count++] = (struct image_chunk){
        .raw_offset = engine->raw_end,
        .file_offset = engine->file_end,
        .raw_size = chunk->pages * (uint32_t)PAGE_SIZE,
        .file_size = (uint32_t)file_size,
        .crc = chunk->crc,
        .run_count = chunk->runs,
        .first_run = engine->run_count,
    };
    uint64_t first_run = engine->run_count;
    engine->run_count += chunk->runs;
    engine->raw_end += chunk->pages * PAGE_SIZE;
    engine->file_end += file_size;
    engine->stored_bytes += chunk->pages * PAGE_SIZE;
    __atomic_store_n(&engine->lock, 0, __ATOMIC_RELEASE);
    memcpy(engine->runs + first_run, writer->runs, chunk->runs * sizeof *writer->runs);
    return 0;
}

/* --- gathering --- */

static void take_page(struct writer *writer, struct gathered *chunk, struct iovec *pieces, const struct run *run, uint64_t address, char *page)
{
    uint64_t clean = run->flags & RUN_CLEAN ? IMAGE_RUN_CLEAN : 0;
    struct image_run *last = chunk->runs ? &writer->runs[chunk->runs - 1] : NULL;
    struct iovec *piece = chunk->pieces ? &pieces[chunk->pieces - 1] : NULL;

    chunk->crc = crc32c(chunk->crc, page, PAGE_SIZE);
    chunk->pages++;
    if (last && last->segment == run->segment && last->address + last->pages * PAGE_SIZE == (address | clean))
        last->pages++;
    else
        writer->runs[chunk->runs++] = (struct image_run){address | clean, 1, run->segment};
    if (piece && (char *)piece->iov_base + piece->iov_len == page)
        piece->iov_len += PAGE_SIZE;
    else
        pieces[chunk->pieces++] = (struct iovec){page, PAGE_SIZE};
}

/* The job's pages, less zeros and pages that turn out not to exist. `copy` has room for a whole chunk. */
static long gather(struct writer *writer, const struct job *job, struct iovec *pieces, char *copy, struct gathered *chunk)
{
    const struct engine *engine = writer->engine;
    const struct run *run = (struct run *)engine->plan.runs.memory + job->run;
    const struct run *end = (struct run *)((char *)engine->plan.runs.memory + engine->plan.runs.used);
    uint64_t skip = job->first_page;

    for (uint64_t left = engine->chunk_pages; left && run < end; run++, skip = 0) {
        uint64_t pages = run->pages - skip < left ? run->pages - skip : left;
        uint64_t address = run->address + skip * PAGE_SIZE;
        char *source = (char *)(run->source + skip * PAGE_SIZE);

        bool copied = run->flags & RUN_COPY || copy_is_cheaper(writer);
        left -= pages;
        chunk->choice += run->flags & RUN_COPY ? 0 : (uint32_t)pages;
        while (pages) {
            uint64_t have = pages;

            if (copied) {
                long got = pages_read(engine->memory, copy, (uint64_t)source, pages * PAGE_SIZE);
                if (got < 0)
                    return snapshot_fail(engine->snapshot, got, "read the program's memory: %e", (int)got);
                have = (uint64_t)got / PAGE_SIZE;
            }
            char *page = copied ? copy : source;
            for (uint64_t i = 0; i < have; i++, page += PAGE_SIZE)
                if (run->flags & RUN_KEEP_ZEROS || !is_zero(page))
                    take_page(writer, chunk, pieces, run, address + i * PAGE_SIZE, page);
            if (copied)
                copy += have * PAGE_SIZE;
            if (have < pages && run->flags & RUN_CLEAN) /* the file ends here */
                break;
            have += have < pages; /* a guard, or poisoned memory */
            pages -= have;
            source += have * PAGE_SIZE;
            address += have * PAGE_SIZE;
        }
    }
    return 0;
}

static long write_chunk(struct writer *writer, const struct job *job)
{
    struct engine *engine = writer->engine;
    struct gathered chunk = {0};
    long error = 0;
    struct io_slot *slot = io_take(&writer->io, &error);

    if (!slot)
        return snapshot_file_fail(engine->snapshot, error, "write");
    struct iovec *pieces = writer->deflater ? writer->vector : slot->vector;
    bool learning = writer->trials < trials_wanted(writer);
    uint64_t began_ns = learning ? sys_now_ns(CLOCK_MONOTONIC) : 0;
    if ((error = gather(writer, job, pieces, writer->deflater ? writer->copy : (char *)slot->buffer, &chunk)))
        return error;
    if (learning && chunk.choice > engine->chunk_pages / 2)
        learn_cost(writer, began_ns, chunk.choice);
    if (!chunk.pages)
        return 0;
    size_t raw_size = chunk.pages * PAGE_SIZE;
    slot->count = chunk.pieces;
    slot->size = raw_size;
    if (writer->deflater) {
        slot->size = deflater_member(writer->deflater, pieces, chunk.pieces, raw_size, slot->buffer);
        slot->count = 1;
        slot->vector[0] = (struct iovec){slot->buffer, slot->size};
    }
    if ((error = allot(writer, &chunk, slot->size, &slot->offset)))
        return error;
    error = io_write(&writer->io, slot);
    return error ? snapshot_file_fail(engine->snapshot, error, "write") : 0;
}

long writer_work(struct writer *writer)
{
    struct engine *engine = writer->engine;
    struct snapshot *snapshot = engine->snapshot;
    long error = 0, drained;

    io_open(&writer->io, engine->file, engine->uring);
    while (!error && !snapshot_failed(snapshot)) {
        uint64_t number = __atomic_fetch_add(&engine->next_job, 1, __ATOMIC_RELAXED);

        if (number >= engine->job_count)
            break;
        error = write_chunk(writer, &engine->jobs[number]);
        __atomic_fetch_add(&snapshot->done, engine->chunk_pages * PAGE_SIZE, __ATOMIC_RELAXED);
    }
    drained = io_drain(&writer->io);
    io_close(&writer->io);
    if (drained)
        snapshot_file_fail(snapshot, drained, "write");
    return error ? error : drained;
}
