/* The images that a new set leaves behind: when a set has replaced files of the one before, the images of processes that have ended since belong
 * to no complete set any more. They are removed, so that a long computation doesn't fill the disk and `dmtcp_restart ckpt_*.dmtcp` finds one set.
 * Only on the coordinator's host, and only of sets that this coordinator has seen committed. */
#ifndef SUPERSEDED_H
#define SUPERSEDED_H

#include "list.h"

/* COMMIT begins: the images of the members of the set (set.h) and of those who left it (by member_link). */
void superseded_next(struct list *departed);
/* The set is committed: what it has superseded is removed, and it is the one to compare with. */
void superseded_committed(void);

#endif
