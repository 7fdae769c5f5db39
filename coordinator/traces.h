/* What the processes of a computation on this host keep in the tmp dir: their table (include/ptable.h) and, during a checkpoint, the lists of their
 * descriptors. The last process can't remove them, since it may be killed; the coordinator does, when none is left. */
#ifndef TRACES_H
#define TRACES_H

#include <stdbool.h>

#include "ident.h"

/* Absolute; kept. What could not be removed yet is removed at exit. */
void traces_set_directory(const char *tmpdir);

/* Is a process of this host that has lost its connection between exec and joining again? */
bool traces_is_in_exec(const struct upid *computation, uint32_t real_pid);

/* The living processes of this host that left the computation (static programs and the like): a line about each, to be freed; NULL: none. */
char *traces_of_left(const struct upid *computation);

/* The computation's last connection has ended. Its table stays while a process in it lives: one that is between exec and joining again. */
void traces_of_ended(const struct upid *computation);

#endif
