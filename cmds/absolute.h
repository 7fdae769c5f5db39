/* Paths as others, with another working directory, will need them. */
#ifndef ABSOLUTE_H
#define ABSOLUTE_H

#include <stddef.h>

/* `path` with the working directory before it if it is relative, "./" and trailing slashes taken off; symbolic links stay. Dies if it
 * does not fit. */
void absolute_path(char *to, size_t size, const char *path);

#endif
