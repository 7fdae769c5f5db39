/* Names of what inotify watches: the kernel tells the inode of a watch, never the name. Free code without locks, any thread; nothing is ever taken
 * out, so a parked thread in the middle of watched_note harms nobody. */
#ifndef WATCHED_H
#define WATCHED_H

#include <stdbool.h>
#include <stdint.h>

/* A watch, `number`, was set on path (not followed if it is a symbolic link and `link`). */
void watched_note(const char *path, bool link, int number);
/* The highest number so far. */
int watched_last(void);
/* A name that leads to the inode now; NULL: none is known. *link: as it was noted. */
const char *watched_path(uint64_t device, uint64_t inode, bool *link);

#endif
