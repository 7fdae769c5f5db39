/* System V shared memory, semaphores and message queues of a set (IMAGE_REC_SYSV): as they were at the checkpoint, before the first process. Those
 * that are still there are set back, the others made anew. Hosted. */
#ifndef CMDS_SYSV_H
#define CMDS_SYSV_H

#include "conf.h"
#include "image_set.h"
#include "ptable.h"

/* Dies with FAIL_TOOL where it can't. What is new is removed again when the command ends before sysv_keep. */
void sysv_make(const struct image_set *set, const struct conf *conf);
void sysv_keep(void);

/* Enters the ids into the table of the host, in place of all that it has. */
void sysv_enter(struct ptable *table);

/* The id of the shared memory that this segment of an image was a part of; -1: of none that the images have. */
int sysv_memory(const struct image_segment *segment, const char *name);

#endif
