#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <stdbool.h>

#include "thread.h"

/* Both in the thread itself. restore: true if anything was changed, and with it, by the kernel, what depends on it (PR_SET_PDEATHSIG,
 * PR_SET_DUMPABLE); ends a process that could not give up root's rights again. */
void credentials_save(struct thread_credentials *now);
bool credentials_restore(const struct thread_credentials *wanted);

#endif
