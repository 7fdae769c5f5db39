#include "region.h"

#include "sys.h"

/* Above the loader (0x6a…), below the lowest mmap_base (0x7…), clear of PIE (0x55…) and of the sanitizers' shadow. */
#define REGION_START 0x6b0000000000ul
#define SCRATCH_START 0x6d0000000000ul
#define SCRATCH_END 0x6f0000000000ul
#define PAGE 4096ul

struct part {
    uint64_t next, start, end;
};
static struct part lasting = {REGION_START, REGION_START, SCRATCH_START};
static struct part scratch = {SCRATCH_START, SCRATCH_START, SCRATCH_END};

static void *map_in(struct part *part, size_t size, int prot, int flags, int fd)
{
    uint64_t span = (size + 2 * PAGE - 1) & ~(PAGE - 1); /* and a page between any two */
    uint64_t at = __atomic_fetch_add(&part->next, span, __ATOMIC_RELAXED);

    if (at + span > part->end) { /* a long life: begin again, what is taken is passed over by the kernel */
        __atomic_store_n(&part->next, part->start, __ATOMIC_RELAXED);
        at = part->start;
    }
    return sys_mmap((void *)at, size, prot, flags, fd, 0);
}

void *region_map_file(size_t size, int prot, int flags, int fd)
{
    return map_in(&lasting, size, prot, flags, fd);
}

void *region_map_scratch(size_t size, int prot, int flags)
{
    return map_in(&scratch, size, prot, flags | MAP_ANONYMOUS, -1);
}

void region_clear_scratch(void)
{
    sys_munmap((void *)SCRATCH_START, SCRATCH_END - SCRATCH_START);
}

void *region_map(size_t size, int prot, int flags)
{
    return region_map_file(size, prot, flags | MAP_ANONYMOUS, -1);
}
