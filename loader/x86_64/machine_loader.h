/* What the loader needs to know of the machine. */
#ifndef MACHINE_LOADER_H
#define MACHINE_LOADER_H

#include <asm/prctl.h>
#include <stdint.h>

#include "sys.h"

/* End of the addresses that mmap gives without being asked for more (four-level page tables, less the guard page). */
#define LOADER_ADDRESS_END 0x7ffffffff000ull
/* Where holes are looked for first; the loader's own link address. */
#define LOADER_ADDRESS_HOME 0x6a0000000000ull

/* What code with a stack protector (the static zlib) finds behind FS: its canary at 0x28. */
struct loader_tcb {
    struct loader_tcb *self;
    uint64_t unused[4];
    uint64_t canary;
    uint64_t more[2];
};

static inline void tcb_use(struct loader_tcb *tcb)
{
    tcb->self = tcb;
    syscall3(__NR_arch_prctl, ARCH_SET_FS, (long)tcb, 0);
}

#endif
