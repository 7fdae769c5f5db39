#include "pages.h"

#include "feature.h"
#include "sys.h"

#include <sys/ioctl.h>

/* linux/fs.h of 6.7 and later. */
struct scan_region {
    uint64_t start, end, categories;
};

struct scan_argument {
    uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct scan_argument)
#define SCAN_FILE (1u << 2)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_PFNZERO (1u << 5)
#define SCAN_GUARD (1u << 8)

/* Entries of pagemap, Documentation/admin-guide/mm/pagemap.rst. */
#define ENTRY_PRESENT (1ull << 63)
#define ENTRY_SWAPPED (1ull << 62)
#define ENTRY_FILE (1ull << 61)
#define ENTRY_GUARD (1ull << 58)

/* max_pages: 0 for all; otherwise guards don't count. */
static long scan(const struct pages *pages, uint64_t start, uint64_t end, struct scan_region *regions, unsigned count, uint64_t max_pages,
                 uint64_t *walk_end)
{
    unsigned guard = pages->guards ? SCAN_GUARD : 0, unwanted = max_pages ? guard : 0;
    struct scan_argument argument = {
        .size = sizeof argument,
        .start = start,
        .end = end,
        .vector = (uint64_t)regions,
        .vector_length = count,
        .max_pages = max_pages,
        .category_inverted = unwanted,
        .category_mask = unwanted,
        .category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED | guard,
        .return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_FILE | SCAN_PFNZERO | guard,
    };
    long n = sys_ioctl(pages->pagemap, PAGEMAP_SCAN, &argument);

    if (walk_end)
        *walk_end = argument.walk_end;
    return n;
}

void pages_init(struct pages *pages, int pagemap, uint32_t disabled)
{
    struct scan_region region;

    *pages = (struct pages){.pagemap = pagemap, .guards = true};
    if (disabled & FEATURE_PAGEMAP_SCAN)
        return;
    /* The first page of the address space is never mapped; only whether the kernel accepts the question matters. */
    pages->scan = scan(pages, 0, PAGE_SIZE, &region, 1, 0, NULL) >= 0;
    if (!pages->scan) {
        pages->guards = false;
        pages->scan = scan(pages, 0, PAGE_SIZE, &region, 1, 0, NULL) >= 0;
    }
}

static unsigned state_of_region(uint64_t categories)
{
    return (categories & SCAN_GUARD      ? PAGE_GUARD
            : categories & SCAN_PRESENT ? PAGE_PRESENT
                                        : PAGE_SWAPPED) |
           (categories & SCAN_FILE ? PAGE_OF_FILE : 0) | (categories & SCAN_PFNZERO ? PAGE_ZERO : 0);
}

static unsigned state_of_entry(uint64_t entry)
{
    if (entry & ENTRY_GUARD)
        return PAGE_GUARD;
    if (!(entry & (ENTRY_PRESENT | ENTRY_SWAPPED)))
        return 0;
    return (entry & ENTRY_PRESENT ? PAGE_PRESENT : PAGE_SWAPPED) | (entry & ENTRY_FILE ? PAGE_OF_FILE : 0);
}

static long find_by_scan(const struct pages *pages, uint64_t start, uint64_t end,
                         long (*found)(void *arg, uint64_t from, uint64_t to, unsigned state), void *arg)
{
    struct scan_region regions[512];

    while (start < end) {
        uint64_t walk_end;
        long n = scan(pages, start, end, regions, sizeof regions / sizeof *regions, 0, &walk_end);

        if (n < 0)
            return n;
        for (long i = 0; i < n; i++) {
            long answer = found(arg, regions[i].start, regions[i].end, state_of_region(regions[i].categories));
            if (answer)
                return answer;
        }
        if (walk_end <= start)
            return -EIO;
        start = walk_end;
    }
    return 0;
}

static long find_by_reading(const struct pages *pages, uint64_t start, uint64_t end,
                            long (*found)(void *arg, uint64_t from, uint64_t to, unsigned state), void *arg)
{
    uint64_t entries[2048], from = start;
    unsigned state = 0;

    for (uint64_t at = start; at < end;) {
        size_t count = (end - at) / PAGE_SIZE;

        if (count > sizeof entries / sizeof *entries)
            count = sizeof entries / sizeof *entries;
        long n = sys_pread(pages->pagemap, entries, count * sizeof *entries, at / PAGE_SIZE * sizeof *entries);
        if (n < 0)
            return n;
        if (n < (long)sizeof *entries)
            return -EIO;
        for (size_t i = 0; i < (size_t)n / sizeof *entries; i++, at += PAGE_SIZE) {
            unsigned now = state_of_entry(entries[i]);

            if (now == state)
                continue;
            long answer = state ? found(arg, from, at, state) : 0;
            if (answer)
                return answer;
            state = now;
            from = at;
        }
    }
    return state ? found(arg, from, end, state) : 0;
}

long pages_find(const struct pages *pages, uint64_t start, uint64_t end, long (*found)(void *arg, uint64_t from, uint64_t to, unsigned state),
                void *arg)
{
    return pages->scan ? find_by_scan(pages, start, end, found, arg) : find_by_reading(pages, start, end, found, arg);
}

static long stop_at_contents(void *arg, uint64_t from, uint64_t to, unsigned state)
{
    return state & PAGE_GUARD ? 0 : 1;
}

long pages_any(const struct pages *pages, uint64_t start, uint64_t end)
{
    struct scan_region region;

    /* One page is enough, and a full walk of a large mapping is not cheap. */
    if (pages->scan) {
        long n = scan(pages, start, end, &region, 1, 1, NULL);
        return n < 0 ? n : n > 0;
    }
    return pages_find(pages, start, end, stop_at_contents, NULL);
}

/* process_vm_readv(2) pins what it reads, and for that gives a child a copy of its own of each page that it shares with its parent (since 5.19): the
 * memory of the program would be there twice in the end, and a page costs three times as much. Reading /proc/self/mem does not. What it refuses,
 * the call is asked for. */
long pages_read(int memory, void *buffer, uint64_t address, size_t size)
{
    char *to = buffer;
    size_t done = 0;

    while (memory >= 0 && done < size) {
        long n = sys_pread(memory, to + done, size - done, address + done);

        if (n <= 0 && n != -EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    while (done < size) {
        struct iovec local = {to + done, size - done}, remote = {(void *)(address + done), size - done};
        long n = sys_process_vm_readv(sys_getpid(), &local, 1, &remote, 1);

        if (n == -ENOSYS || n == -EPERM) { /* a seccomp filter */
            long fd = sys_open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC, 0);
            if (fd < 0)
                return fd;
            n = sys_pread((int)fd, to + done, size - done, address + done);
            sys_close((int)fd);
        }
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return (long)(done & ~(PAGE_SIZE - 1));
}
