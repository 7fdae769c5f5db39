/* Where the library's own memory lies: a part of the address space that programs leave alone, so that none of our mappings lands in a hole
 * that the program made and means to stay one, or means to fill with MAP_FIXED. Free code, any thread. */
#ifndef REGION_H
#define REGION_H

#include <stddef.h>

/* mmap(2) of anonymous memory, private or shared, at an address of our choice if it is free, else of the kernel's. As sys_mmap. */
void *region_map(size_t size, int prot, int flags);
/* The same, in a part of its own, which a forked child can give back at once. */
void *region_map_scratch(size_t size, int prot, int flags);
void region_clear_scratch(void);
/* For a file. */
void *region_map_file(size_t size, int prot, int flags, int fd);

#endif
