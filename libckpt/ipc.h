/* Ids of System V IPC (svipc(7)), as the program knows them (virtual) and as the kernel does (real), in the table that all processes of the computation
 * on a host map (include/ptable.h). It also says which objects the computation has asked for: the kernel does not. Ids differ only after a
 * restart that could neither take the old object nor the old number; until then a translation costs one load. Free code, any thread, no locks. */
#ifndef IPC_H
#define IPC_H

#include <stdbool.h>
#include <stdint.h>

#include "ptable.h"

/* An id not in the table stands for itself. */
int ipc_to_real(enum ptable_ipc_kind kind, int id);
int ipc_from_real(enum ptable_ipc_kind kind, int real);
/* The kernel has given out `real`: enters it, unless it is there. The id for the program. */
int ipc_note(enum ptable_ipc_kind kind, int real);
/* It has been removed. */
void ipc_forget(enum ptable_ipc_kind kind, int id);
/* The virtual id of the object that programs know by this key, though the kernel does not; -1: none. */
int ipc_with_key(enum ptable_ipc_kind kind, int key);
/* The key of an entry of which that is true, or 0. */
int ipc_key(enum ptable_ipc_kind kind, int id);

/* Some id or key differs. */
bool ipc_differs(void);

/* For resource/sysv.c: the table's entries; NULL: none. */
struct ptable_ipc *ipc_entries(uint32_t *count);
/* SNAPSHOT: is the contents of this shared memory in another process's image? */
bool ipc_saved_elsewhere(uint64_t inode);

#endif
