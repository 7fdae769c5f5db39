/* What the static zlib refers to beside what base/ has. Its own zutil.o would bring malloc and a table of pointers, which is
 * relocations. */
#include <stddef.h>

#pragma GCC visibility push(hidden)

void *zcalloc(void *opaque, unsigned items, unsigned size);
void zcfree(void *opaque, void *address);

/* Never called: base/image_read.c brings its own allocation. */
void *zcalloc(void *opaque, unsigned items, unsigned size)
{
    return NULL;
}

void zcfree(void *opaque, void *address)
{
}
