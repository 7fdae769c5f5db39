/* Identity of processes and computations, as images, messages and file names carry it. */
#ifndef IDENT_H
#define IDENT_H

#include <stdint.h>

/* One process over all its checkpoints and restarts: host, kernel pid and time (seconds, CLOCK_REALTIME) of its creation under our
 * control. The computation is named by the identity of its first process. Text form: "<host hex>-<pid decimal>-<time hex>". */
struct upid {
    uint64_t host;
    uint64_t time;
    uint32_t pid;
    uint32_t unused;
};
_Static_assert(sizeof(struct upid) == 24, "part of the image and of the protocol");

#define UPID_TEXT_MAX 48

#endif
