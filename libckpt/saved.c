/* What a frozen copy does not hold is copied while the program stands still: shared memory, which the child still has attached and can
 * read itself, and ranges that a child does not inherit (MADV_DONTFORK, MADV_WIPEONFORK), which only the parent can read. The parent
 * sends those over the socket that joins the two: no permission to trace is needed, no file grows, and the kernel does the copying, so that a
 * page that can't be read is no fault in the program.
 *
 * The conversation: the child sends batches of orders, then reads the bytes of each in turn; an order of no bytes ends it. A batch fits
 * into the socket's buffer, so that neither side waits for the other while that one waits for it. */
#include "plan.h"

#include <linux/sysinfo.h>

#include "fd/object_list.h"
#include "fmt.h"
#include "str.h"
#include "sys.h"
#include "writer.h"

struct order {
    uint64_t address, size;
    uint32_t prot; /* of the mapping */
    uint32_t last;
};

#define BATCH 256

/* --- shared memory --- */

#define WINDOW 65536ul /* pages looked at together */
#define PIECE (64ul << 20) /* bytes copied between two signs of life */

struct shared {
    struct plan *plan;
    uint32_t segment;
    bool in_place;
    unsigned char *present; /* a byte a page of the window */
    uint64_t window;
};

static long no_memory(struct plan *plan)
{
    return snapshot_fail(plan->snapshot, -ENOMEM, "no memory for a copy of the program's shared memory: %e", -ENOMEM);
}

/* Pages that could be read get a run each stretch; the others (beyond the end of the file) don't exist. */
static long save_stretch(struct shared *shared, uint64_t from, uint64_t to)
{
    struct plan *plan = shared->plan;

    if (shared->in_place)
        return plan_add_run(plan, from, from, (to - from) / PAGE_SIZE, shared->segment, RUN_COPY);
    while (from < to) {
        size_t size = to - from < PIECE ? to - from : PIECE;
        uint64_t offset = plan->saved.used;
        char *copy = scratch_append(&plan->saved, size);

        if (!copy)
            return no_memory(plan);
        long got = pages_read(-1, copy, from, size);
        if (got < 0)
            return snapshot_fail(plan->snapshot, got, "read the program's shared memory: %e", (int)got);
        plan->saved.used = offset + (size_t)got;
        snapshot_alive(plan->snapshot, (size_t)got);
        long error = got ? plan_add_run(plan, from, offset, (uint64_t)got / PAGE_SIZE, shared->segment, RUN_UNPLACED) : 0;
        if (error)
            return error;
        from += got ? (uint64_t)got : PAGE_SIZE;
    }
    return 0;
}

