/* Where the parts of DMTCP lie: next to the running command in bin/, and in ../lib/dmtcp/; the same in the build directory as where it is
 * installed, so that it can be moved as a whole. */
#ifndef INSTALLED_H
#define INSTALLED_H

#include <stddef.h>

/* "bin/dmtcp_coordinator", "lib/dmtcp/libckpt.so" … as an absolute path. Dies if it isn't there. */
void installed_path(char *to, size_t size, const char *part);

#endif
