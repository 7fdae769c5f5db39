/* VmFlags, page size and the two figures that decide how pages must be read, from /proc/PID/smaps (proc_pid_smaps(5)). Reading it walks all
 * page tables, so it is done while the program runs again, from the child's own; only what a child does not inherit (locked memory,
 * MADV_DONTFORK) makes it worth reading the parent's while it waits. */
#include "plan.h"

#include "maps.h"
#include "str.h"
#include "writer.h"

static const struct {
    char name[4];
    uint32_t bit;
} vm_flags[] = {
    {"gd", IMAGE_VM_GROWSDOWN}, {"nr", IMAGE_VM_NORESERVE},  {"dd", IMAGE_VM_DONTDUMP},   {"dc", IMAGE_VM_DONTFORK},
    {"wf", IMAGE_VM_WIPEONFORK}, {"lo", IMAGE_VM_LOCKED},    {"hg", IMAGE_VM_HUGEPAGE},   {"nh", IMAGE_VM_NOHUGEPAGE},
    {"mg", IMAGE_VM_MERGEABLE}, {"sr", IMAGE_VM_SEQUENTIAL}, {"rr", IMAGE_VM_RANDOM},     {"ht", IMAGE_VM_HUGETLB},
    {"mw", IMAGE_VM_MAYWRITE},
};

struct facts {
    uint32_t vm_flags;
    uint64_t page_size, lazy, swap, resident; /* bytes */
};

static uint64_t kilobytes(const char *at)
{
    uint64_t value = 0;

    while (*at == ' ')
        at++;
    return str_number(&at, 10, &value) ? value << 10 : 0;
}

static uint32_t flags_of(const char *at)
{
    uint32_t bits = 0;

    while (*at) {
        for (size_t i = 0; i < sizeof vm_flags / sizeof *vm_flags; i++)
            if (at[0] == vm_flags[i].name[0] && at[1] == vm_flags[i].name[1])
                bits |= vm_flags[i].bit;
        for (; *at && *at != ' '; at++)
            ;
        for (; *at == ' '; at++)
            ;
    }
    return bits;
}

static void apply(struct plan *plan, size_t *next, const struct map *map, const struct facts *facts)
{
    size_t count = plan_segment_count(plan);

    while (*next < count && plan_segment(plan, *next)->image.start < map->start)
        ++*next;
    for (; *next < count && plan_segment(plan, *next)->image.end <= map->end; ++*next) {
        struct segment *segment = plan_segment(plan, *next);

        segment->image.vm_flags = facts->vm_flags | (segment->image.vm_flags & IMAGE_VM_NAMED);
        segment->image.huge_page_size = facts->vm_flags & IMAGE_VM_HUGETLB ? (uint32_t)facts->page_size : 0;
        segment->flags |= (facts->lazy ? SEGMENT_LAZY : 0) | (facts->swap ? SEGMENT_SWAPPED : 0);
        if (!facts->resident && !facts->swap && !(facts->vm_flags & IMAGE_VM_HUGETLB)) /* huge pages are not in Rss */
            segment->flags |= SEGMENT_EMPTY;
    }
}

long plan_read_smaps(struct plan *plan, int smaps)
{
    struct maps_reader reader = {.fd = smaps};
    struct facts facts = {0};
    struct map map, other;
    const char *text, *value;
    char line[512];
    size_t size, next = 0;
    long more;

    map.start = map.end = 0;
    while ((more = maps_line(&reader, &text, &size)) > 0) {
        if (size && text[0] >= 'A' && text[0] <= 'Z') {
            size = size < sizeof line - 1 ? size : sizeof line - 1;
            memcpy(line, text, size);
            line[size] = 0;
            if ((value = str_after(line, "KernelPageSize:")))
                facts.page_size = kilobytes(value);
            else if ((value = str_after(line, "LazyFree:")))
                facts.lazy = kilobytes(value);
            else if ((value = str_after(line, "Rss:")))
                facts.resident = kilobytes(value);
            else if ((value = str_after(line, "Swap:")))
                facts.swap = kilobytes(value);
            else if ((value = str_after(line, "VmFlags: "))) {
                facts.vm_flags = flags_of(value);
                apply(plan, &next, &map, &facts);
            }
        } else if (maps_parse_line(text, size, &other)) {
            map = other;
            facts = (struct facts){0};
        }
    }
    return more ? snapshot_fail(plan->snapshot, more, "read /proc/self/smaps: %e", (int)more) : 0;
}
