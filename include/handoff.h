/* What dmtcp_restart gives to the loader, and the loader to libckpt: one struct, filled on the way.
 *
 * dmtcp_restart writes it into a memfd and execs the loader with argv[1] = the memfd's number. The loader reads it into its own
 * memory, rebuilds the address space and calls the image's entry on its own stack with a pointer to it. libckpt copies what it
 * keeps, and unmaps [loader_start, loader_end). All signals are blocked from before the exec until each thread's sigreturn. */
#ifndef HANDOFF_H
#define HANDOFF_H

#include <stdint.h>

#define HANDOFF_MAGIC 0x46464f444e414844ull
#define HANDOFF_VERSION 1u
#define HANDOFF_PTYS 512

enum {
    HANDOFF_SET_TID = 1u << 0, /* dmtcp_restart made this process with its old pid, so tids may be chosen too */
    HANDOFF_MM_MAP_DONE = 1u << 1, /* loader: brk, args and auxv are the old ones */
    HANDOFF_BRK_PLACED = 1u << 2, /* dmtcp_restart: the loader was execed with the kernel's brk at the program's start_brk */
    HANDOFF_VDSO_MOVED = 1u << 3, /* loader: the live vDSO is the old one at the old address */
    HANDOFF_VDSO_PATCHED = 1u << 4, /* loader: old vDSO bytes jump to the live one */
    HANDOFF_TERMINAL = 1u << 8, /* dmtcp_restart is in the foreground of its terminal */
    HANDOFF_FOREGROUND = 1u << 5, /* dmtcp_restart: before the program runs, its group becomes the terminal's foreground group, if dmtcp_restart's is */
};

/* Shared memory that several images have mappings or descriptors of: an object for all of them, made by dmtcp_restart. The loader adds those of
 * one image that has both. Segments of System V shared memory are among them. */
struct handoff_shared {
    uint64_t device, inode; /* as in image_segment */
    int32_t fd; /* libckpt closes it; -1: System V shared memory */
    int32_t sysv; /* its id */
};
#define HANDOFF_SHARED_MAX 512

struct handoff {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* sizeof(struct handoff) */
    uint32_t flags;
    int32_t image_fd; /* open for reading; the loader leaves it open, libckpt closes it */
    uint32_t disabled; /* features, base/feature.h */
    uint32_t workers; /* threads the loader may use, at least 1 */
    uint32_t debug_pause; /* seconds to wait before memory is rebuilt, for gdb */
    uint32_t fail_rc; /* exit code for a failed restart */
    uint64_t loader_start, loader_end; /* filled by the loader */
    uint64_t vdso_start, vdso_end; /* filled by the loader: the live vDSO with its vvar */
    uint64_t scratch_start, scratch_end; /* filled by the loader: memory of its own to be unmapped, or 0 */
    uint64_t personality; /* to be set again after an exec without address randomisation, ~0: leave */
    uint32_t pty_count;
    struct handoff_pty {
        int32_t virtual; /* the number in its name that programs know */
        int32_t master, slave; /* descriptors, the same in all processes of the restart; slave: -1 unless it is a controlling terminal */
    } pty[HANDOFF_PTYS];
    char image_path[4096]; /* for messages */
    char conf[16384]; /* base/conf.h text */
    uint32_t shared_count;
    int32_t restart_group; /* process group of dmtcp_restart */
    struct handoff_shared shared[HANDOFF_SHARED_MAX];
};

#endif
