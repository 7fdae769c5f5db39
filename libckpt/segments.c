/* The list of mappings, from the text of /proc/PID/maps.
 *
 * The kinds are told apart by name: that is all the kernel gives to an unprivileged reader. Names in brackets are the kernel's own (or
 * PR_SET_VMA_ANON_NAME's, "[anon:x]", "[anon_shmem:x]"). A shared file mapping counts as kept by its file only if the path still
 * leads to the same file; everything else that is shared has its contents stored. */
#include "plan.h"

#include "maps.h"
#include "object.h"
#include "str.h"
#include "sys.h"
#include "writer.h"

static long no_memory(struct plan *plan)
{
    return snapshot_fail(plan->snapshot, -ENOMEM, "no memory to list the mappings of the program: %e", -ENOMEM);
}

long plan_string(struct plan *plan, const char *text)
{
    size_t size = strlen(text) + 1;
    char *to;

    if (!plan->strings.used) {
        if (!(to = scratch_append(&plan->strings, 1)))
            return no_memory(plan);
        *to = 0;
    }
    if (size == 1)
        return 0;
    if (!(to = scratch_append(&plan->strings, size)))
        return no_memory(plan);
    memcpy(to, text, size);
    return to - (char *)plan->strings.memory;
}

/* As st_dev of stat(2). */
static uint64_t device_number(uint32_t major, uint32_t minor)
{
    return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

/* Stacked file systems show other device numbers in maps than in stat: then the name has to do. */
static bool same_file(const struct map *map, const struct stat *st)
{
    return st->st_dev != device_number(map->major, map->minor) || st->st_ino == map->inode;
}

/* The contents of a file on a disk stay in the file; memory of the computation that has a name there goes with it, as at the checkpoint, also
 * when the machine has been restarted. */
static bool is_own_memory(const struct map *map, const struct stat *st)
{
    return map->shared && object_is_memory_file(map->name) && S_ISREG(st->st_mode) && st->st_uid == sys_geteuid();
}

/* A kind, 0 for a mapping that is left alone, or -errno. */
static long kind_of(struct plan *plan, const struct map *map, struct stat *named)
{
    struct stat st;

    *named = (struct stat){0};
    if (map->name[0] == '[') {
        if (str_equal(map->name, "[stack]"))
            return IMAGE_STACK;
        if (str_equal(map->name, "[heap]") || str_after(map->name, "[anon:"))
            return IMAGE_ANON;
        if (str_after(map->name, "[anon_shmem:"))
            return IMAGE_SHARED;
        if (str_equal(map->name, "[vdso]"))
            return IMAGE_VDSO;
        return str_after(map->name, "[vvar") ? IMAGE_VVAR : 0;
    }
    if (str_after(map->name, "anon_inode:"))
        return snapshot_fail(plan->snapshot, -EOPNOTSUPP,
                             "the program maps %s, which can't be saved; checkpoint when it has been unmapped", map->name);
    if (!map->name[0])
        return map->shared ? IMAGE_SHARED : IMAGE_ANON;
    if (str_equal(map->name, "/dev/zero") || str_equal(map->name, "/anon_hugepage"))
        return map->shared ? IMAGE_SHARED : IMAGE_ANON;
    if (map->deleted)
        return map->shared ? IMAGE_SHARED : IMAGE_FILE_PRIVATE;
    if (!map->shared && !str_after(map->name, "/dev/"))
        return IMAGE_FILE_PRIVATE;
    if (sys_fstatat(AT_FDCWD, map->name, &st, 0) || !same_file(map, &st))
        return map->shared ? IMAGE_SHARED : IMAGE_FILE_PRIVATE;
    if (S_ISCHR(st.st_mode))
        return snapshot_fail(plan->snapshot, -EOPNOTSUPP,
                             "the program maps the device %s, whose memory can't be saved; checkpoint when it has been unmapped", map->name);
    if (is_own_memory(map, &st)) {
        *named = st;
        return IMAGE_SHARED;
    }
    return map->shared ? IMAGE_FILE_SHARED : IMAGE_FILE_PRIVATE;
}

static long add_segment(struct plan *plan, const struct map *map, const struct stat *named, long kind, uint64_t start, uint64_t end)
{
    size_t count = plan_segment_count(plan);
    const struct segment *before = count ? plan_segment(plan, count - 1) : NULL;
    long name;

    /* A library has five mappings in a row; one copy of its name is enough. */
    if (before && before->image.name && str_equal((char *)plan->strings.memory + before->image.name, map->name))
        name = before->image.name;
    else
        name = plan_string(plan, map->name);
    if (name < 0)
        return name;
    struct segment *segment = scratch_append(&plan->segments, sizeof *segment);
    if (!segment)
        return no_memory(plan);
    *segment = (struct segment){
        .image = {.start = start,
                  .end = end,
                  .offset = map->inode ? map->offset + (start - map->start) : 0,
                  .device = device_number(map->major, map->minor),
                  .inode = map->inode,
                  .kind = (uint32_t)kind,
                  .prot = map->prot,
                  .vm_flags = named->st_mode ? IMAGE_VM_NAMED : 0,
                  .file_size = named->st_mode ? (uint64_t)named->st_size : 0,
                  .mode = named->st_mode & 07777,
                  .name = (uint32_t)name},
        .flags = map->deleted ? SEGMENT_DELETED : 0,
    };
    return 0;
}

static void start_reading(struct maps_reader *reader, int fd)
{
    reader->fd = fd;
    reader->start = reader->end = 0;
}

long plan_read_maps(struct plan *plan, int maps)
{
    struct maps_reader reader;
    struct map map;
    struct stat named;
    char path[320];
    long more, error;

    start_reading(&reader, maps);
    while ((more = maps_next(&reader, &map)) > 0) {
        if (map.shared && map.deleted && object_find_memory_file(map.name, map.inode, path, sizeof path)) {
            str_copy(map.name, sizeof map.name, path);
            map.deleted = false;
        }
        long kind = kind_of(plan, &map, &named);

        if (kind < 0)
            return kind;
        for (uint64_t at = map.start; kind && at < map.end;) {
            uint64_t skip_start = map.end, skip_end = map.end;

            scratch_covers(at, map.end, &skip_start, &skip_end);
            if (at < skip_start && (error = add_segment(plan, &map, &named, kind, at, skip_start)))
                return error;
            at = skip_end;
        }
    }
    return more ? snapshot_fail(plan->snapshot, more, "read /proc/self/maps: %e", (int)more) : 0;
}

/* The child's own new mappings may fill the very hole that it looks for, and count as one. */
long plan_mark_absent(struct plan *plan, int maps)
{
    struct maps_reader reader;
    struct map map;
    size_t i = 0, count = plan_segment_count(plan);
    long more;

    start_reading(&reader, maps);
    while ((more = maps_next(&reader, &map)) > 0) {
        for (; i < count && plan_segment(plan, i)->image.start < map.start; i++)
            plan_segment(plan, i)->flags |= SEGMENT_ABSENT;
        while (i < count && plan_segment(plan, i)->image.end <= map.end)
            i++;
    }
    for (; !more && i < count; i++)
        plan_segment(plan, i)->flags |= SEGMENT_ABSENT;
    for (i = 0; i < count; i++)
        if (scratch_made_since(plan_segment(plan, i)->image.start, plan_segment(plan, i)->image.end))
            plan_segment(plan, i)->flags |= SEGMENT_ABSENT;
    return more ? snapshot_fail(plan->snapshot, more, "read /proc/self/maps: %e", (int)more) : 0;
}

long plan_mark_wiped(struct plan *plan, const struct pages *own, const struct pages *parent)
{
    for (size_t i = 0; i < plan_segment_count(plan); i++) {
        struct segment *segment = plan_segment(plan, i);
        long any;

        if (segment->image.kind != IMAGE_ANON || segment->flags & SEGMENT_ABSENT)
            continue;
        if ((any = pages_any(own, segment->image.start, segment->image.end)) == 0 &&
            (any = pages_any(parent, segment->image.start, segment->image.end)) > 0)
            segment->flags |= SEGMENT_WIPED;
        if (any < 0)
            return snapshot_fail(plan->snapshot, any, "read /proc/self/pagemap: %e", (int)any);
    }
    return 0;
}

void plan_free(struct plan *plan)
{
    scratch_free(&plan->segments);
    scratch_free(&plan->runs);
    scratch_free(&plan->strings);
    scratch_free(&plan->guards);
    scratch_free(&plan->saved);
}
