/* Kernel features that have a fallback. DMTCP_DISABLE=name,… switches them off, so that each fallback can be tested on any kernel. */
#ifndef FEATURE_H
#define FEATURE_H

#include <stdbool.h>
#include <stdint.h>

enum feature {
    FEATURE_URING = 1u << 0, /* "uring": io_uring for image files; else pwrite */
    FEATURE_PAGEMAP_SCAN = 1u << 1, /* "pagemap_scan": ioctl on /proc/self/pagemap (6.7); else reading it */
    FEATURE_KCMP = 1u << 2, /* "kcmp": identity of descriptions between processes; else owner election by F_SETOWN */
    FEATURE_SET_MM_MAP = 1u << 3, /* "set_mm_map": prctl PR_SET_MM_MAP; else exec with brk in place */
    FEATURE_SET_TID = 1u << 4, /* "set_tid": clone3 with chosen pids; else translation */
    FEATURE_VDSO_MOVE = 1u << 5, /* "vdso_move": mremap of the vDSO; else the old one jumps to the live one */
    FEATURE_SNAPSHOT = 1u << 6, /* "snapshot": image written by a clone; else by the process while it stands still */
    FEATURE_CLOSE_RANGE = 1u << 7, /* "close_range": with CLOSE_RANGE_UNSHARE (5.9); else unshare and close one by one */
    FEATURE_PROCMAP_QUERY = 1u << 8, /* "procmap_query": ioctl on /proc/self/maps (6.11); else its text */
    FEATURE_TIMER_IDS = 1u << 9, /* "timer_ids": timer_create with chosen numbers (6.15); else made until the number comes */
    FEATURE_TIMER_TICKS = 1u << 10, /* "timer_ticks": TFD_IOC_SET_TICKS; else timerfds are armed in the past */
};
#define FEATURE_ALL 0x7ffu

/* Parses "name,name"; the bits of the names found are set in *bits. False: an unknown name, *unknown points to it. */
bool feature_parse(const char *text, uint32_t *bits, const char **unknown);

#endif
