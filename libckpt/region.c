#include "region.h"

#include "sys.h"

/* Above the loader (0x6a…), below the lowest mmap_base (0x7…), clear of PIE (0x55…) and of the sanitizers' shadow. */
#define REGION_START 0x6b0000000000ul
#define REGION_END 0x6f0000000000ul
#define PAGE 4096ul

static uint64_t next = REGION_START;

void *region_map_file(size_t size, int prot, int flags, int fd)
{
    uint64_t span = (size + 2 * PAGE - 1) & ~(PAGE - 1); /* and a page between any two */
    uint64_t at = __atomic_fetch_add(&next, span, __ATOMIC_RELAXED);

    if (at + span > REGION_END) { /* a long life: begin again, what is taken is passed over by the kernel */
        __atomic_store_n(&next, REGION_START, __ATOMIC_RELAXED);
        at = REGION_START;
    }
    return sys_mmap((void *)at, size, prot, flags, fd, 0);
}

void *region_map(size_t size, int prot, int flags)
{
    return region_map_file(size, prot, flags | MAP_ANONYMOUS, -1);
}
