/* One line on a terminal that says how far a blocking checkpoint is. */
#ifndef COMMAND_PROGRESS_H
#define COMMAND_PROGRESS_H

#include "proto.h"

void command_progress_show(const struct proto_progress *progress);

/* Wipes the line, if there is one. */
void command_progress_end(void);

#endif
