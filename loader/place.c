/* Holes: address ranges free of the image and of what is mapped now. */
#include "loader.h"

/* Stacks grow down and the heap grows up; what stays mapped (a parked vDSO) should not be in their way. */
#define DISTANCE (1ull << 30)
/* vm.mmap_min_addr is at most this everywhere. */
#define ADDRESS_LOW 0x100000ull

/* First segment that touches the range, or NULL; segments are sorted. */
static const struct image_segment *segment_in(struct range range)
{
    const struct image *image = &loader.image;
    size_t low = 0, high = image->segment_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->segments[middle].end <= range.start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < image->segment_count && image->segments[low].start < range.end ? &image->segments[low] : NULL;
}

/* End of something that is in the way of [at, at + size) with that distance on both sides, or 0. */
static uint64_t obstacle(uint64_t at, uint64_t size, uint64_t distance, const struct range *ranges, unsigned count)
{
    struct range wanted = {at > distance ? at - distance : 0, at + size + distance};
    const struct image_segment *segment = segment_in(wanted);
    const struct image_mm *mm = loader.image.mm;

    if (segment)
        return segment->end;
    /* The heap may have holes, but brk wants all of it free for a moment. */
    if (mm->start_brk <= mm->brk && ranges_meet(wanted, (struct range){mm->start_brk, mm->brk + 2 * IMAGE_PAGE}))
        return mm->brk + 2 * IMAGE_PAGE;
    for (unsigned i = 0; i < count; i++)
        if (ranges_meet(wanted, ranges[i]))
            return ranges[i].end;
    return 0;
}

bool in_the_way(struct range range)
{
    return obstacle(range.start, range.end - range.start, 0, NULL, 0) != 0;
}

static uint64_t find_between(uint64_t low, uint64_t high, uint64_t size, uint64_t distance, const struct range *ranges, unsigned count)
{
    uint64_t at = low, end;

    while (at < high && size < high - at) {
        end = obstacle(at, size, distance, ranges, count);
        if (!end)
            return at;
        at = (end + distance + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
        if (at < end)
            break;
    }
    return 0;
}

uint64_t find_hole(uint64_t size, const struct range *ranges, unsigned count)
{
    uint64_t hole = 0;

    for (int near = 0; near < 2 && !hole; near++) {
        uint64_t distance = near ? 0 : DISTANCE;
        hole = find_between(LOADER_ADDRESS_HOME, LOADER_ADDRESS_END, size, distance, ranges, count);
        if (!hole)
            hole = find_between(ADDRESS_LOW, LOADER_ADDRESS_HOME, size, distance, ranges, count);
    }
    return hole;
}
