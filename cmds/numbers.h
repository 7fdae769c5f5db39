/* Numbers that programs know and that no process of the set will register itself, entered into the host's table (include/ptable.h). Hosted. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <sys/types.h>

#include "conf.h"
#include "ptable.h"
#include "tree.h"

/* The table of the computation as it is, made if there is none; NULL: it can't be. */
struct ptable *numbers_table(const struct conf *conf, const struct upid *computation);

/* Zombies, groups and sessions whose leader is gone, and those of the launch, for which dmtcp_restart's own stand in. real: by node. Before the
 * first process of the set runs. Without a table (no room on the disk) numbers are what the kernel says; libckpt will complain. */
void numbers_enter(const struct conf *conf, const struct upid *computation, const struct tree *tree, const pid_t *real);

#endif
