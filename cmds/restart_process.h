/* Makes a process that becomes the one in an image: it execs the loader, which rebuilds the memory. Hosted. */
#ifndef RESTART_PROCESS_H
#define RESTART_PROCESS_H

#include <sys/types.h>

#include "conf.h"
#include "image_set.h"

struct restart_process {
    const struct set_image *image;
    const struct conf *conf; /* what the process is to run with from now on */
    unsigned workers;        /* threads of the loader, at least 1 */
    unsigned pause;          /* seconds it waits for a debugger */
    unsigned fail_rc;        /* its exit code where it can't be restored; it has then said why */
};

/* The new process, a child of this one: with its old pid where the kernel lets us choose, otherwise with any. It has all signals blocked,
 * no disposition but the default, and no descriptor of ours but 0 to 2, the image and the handoff. -1 with errno. */
pid_t restart_process(const struct restart_process *request);

#endif
