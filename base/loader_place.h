/* The loader at a place of the caller's choice. Where the kernel can't be told where the heap is (no PR_SET_MM_MAP), it must put it there
 * by itself: a program's brk starts at the first page after its bss, so the loader is execed from a copy whose end is the old start_brk, with
 * address randomisation off (personality(2) ADDR_NO_RANDOMIZE; else the kernel leaves a random gap). The loader then moves out of the way
 * of the program's own data, which used to be just below. Hosted or free code. */
#ifndef LOADER_PLACE_H
#define LOADER_PLACE_H

#include <stdint.h>

/* Copies the loader, open for reading as loader_fd, to a memfd (close-on-exec, for execveat with AT_EMPTY_PATH), linked so that it ends
 * at start_brk. The descriptor, or -errno: -ENOEXEC: not our loader; -EINVAL: start_brk is not page aligned or too low. */
long loader_place(int loader_fd, uint64_t start_brk);

#endif
