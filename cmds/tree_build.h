/* Makes the processes of a plan. Every one of them runs the same steps, kept together by barriers in memory that all share: born, group
 * made, group joined, helpers gone, everything found to be right; only then is the first one turned into the process of its image. Until then a
 * failure anywhere ends all of them. Hosted. */
#ifndef TREE_BUILD_H
#define TREE_BUILD_H

#include "conf.h"
#include "tree.h"

/* What a process does in the end, with `argument`; does not return. with_pid: it has the number that programs know it by. */
typedef void (*tree_become)(int node, bool with_pid, void *argument);

/* Real numbers of the nodes, by index, in memory that lives as long as the process. Dies with one line and FAIL_RESTART where it can't be
 * done; all processes are then gone. choose_pids: take the old numbers where permitted. numbered (may be NULL) is called when all numbers are
 * known and before anything is run. Signals must be blocked (foreground_begin). */
const pid_t *tree_build(const struct tree *tree, bool choose_pids, tree_become become, void (*numbered)(const pid_t *), void *argument);

#endif
