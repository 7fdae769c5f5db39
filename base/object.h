/* Memory or a file that has no name, made anew for a restart: what several mappings and descriptors may share. Free code. */
#ifndef OBJECT_H
#define OBJECT_H

#include <stdbool.h>
#include <stdint.h>

/* `name` as maps shows it: "/memfd:x", "/dev/zero", "[anon_shmem:x]" become a memfd, sealable; the path of a file that has been unlinked becomes
 * a file without a name in the same directory, or a memfd where that has no room for one. huge_page_size: 0, or of hugetlb memory; *huge then says
 * whether there were any. A descriptor, close-on-exec, of `size` bytes and mode 0600; or -errno. */
long object_make(const char *name, uint32_t huge_page_size, uint64_t size, bool *huge);

/* A file without a name in the directory of `path`, open for reading and writing. */
long object_make_file(const char *path);

#endif
