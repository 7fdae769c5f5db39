/* Memory or a file that has no name, made anew for a restart: what several mappings and descriptors may share. Free code. */
#ifndef OBJECT_H
#define OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `name` as maps shows it: "/memfd:x", "/dev/zero", "[anon_shmem:x]" become a memfd, sealable; the path of a file that has been unlinked becomes
 * a file without a name in the same directory, or a memfd where that has no room for one. huge_page_size: 0, or of hugetlb memory; *huge then says
 * whether there were any. A descriptor, close-on-exec, of `size` bytes and mode 0600; or -errno. */
long object_make(const char *name, uint32_t huge_page_size, uint64_t size, bool *huge);

/* A file below /dev/shm, whose contents go with the computation: the one of that name if it is there and the user's own, emptied; else a new one.
 * Of exactly `size` bytes; `mode`: permissions of a new one. */
bool object_is_memory_file(const char *path);
/* The path in /dev/shm of a file that is there under another name than the one by which it was opened: sem_open(3) makes a file, gives it its true
 * name by link(2) and removes the first one. False: it has none. */
bool object_find_memory_file(const char *former, uint64_t inode, char *path, size_t size);
long object_open_memory_file(const char *path, uint64_t size, unsigned mode);

/* A file without a name in the directory of `path`, open for reading and writing. */
long object_make_file(const char *path);

#endif
