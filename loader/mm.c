/* What the kernel knows of the address space beside its mappings: where heap, stack, arguments and environment are.
 *
 * A heap whose place the kernel does not know ends the restart: brk(2) then returns the loader's end, which is above anything that the
 * program asks for, so glibc takes it for success and malloc hands out addresses where nothing is. */
#include "feature.h"
#include "loader.h"

#include <linux/prctl.h>

/* Where the kernel can't be told the heap's place, dmtcp_restart has execed the loader so that it begins there, and only has to grow. The
 * mapping that brk makes is taken away again: the heap comes from the image like everything else. */
void mm_brk(void)
{
    const struct image_mm *mm = loader.image.mm;
    uint64_t end = (mm->brk + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
    uint64_t now;

    if (!(loader.handoff.flags & HANDOFF_BRK_PLACED))
        return;
    now = sys_brk(0);
    if (now != mm->start_brk)
        die("can't be restored: its heap began at 0x%lx, this kernel puts it at 0x%lx (personality ADDR_NO_RANDOMIZE not permitted?)",
            mm->start_brk, now);
    if (sys_brk(mm->brk) != mm->brk)
        die("can't be restored: no room for its heap from 0x%lx to 0x%lx", mm->start_brk, mm->brk);
    if (end > mm->start_brk)
        sys_munmap((void *)mm->start_brk, end - mm->start_brk);
}

/* Bytes of auxv up to and with AT_NULL. */
static uint32_t auxv_used(const struct image_mm *mm)
{
    uint32_t entries = mm->auxv_size / 16, i = 0;

    while (i < entries && mm->auxv[2 * i])
        i++;
    return i < entries ? (i + 1) * 16 : mm->auxv_size;
}

static long set_map(struct prctl_mm_map *map)
{
    return sys_prctl(PR_SET_MM, PR_SET_MM_MAP, (unsigned long)map, sizeof *map, 0);
}

void mm_restore(void)
{
    const struct image_mm *mm = loader.image.mm;
    struct prctl_mm_map map = {
        .start_code = mm->start_code,
        .end_code = mm->end_code,
        .start_data = mm->start_data,
        .end_data = mm->end_data,
        .start_brk = mm->start_brk,
        .brk = mm->brk,
        .start_stack = mm->start_stack,
        .arg_start = mm->arg_start,
        .arg_end = mm->arg_end,
        .env_start = mm->env_start,
        .env_end = mm->env_end,
        .auxv = (__u64 *)(uintptr_t)mm->auxv,
        .auxv_size = auxv_used(mm),
        .exe_fd = (__u32)-1,
    };
    long error = -EOPNOTSUPP;

    if (!(loader.handoff.disabled & FEATURE_SET_MM_MAP))
        error = set_map(&map);
    if (error == -EINVAL) { /* a kernel whose vector is shorter keeps its own */
        map.auxv = NULL;
        map.auxv_size = 0;
        error = set_map(&map);
    }
    if (!error)
        loader.handoff.flags |= HANDOFF_MM_MAP_DONE;
    else if (!(loader.handoff.flags & HANDOFF_BRK_PLACED))
        die("can't be restored: its heap can't be put back (prctl PR_SET_MM_MAP: %e); try DMTCP_DISABLE=set_mm_map", (int)error);
}
