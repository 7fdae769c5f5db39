#include "shared_memory.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "die.h"
#include "str.h"

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

static struct handoff_shared objects[HANDOFF_SHARED_MAX];
static size_t object_count;

static bool same(const struct image_segment *a, const struct image_segment *b)
{
    return a->kind == IMAGE_SHARED && b->kind == IMAGE_SHARED && a->device == b->device && a->inode == b->inode;
}

static bool is_made(const struct image_segment *segment)
{
    for (size_t i = 0; i < object_count; i++)
        if (objects[i].device == segment->device && objects[i].inode == segment->inode)
            return true;
    return false;
}

/* The size of the object in all images from `first` on; *images counts them. */
static uint64_t size_in(const struct image_set *set, size_t first, const struct image_segment *segment, unsigned *images)
{
    uint64_t size = 0;

    *images = 0;
    for (size_t i = first; i < set->count; i++) {
        const struct image *image = &set->images[i].image;
        bool found = false;

        for (size_t s = 0; s < image->segment_count; s++) {
            const struct image_segment *other = &image->segments[s];
            uint64_t end = other->offset + (other->end - other->start);

            if (!same(segment, other))
                continue;
            found = true;
            if (end > size)
                size = end;
            if (other->file_size > size)
                size = other->file_size;
        }
        *images += found;
    }
    return size;
}

static void make(const struct set_image *image, const struct image_segment *segment, uint64_t size)
{
    const char *name = image_string(&image->image, segment->name), *memfd = str_after(name, "/memfd:");
    char short_name[240]; /* memfd_create(2): 249 at most */
    int fd = -1;

    if (object_count == HANDOFF_SHARED_MAX)
        die(FAIL_TOOL, "%s: its set has more than %d shared memory objects", image->path, HANDOFF_SHARED_MAX);
    str_copy(short_name, sizeof short_name, memfd ? memfd : str_base(name));
    if (segment->vm_flags & IMAGE_VM_HUGETLB && segment->huge_page_size) {
        fd = memfd_create(short_name, MFD_CLOEXEC | MFD_HUGETLB | (unsigned)__builtin_ctz(segment->huge_page_size) << MFD_HUGE_SHIFT);
        if (fd < 0)
            warn("%s: no huge pages for shared memory (%lu bytes), made of normal pages: %m", image->path, (unsigned long)size);
    }
    if (fd < 0)
        fd = memfd_create(short_name, MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size))
        die(FAIL_TOOL, "%s: shared memory of %lu bytes: %m", image->path, (unsigned long)size);
    objects[object_count++] = (struct handoff_shared){.device = segment->device, .inode = segment->inode, .fd = fd};
}

const struct handoff_shared *shared_memory_make(const struct image_set *set, size_t *count)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct image *image = &set->images[i].image;

        for (size_t s = 0; s < image->segment_count; s++) {
            unsigned images;
            uint64_t size;

            if (image->segments[s].kind != IMAGE_SHARED || is_made(&image->segments[s]))
                continue;
            size = size_in(set, i, &image->segments[s], &images);
            if (images > 1)
                make(&set->images[i], &image->segments[s], size);
        }
    }
    *count = object_count;
    return objects;
}
