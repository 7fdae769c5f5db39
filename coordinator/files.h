/* Files that others wait for or rely on: never seen half, and gone when the coordinator is. */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Writes a file under a temporary name beside it and renames it; durable: it is on the disk before it gets its name. Something that is no
 * regular file (/dev/stdout, a FIFO) is written to. 0 or errno; then no temporary file is left. */
int file_replace(const char *path, const void *contents, size_t size, mode_t mode, bool durable);

/* file_replace, and files_withdraw removes it. Paths must be absolute. At most four. */
int file_publish(const char *path, const void *contents, size_t size, mode_t mode);

/* Removes what was published, unless somebody else has put something else in its place. */
void files_withdraw(void);

/* Absolute form of a path, to be freed. Dies when there is no memory. */
char *path_absolute(const char *path);

#endif
