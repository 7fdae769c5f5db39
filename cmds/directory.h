/* The directory for checkpoint images. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include <stdbool.h>

/* Makes `path` (absolute) if only its last component is missing, and checks that files can be written there. Where that can't be: dies if
 * the user named the directory; if it is only the working directory, warns, since a program that is never checkpointed needs none. */
void directory_check(const char *path, bool named);

#endif