/* A descriptor of what is mapped: the mapping's own link, which only privilege may open, or the program's. */
static long open_mapped(const struct plan *plan, const struct image_segment *image)
{
    char path[80];

    fmt(path, sizeof path, "/proc/self/map_files/%lx-%lx", image->start, image->end);
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    for (const struct fd_object *object = plan->objects; object && fd < 0; object = object->next)
        if (object->device == image->device && object->inode == image->inode)
            fd = sys_open(object->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    return fd;
}

/* Exact, swapped pages included, and quick for memory that is mostly holes; but not always permitted. */
static long save_by_seeking(struct shared *shared, const struct image_segment *image)
{
    long fd = open_mapped(shared->plan, image), error = 0;

    if (fd < 0)
        return -ENOSYS;
    uint64_t size = image->end - image->start;
    for (uint64_t at = 0; at < size && !error;) {
        long data = sys_lseek((int)fd, (int64_t)(image->offset + at), SEEK_DATA);
        if (data == -ENXIO)
            break;
        long hole = data < 0 ? data : sys_lseek((int)fd, data, SEEK_HOLE);
        if (hole < 0) {
            error = at ? hole : -ENOSYS;
            break;
        }
        uint64_t from = ((uint64_t)data - image->offset) & ~(PAGE_SIZE - 1);
        uint64_t to = ((uint64_t)hole - image->offset + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        if (from >= size)
            break;
        to = to < size ? to : size;
        error = save_stretch(shared, image->start + from, image->start + to);
        at = to;
    }
    sys_close((int)fd);
    return error;
}

static long mark_present(void *arg, uint64_t from, uint64_t to, unsigned state)
{
    struct shared *shared = arg;

    if (!(state & PAGE_GUARD))
        for (; from < to; from += PAGE_SIZE)
            shared->present[(from - shared->window) / PAGE_SIZE] = 1;
    return 0;
}

/* An unlinked file of a disk: pages that are not in the page cache lie there. */
static bool on_disk(const struct plan *plan, const struct segment *segment)
{
    const char *name = (char *)plan->strings.memory + segment->image.name;
    uint64_t statfs[15]; /* f_type first */
    char directory[4096];
    size_t length = (size_t)(str_base(name) - name);

    if (name[0] != '/' || length < 2 || length > sizeof directory || str_after(name, "/memfd:") || str_equal(name, "/dev/zero"))
        return false;
    str_copy(directory, length, name);
    return syscall3(__NR_statfs, (long)directory, (long)statfs, 0) == 0 && statfs[0] != 0x01021994 /* TMPFS_MAGIC */;
}

/* What is in the page cache, by mincore(2), and what the parent has in its page tables (huge pages show only there). */
static long save_by_asking(struct shared *shared, const struct segment *segment, const struct pages *parent)
{
    bool all = segment->flags & SEGMENT_SWAPPED || on_disk(shared->plan, segment);
    long error = 0;

    for (uint64_t at = segment->image.start; at < segment->image.end && !error;) {
        uint64_t end = segment->image.end - at > WINDOW * PAGE_SIZE ? at + WINDOW * PAGE_SIZE : segment->image.end;
        uint64_t from = at;

        shared->window = at;
        memset(shared->present, all, (end - at) / PAGE_SIZE);
        if (!all) {
            if ((error = syscall3(__NR_mincore, (long)at, (long)(end - at), (long)shared->present)) ||
                (error = pages_find(parent, at, end, mark_present, shared)))
                return snapshot_fail(shared->plan->snapshot, error, "find the pages of the program's shared memory: %e", (int)error);
        }
        for (; at < end && !error; at += PAGE_SIZE) {
            bool present = shared->present[(at - shared->window) / PAGE_SIZE];

            if (!present && from < at)
                error = save_stretch(shared, from, at);
            if (!present)
                from = at + PAGE_SIZE;
        }
        if (!error && from < end)
            error = save_stretch(shared, from, end);
        at = end;
    }
    return error;
}

bool plan_swap_in_use(void)
{
    struct sysinfo info;

    return syscall3(__NR_sysinfo, (long)&info, 0, 0) == 0 && info.freeswap < info.totalswap;
}

long plan_save_shared(struct plan *plan, const struct pages *parent, bool in_place)
{
    struct shared shared = {.plan = plan, .in_place = in_place};
    long error = 0;

    for (size_t i = 0; i < plan_segment_count(plan) && !error; i++) {
        struct segment *segment = plan_segment(plan, i);

        if (segment->image.kind != IMAGE_SHARED || segment->flags & SEGMENT_ABSENT)
            continue;
        if (!shared.present && !(shared.present = scratch_map(WINDOW, false)))
            return no_memory(plan);
        shared.segment = (uint32_t)i;
        segment->flags |= SEGMENT_SAVED;
        if (plan->saved_elsewhere && str_after((char *)plan->strings.memory + segment->image.name, "/SYSV") &&
            plan->saved_elsewhere(segment->image.inode))
            continue;
        /* Its own memory, or that of a process which stands still: nobody misses the permission. */
        if (!segment_readable(segment)) {
            segment->flags |= SEGMENT_OPENED;
            sys_mprotect((void *)segment->image.start, segment->image.end - segment->image.start, PROT_READ);
        }
        if ((error = save_by_seeking(&shared, &segment->image)) == -ENOSYS)
            error = save_by_asking(&shared, segment, parent);
    }
    if (shared.present)
        scratch_unmap(shared.present, WINDOW);
    return error;
}

/* --- what only the parent has: the child's side --- */

struct ordering {
    struct plan *plan;
    int socket;
    uint32_t segment, flags;
    unsigned count;
    struct order orders[BATCH];
};

static long lost_parent(struct plan *plan, long error)
{
    return snapshot_fail(plan->snapshot, error, "the program ended while its memory was copied");
}

static long send_all(int socket, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        long n = sys_sendto(socket, at, size, MSG_NOSIGNAL, NULL, 0);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : -EPIPE;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static long receive_all(int socket, void *data, size_t size)
{
    for (char *at = data; size;) {
        long n = sys_recvfrom(socket, at, size, 0);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : -ECONNRESET;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static long fetch(struct ordering *ordering)
{
    struct plan *plan = ordering->plan;
    unsigned count = ordering->count;
    long error = send_all(ordering->socket, ordering->orders, count * sizeof *ordering->orders);

    ordering->count = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        const struct order *order = &ordering->orders[i];
        char *to = scratch_append(&plan->saved, order->size);

        if (!to)
            return no_memory(plan);
        error = receive_all(ordering->socket, to, order->size);
    }
    return error ? lost_parent(plan, error) : 0;
}

static long order_stretch(void *arg, uint64_t from, uint64_t to, unsigned state)
{
    struct ordering *ordering = arg;
    struct plan *plan = ordering->plan;
    const struct segment *segment = plan_segment(plan, ordering->segment);
    uint64_t offset = plan->saved.used;
    long error;

    if (state & PAGE_ZERO)
        return 0;
    if (state & PAGE_GUARD) {
        struct image_guard *guard = scratch_append(&plan->guards, sizeof *guard);
        if (!guard)
            return no_memory(plan);
        *guard = (struct image_guard){from, to};
        return 0;
    }
    for (unsigned i = 0; i < ordering->count; i++)
        offset += ordering->orders[i].size;
    if ((error = plan_add_run(plan, from, offset, (to - from) / PAGE_SIZE, ordering->segment, ordering->flags)))
        return error;
    ordering->orders[ordering->count++] = (struct order){from, to - from, segment->image.prot, 0};
    return ordering->count == BATCH ? fetch(ordering) : 0;
}

long plan_save_private(struct plan *plan, const struct pages *parent, int socket)
{
    struct ordering ordering = {.plan = plan, .socket = socket};
    struct order end = {.last = 1};
    long error;

    for (size_t i = 0; i < plan_segment_count(plan); i++) {
        struct segment *segment = plan_segment(plan, i);

        if (!(segment->flags & (SEGMENT_ABSENT | SEGMENT_WIPED)) || segment->image.kind == IMAGE_FILE_SHARED ||
            segment->image.kind == IMAGE_VVAR)
            continue;
        segment->flags |= SEGMENT_SAVED;
        ordering.segment = (uint32_t)i;
        bool anonymous = segment->image.kind == IMAGE_ANON || segment->image.kind == IMAGE_STACK;
        ordering.flags = RUN_UNPLACED | (anonymous ? 0 : RUN_KEEP_ZEROS);
        error = anonymous ? pages_find(parent, segment->image.start, segment->image.end, order_stretch, &ordering)
                          : order_stretch(&ordering, segment->image.start, segment->image.end, PAGE_PRESENT);
        if (error)
            return error < 0 && !snapshot_failed(plan->snapshot)
                       ? snapshot_fail(plan->snapshot, error, "read /proc/self/pagemap: %e", (int)error)
                       : error;
    }
    if (ordering.count && (error = fetch(&ordering)))
        return error;
    return (error = send_all(socket, &end, sizeof end)) ? lost_parent(plan, error) : 0;
}

/* --- the parent's side --- */

static long serve_order(int socket, const struct order *order)
{
    static const char zeros[PAGE_SIZE];
    bool open = order->prot & PROT_READ;
    long error = 0;

    if (!open)
        sys_mprotect((void *)order->address, order->size, PROT_READ);
    for (uint64_t at = order->address, end = at + order->size; at < end && !error;) {
        long n = sys_sendto(socket, (void *)at, end - at, MSG_NOSIGNAL, NULL, 0);

        if (n > 0) {
            at += (uint64_t)n;
        } else if (n == -EFAULT) {
            size_t rest = PAGE_SIZE - at % PAGE_SIZE;
            error = send_all(socket, zeros, rest);
            at += rest;
        } else if (n != -EINTR) {
            error = n ? n : -EPIPE;
        }
    }
    if (!open)
        sys_mprotect((void *)order->address, order->size, (int)order->prot);
    return error;
}

long plan_serve(const struct snapshot *snapshot, int socket, unsigned deadline)
{
    struct timespec patience = {.tv_sec = deadline};
    uint64_t copied = 0;
    struct order order;
    long error;

    for (;;) {
        struct pollfd ready = {.fd = socket, .events = POLLIN};
        long n = sys_ppoll(&ready, 1, &patience);

        if (n < 0)
            return n;
        if (n == 0) {
            if (snapshot_copied(snapshot) == copied)
                return -ETIMEDOUT;
            copied = snapshot_copied(snapshot);
            continue;
        }
        if ((error = receive_all(socket, &order, sizeof order)) || order.last)
            return error;
        if ((error = serve_order(socket, &order)))
            return error;
    }
}
