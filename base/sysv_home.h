/* Where ids of System V IPC mean what they mean: this run of the kernel, and this IPC namespace (ipc_namespaces(7)). Free code. */
#ifndef SYSV_HOME_H
#define SYSV_HOME_H

#include <stdint.h>

/* Never 0. */
uint64_t sysv_home(void);

#endif
