/* Memory without a file that several images of a set have mappings of (IMAGE_SHARED): one object for all. Hosted. */
#ifndef SHARED_MEMORY_H
#define SHARED_MEMORY_H

#include "handoff.h"
#include "image_set.h"

/* Makes the objects, close-on-exec. Dies with FAIL_TOOL where it can't. */
const struct handoff_shared *shared_memory_make(const struct image_set *set, size_t *count);

/* Does the image have a mapping or a descriptor of it? */
bool shared_memory_concerns(const struct image *image, const struct handoff_shared *object);

#endif
