/* Which pages are stored.
 *
 * Private anonymous memory: pages that are present or in swap. The frozen copy shares them with the program, the kernel copies on
 * write, so they can be written to the file from where they are; those in swap might turn out to be guards (kernels 6.13 and 6.14 show
 * them so) and those of a mapping with MADV_FREE pages may turn to zeros under the reader's eyes, so these are copied first. So is everything
 * when a process writes its own image: asynchronous input may still arrive, and a page that changes after its checksum was taken would make
 * the image worthless.
 *
 * Private file mappings: every page up to the file's end, so that a restart does not need the file. Pages that the program never wrote to are
 * marked clean. A page that it did write to is stored even if it is all zeros, a clean one is not: a page in no run reads as zeros in
 * either way of restoring, from the file or without it. */
#include "plan.h"

#include "str.h"
#include "sys.h"
#include "writer.h"

static long no_memory(struct plan *plan)
{
    return snapshot_fail(plan->snapshot, -ENOMEM, "no memory to list the pages of the program: %e", -ENOMEM);
}

long plan_add_run(struct plan *plan, uint64_t address, uint64_t source, uint64_t pages, uint32_t segment, uint32_t flags)
{
    struct run *run = scratch_append(&plan->runs, sizeof *run);

    if (!run)
        return no_memory(plan);
    *run = (struct run){address, source, pages, segment, flags};
    plan->pages += pages;
    return 0;
}

struct finding {
    struct plan *plan;
    uint32_t index;
    const struct segment *segment;
    uint64_t clean; /* file mapping: pages from here on are not dealt with yet */
    uint64_t limit; /* where the file ends */
};

static long add_guard(struct plan *plan, uint64_t from, uint64_t to)
{
    struct image_guard *guard = scratch_append(&plan->guards, sizeof *guard);

    if (!guard)
        return no_memory(plan);
    *guard = (struct image_guard){from, to};
    return 0;
}

static long found_anonymous(void *arg, uint64_t from, uint64_t to, unsigned state)
{
    struct finding *finding = arg;
    bool copy = state & PAGE_SWAPPED || finding->segment->flags & SEGMENT_LAZY || finding->plan->live;

    if (state & PAGE_GUARD)
        return add_guard(finding->plan, from, to);
    if (state & PAGE_ZERO)
        return 0;
    return plan_add_run(finding->plan, from, from, (to - from) / PAGE_SIZE, finding->index, copy ? RUN_COPY : 0);
}

static long add_clean(struct finding *finding, uint64_t to)
{
    uint64_t from = finding->clean;

    to = to < finding->limit ? to : finding->limit;
    return from < to ? plan_add_run(finding->plan, from, from, (to - from) / PAGE_SIZE, finding->index, RUN_COPY | RUN_CLEAN) : 0;
}

static long found_of_file(void *arg, uint64_t from, uint64_t to, unsigned state)
{
    struct finding *finding = arg;
    long error;

    if (state & PAGE_OF_FILE)
        return 0;
    if ((error = add_clean(finding, from)))
        return error;
    finding->clean = to;
    return state & PAGE_GUARD ? add_guard(finding->plan, from, to)
                              : plan_add_run(finding->plan, from, from, (to - from) / PAGE_SIZE, finding->index, RUN_COPY | RUN_KEEP_ZEROS);
}

/* The size of the file as far as it can be known: where the name leads to another file or nowhere, reading finds the end. */
static void look_at_file(const struct plan *plan, struct segment *segment, const struct segment *before)
{
    struct stat st;

    if (before && before->image.name == segment->image.name && before->image.inode == segment->image.inode) {
        segment->image.file_size = before->image.file_size;
        segment->image.mtime_ns = before->image.mtime_ns;
        return;
    }
    if (segment->flags & SEGMENT_DELETED || sys_fstatat(AT_FDCWD, (char *)plan->strings.memory + segment->image.name, &st, 0) ||
        st.st_ino != segment->image.inode)
        return;
    segment->image.file_size = (uint64_t)st.st_size;
    segment->image.mtime_ns = st.st_mtim.tv_sec * 1000000000l + st.st_mtim.tv_nsec;
}

static long find_of_file(struct finding *finding, const struct pages *own)
{
    const struct image_segment *image = &finding->segment->image;
    uint64_t length = image->file_size > image->offset ? (image->file_size - image->offset + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1) : 0;
    long error;

    finding->clean = image->start;
    finding->limit = image->mtime_ns && length < image->end - image->start ? image->start + length : image->end;
    if (image->vm_flags & IMAGE_VM_HUGETLB) /* reading a hole would take a page from the pool */
        finding->limit = image->start;
    error = pages_find(own, image->start, image->end, found_of_file, finding);
    return error ? error : add_clean(finding, image->end);
}

/* A frozen copy may do with its mappings as it likes; a process that writes its own image gets them back by plan_restore_protection. */
static void make_readable(struct segment *segment)
{
    segment->flags |= SEGMENT_OPENED;
    sys_mprotect((void *)segment->image.start, segment->image.end - segment->image.start, PROT_READ);
}

long plan_find_pages(struct plan *plan, const struct pages *own)
{
    for (size_t i = 0; i < plan_segment_count(plan); i++) {
        struct segment *segment = plan_segment(plan, i);
        struct finding finding = {.plan = plan, .index = (uint32_t)i, .segment = segment};
        size_t runs = plan->runs.used;
        long error = 0;

        if (segment->image.inode && !(segment->image.vm_flags & IMAGE_VM_NAMED)) /* known from when the program stood still */
            look_at_file(plan, segment, i ? segment - 1 : NULL);
        if (segment->flags & SEGMENT_SAVED)
            continue;
        bool anonymous = segment->image.kind == IMAGE_ANON || segment->image.kind == IMAGE_STACK;
        /* Reading pagemap costs eight bytes a page, there or not: terabytes of reserved addresses would take seconds. */
        if (anonymous && segment->flags & SEGMENT_EMPTY && !own->scan)
            continue;
        if (anonymous)
            error = pages_find(own, segment->image.start, segment->image.end, found_anonymous, &finding);
        else if (segment->image.kind == IMAGE_FILE_PRIVATE)
            error = find_of_file(&finding, own);
        else if (segment->image.kind == IMAGE_VDSO)
            error = plan_add_run(plan, segment->image.start, segment->image.start, (segment->image.end - segment->image.start) / PAGE_SIZE,
                                 (uint32_t)i, RUN_COPY);
        if (error)
            return snapshot_failed(plan->snapshot)
                       ? error
                       : snapshot_fail(plan->snapshot, error, "read /proc/self/pagemap: %e", (int)error);
        if (plan->runs.used > runs && !segment_readable(segment))
            make_readable(segment);
    }
    for (size_t i = 0; i < plan->runs.used / sizeof(struct run); i++) {
        struct run *run = (struct run *)plan->runs.memory + i;

        if (run->flags & RUN_UNPLACED) {
            run->flags &= ~(uint32_t)RUN_UNPLACED;
            run->source += (uint64_t)plan->saved.memory;
        }
    }
    return 0;
}

void plan_restore_protection(struct plan *plan)
{
    for (size_t i = 0; i < plan_segment_count(plan); i++) {
        struct segment *segment = plan_segment(plan, i);

        if (segment->flags & SEGMENT_OPENED)
            sys_mprotect((void *)segment->image.start, segment->image.end - segment->image.start, (int)segment->image.prot);
        segment->flags &= ~(uint32_t)SEGMENT_OPENED;
    }
}
