/* Turns this process into the one in an image: it execs the loader, which rebuilds the memory. Hosted. */
#ifndef RESTART_PROCESS_H
#define RESTART_PROCESS_H

#include <sys/types.h>

#include "conf.h"
#include "handoff.h"
#include "image_set.h"

struct restart_process {
    pid_t restart_group;     /* dmtcp_restart's process group */
    const struct set_image *image;
    const struct conf *conf; /* what the process is to run with from now on */
    unsigned workers;        /* threads of the loader, at least 1 */
    unsigned pause;          /* seconds it waits for a debugger */
    unsigned fail_rc;        /* its exit code where it can't be restored; it has then said why */
    bool with_pid;           /* it has its old pid, so the old tids may be chosen too */
    bool foreground;         /* its group gets the terminal when it runs */
    const struct handoff_shared *shared; /* memory of several images of the set */
    size_t shared_count;
};

/* Before any process is made: dies if the loader can't be run. */
void restart_process_check(const struct restart_process *request);

/* All signals must be blocked and have no disposition but the default. No descriptor of ours stays open but 0 to 2, the image, the handoff and
 * the shared memory. */
_Noreturn void restart_process(const struct restart_process *request);

#endif
