#include "shared_memory.h"

#include "die.h"
#include "fmt.h"
#include "object.h"
#include "sysv.h"

static struct handoff_shared objects[HANDOFF_SHARED_MAX];
static size_t object_count;

static bool is_made(uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < object_count; i++)
        if (objects[i].device == device && objects[i].inode == inode)
            return true;
    return false;
}

struct wanted {
    uint64_t device, inode, size;
    const char *name;
    uint32_t huge_page_size;
    bool named;
    unsigned mode;
    int sysv;
    unsigned images;
};

/* What the images from `first` on know of the object. */
static void look(const struct image_set *set, size_t first, struct wanted *wanted)
{
    for (size_t i = first; i < set->count; i++) {
        const struct image *image = &set->images[i].image;
        uint32_t size;
        const struct image_object *held = image_record(image, IMAGE_REC_OBJECTS, 0, &size);
        bool found = false;

        for (size_t s = 0; s < image->segment_count; s++) {
            const struct image_segment *segment = &image->segments[s];
            uint64_t end = segment->offset + (segment->end - segment->start);

            if (segment->kind != IMAGE_SHARED || segment->device != wanted->device || segment->inode != wanted->inode)
                continue;
            found = true;
            if (segment->vm_flags & IMAGE_VM_NAMED) {
                wanted->named = true;
                wanted->mode = segment->mode;
                end = segment->file_size;
            }
            if (end > wanted->size)
                wanted->size = end;
            if (segment->file_size > wanted->size)
                wanted->size = segment->file_size;
            if (segment->vm_flags & IMAGE_VM_HUGETLB)
                wanted->huge_page_size = segment->huge_page_size;
            wanted->name = image_string(image, segment->name);
            wanted->sysv = sysv_memory(segment, wanted->name);
        }
        for (uint32_t k = 0; held && k < size / sizeof *held; k++) {
            if (held[k].device != wanted->device || held[k].inode != wanted->inode)
                continue;
            found = true;
            if (held[k].size > wanted->size)
                wanted->size = held[k].size;
            if (held[k].huge_page_size == IMAGE_OBJECT_NAMED)
                wanted->named = true;
            else
                wanted->huge_page_size = held[k].huge_page_size;
            wanted->name = image_string(image, held[k].name);
        }
        wanted->images += found;
    }
}

static void make(const struct image_set *set, size_t first, uint64_t device, uint64_t inode)
{
    struct wanted wanted = {.device = device, .inode = inode, .name = "", .mode = 0600, .sysv = -1};
    const char *path = set->images[first].path;
    bool huge = false;

    if (is_made(device, inode))
        return;
    look(set, first, &wanted);
    if (wanted.images < 2 && wanted.sysv < 0)
        return;
    if (object_count == HANDOFF_SHARED_MAX)
        die(FAIL_TOOL, "%s: its set has more than %d shared memory objects", path, HANDOFF_SHARED_MAX);
    if (wanted.sysv >= 0) {
        objects[object_count++] = (struct handoff_shared){.device = device, .inode = inode, .fd = -1, .sysv = wanted.sysv};
        return;
    }
    long fd = wanted.named ? object_open_memory_file(wanted.name, wanted.size, wanted.mode)
                           : object_make(wanted.name, wanted.huge_page_size, wanted.size, &huge);
    if (fd < 0 && wanted.named)
        die(FAIL_TOOL, "%s: the file %s, which its processes had mapped: %s", path, wanted.name, fmt_error((int)fd));
    if (fd < 0)
        die(FAIL_TOOL, "%s: shared memory of %lu bytes: %s", path, (unsigned long)wanted.size, fmt_error((int)fd));
    if (wanted.huge_page_size && !huge)
        warn("%s: no huge pages for shared memory (%lu bytes), made of normal pages", path, (unsigned long)wanted.size);
    objects[object_count++] = (struct handoff_shared){.device = device, .inode = inode, .fd = (int)fd};
}

const struct handoff_shared *shared_memory_make(const struct image_set *set, size_t *count)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct image *image = &set->images[i].image;
        uint32_t size;
        const struct image_object *held = image_record(image, IMAGE_REC_OBJECTS, 0, &size);

        for (size_t s = 0; s < image->segment_count; s++)
            if (image->segments[s].kind == IMAGE_SHARED)
                make(set, i, image->segments[s].device, image->segments[s].inode);
        for (uint32_t k = 0; held && k < size / sizeof *held; k++)
            make(set, i, held[k].device, held[k].inode);
    }
    *count = object_count;
    return objects;
}

bool shared_memory_concerns(const struct image *image, const struct handoff_shared *object)
{
    uint32_t size;
    const struct image_object *held = image_record(image, IMAGE_REC_OBJECTS, 0, &size);

    for (size_t s = 0; s < image->segment_count; s++)
        if (image->segments[s].kind == IMAGE_SHARED && image->segments[s].device == object->device &&
            image->segments[s].inode == object->inode)
            return true;
    for (uint32_t k = 0; held && k < size / sizeof *held; k++)
        if (held[k].device == object->device && held[k].inode == object->inode)
            return true;
    return false;
}
