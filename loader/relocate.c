/* The loader's own place. It is linked where images seldom are; when this one is, the loader copies itself to a hole and goes on in the
 * copy, on an empty stack. All state is in static memory (struct loader) without pointers into the loader, so the copy is complete. */
#include "loader.h"
#include "maps.h"

/* What must be left alone until unmap_the_rest(). A freshly execed static program has some ten mappings. */
#define LIVE_MAX 128
static struct range live[LIVE_MAX];
static unsigned live_count;

static void live_add(struct range range)
{
    if (live_count && live[live_count - 1].end == range.start) {
        live[live_count - 1].end = range.end;
        return;
    }
    if (live_count == LIVE_MAX)
        die("can't be restored: more than %u mappings before there is anything to map", LIVE_MAX);
    live[live_count++] = range;
}

static void special_add(struct range range, const char *name)
{
    struct special *special = &loader.special[loader.special_count];

    if (loader.special_count == SPECIAL_MAX)
        die("can't be restored: this kernel has more than %u mappings like %s", SPECIAL_MAX, name);
    special->range = range;
    special->code = str_equal(name, "[vdso]");
    str_copy(special->name, sizeof special->name, name);
    if (!loader.special_count++)
        loader.special_range = range;
    loader.special_range.end = range.end;
}

void maps_survey(void)
{
    static struct maps_reader reader; /* too large for a stack */
    static struct map map;
    long error = maps_open(&reader, "/proc/self/maps");

    loader.self = (struct range){(uint64_t)loader_image_start, (uint64_t)loader_image_end};
    if (error)
        die("can't be restored: open /proc/self/maps: %e", (int)error);
    while ((error = maps_next(&reader, &map)) == 1) {
        struct range range = {map.start, map.end};
        if (map.start >= LOADER_ADDRESS_END) /* [vsyscall]: the same in every process */
            continue;
        if (str_equal(map.name, "[vdso]") || str_after(map.name, "[vvar"))
            special_add(range, map.name);
        live_add(range);
    }
    maps_close(&reader);
    if (error)
        die("can't be restored: read /proc/self/maps: %e", (int)error);
}

uint64_t take_hole(uint64_t size)
{
    uint64_t hole = find_hole(size, live, live_count);

    if (!hole)
        die("can't be restored: no room for %lu bytes beside its memory", size);
    live_add((struct range){hole, hole + size});
    return hole;
}

static uint64_t pages(uint64_t size)
{
    return (size + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
}

static void map_at(uint64_t start, uint64_t size)
{
    void *at = sys_mmap((void *)start, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (SYS_IS_ERROR(at))
        die("can't be restored: %lu bytes of memory: %e", size, (int)(long)at);
    if (at != (void *)start) /* kernels before 4.17 take MAP_FIXED_NOREPLACE for a mere wish */
        die("can't be restored: address 0x%lx is taken", start);
}

/* Scratch memory: the image's tables, then a byte a segment, then the workers. */
static void make_scratch(void)
{
    struct image *image = &loader.image;
    uint64_t tables = image->memory_size, states = pages(image->segment_count), size = tables + states + pages(workers_memory());
    void *moved;

    loader.scratch.start = take_hole(size);
    loader.scratch.end = loader.scratch.start + size;
    map_at(loader.scratch.start, size);
    moved = sys_mremap(image->memory, tables, tables, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)loader.scratch.start);
    if (SYS_IS_ERROR(moved))
        die("can't be restored: mremap: %e", (int)(long)moved);
    image_moved(image, moved);
    loader.segment_state = (unsigned char *)loader.scratch.start + tables;
    loader.worker_memory = loader.segment_state + states;
}

static void protect(uint64_t start, uint64_t end, int prot)
{
    long error = sys_mprotect((void *)start, end - start, prot);

    if (error)
        die("can't be restored: the loader could not move: %e", (int)error);
}

void relocate_self(void (*go_on)(void))
{
    struct range old = loader.self;
    uint64_t size = old.end - old.start;
    long delta = 0;

    make_scratch();
    if (in_the_way(old)) {
        uint64_t start = take_hole(size), text = (uint64_t)loader_text_end - old.start, rodata = (uint64_t)loader_rodata_end - old.start;

        delta = (long)(start - old.start);
        loader.self = (struct range){start, start + size};
        map_at(start, size);
        memcpy((void *)start, (void *)old.start, size);
        protect(start, start + text, PROT_READ | PROT_EXEC);
        protect(start + text, start + rodata, PROT_READ);
    }
    jump_to_copy(delta, go_on);
}

void unmap_the_rest(void)
{
    struct range keep[4] = {loader.self, loader.scratch, loader.special_range, {LOADER_ADDRESS_END, LOADER_ADDRESS_END}};
    uint64_t at = 0;

    for (int i = 0; i < 3; i++)
        for (int k = i + 1; k < 3; k++)
            if (keep[k].start < keep[i].start) {
                struct range swap = keep[i];
                keep[i] = keep[k];
                keep[k] = swap;
            }
    for (int i = 0; i < 4; i++) {
        if (keep[i].start > at) {
            long error = sys_munmap((void *)at, keep[i].start - at);
            if (error)
                die("can't be restored: munmap: %e", (int)error);
        }
        if (keep[i].end > at)
            at = keep[i].end;
    }
}
