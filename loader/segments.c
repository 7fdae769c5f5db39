/* The mappings: made read-write where contents are to be loaded, protected and advised afterwards.
 *
 * Private writable memory becomes true anonymous memory, never a private mapping of the image: after MADV_DONTNEED the program must find
 * zeros, not the image's bytes, and a truncated image must not mean SIGBUS. */
#include "fmt.h"
#include "loader.h"
#include "object.h"

#include <linux/prctl.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define RW (PROT_READ | PROT_WRITE)

static const struct image_segment *segment(size_t i)
{
    return &loader.image.segments[i];
}

static uint64_t length(const struct image_segment *s)
{
    return s->end - s->start;
}

void segments_survey(void)
{
    const struct image *image = &loader.image;

    for (size_t i = 0; i < image->run_count; i++)
        loader.segment_state[image->runs[i].segment] |=
            (unsigned char)(SEGMENT_HAS_RUNS | (image->runs[i].address & IMAGE_RUN_CLEAN ? 0 : SEGMENT_HAS_DIRTY_RUNS));
    for (size_t i = 0; i < image->segment_count; i++)
        if (segment(i)->kind == IMAGE_VVAR || (segment(i)->kind == IMAGE_VDSO && vdso_is_same()))
            loader.segment_state[i] |= SEGMENT_IN_PLACE | SEGMENT_MAPPED;
}

static int loading_prot(size_t i, unsigned if_state)
{
    if (!(loader.segment_state[i] & if_state) && segment(i)->kind != IMAGE_VDSO)
        return (int)segment(i)->prot;
    loader.segment_state[i] |= SEGMENT_WRITABLE;
    return RW;
}

static long map(const struct image_segment *s, int prot, int flags, int fd, uint64_t offset)
{
    if (s->vm_flags & IMAGE_VM_NORESERVE && !(s->vm_flags & IMAGE_VM_HUGETLB)) /* huge pages not reserved are SIGBUS, later */
        flags |= MAP_NORESERVE;
    if (s->vm_flags & IMAGE_VM_GROWSDOWN || s->kind == IMAGE_STACK)
        flags |= MAP_GROWSDOWN | MAP_STACK;
    void *at = sys_mmap((void *)s->start, length(s), prot, flags | MAP_FIXED, fd, offset);
    return SYS_IS_ERROR(at) ? (long)at : 0;
}

static _Noreturn void no_memory(const struct image_segment *s, long error)
{
    die("needs %lu bytes of memory at 0x%lx (%s): %e", length(s), s->start, image_string(&loader.image, s->name), (int)error);
}

static int huge_shift(const struct image_segment *s)
{
    return s->vm_flags & IMAGE_VM_HUGETLB ? __builtin_ctz(s->huge_page_size) : 0;
}

static void map_anonymous(size_t i)
{
    const struct image_segment *s = segment(i);
    int prot = loading_prot(i, SEGMENT_HAS_RUNS), flags = MAP_PRIVATE | MAP_ANONYMOUS;
    long error = -ENOMEM;

    if (huge_shift(s)) {
        error = map(s, prot, flags | MAP_HUGETLB | huge_shift(s) << MAP_HUGE_SHIFT, -1, 0);
        if (error)
            warn("no huge pages for 0x%lx (%lu bytes), made of normal pages: %e", s->start, length(s), (int)error);
    }
    if (error)
        error = map(s, prot, flags, -1, 0);
    if (error)
        no_memory(s, error);
}

static bool same_file(const struct image_segment *s, int fd)
{
    struct stat st;

    return !sys_fstat(fd, &st) && st.st_dev == s->device && st.st_ino == s->inode && (uint64_t)st.st_size == s->file_size &&
           st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec == s->mtime_ns;
}

/* The file itself where it is still the same, so that its pages are shared with others again; else the stored contents. */
static void map_file_private(size_t i)
{
    const struct image_segment *s = segment(i);
    long fd = sys_open(image_string(&loader.image, s->name), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0), error = -ENOENT;

    if (fd >= 0) {
        if (same_file(s, (int)fd))
            error = map(s, loading_prot(i, SEGMENT_HAS_DIRTY_RUNS), MAP_PRIVATE, (int)fd, s->offset);
        sys_close((int)fd);
    }
    if (!error)
        loader.segment_state[i] |= SEGMENT_FILE_MAPPED;
    else
        map_anonymous(i);
}

static long open_shared(const struct image_segment *s, const char *path)
{
    bool write = s->prot & PROT_WRITE;
    long fd = -EACCES;

    if (write || s->vm_flags & IMAGE_VM_MAYWRITE)
        fd = sys_open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 && !write)
        fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    return fd;
}

static void map_file_shared(size_t i)
{
    const struct image_segment *s = segment(i);
    const char *path = image_string(&loader.image, s->name);
    uint64_t need = s->offset + length(s) < s->file_size ? s->offset + length(s) : s->file_size;
    long fd = open_shared(s, path), error;
    struct stat st;

    if (fd < 0)
        die("needs the file %s, which it had mapped: %e", path, (int)fd);
    error = sys_fstat((int)fd, &st);
    if (!error && S_ISREG(st.st_mode) && (uint64_t)st.st_size < need)
        die("needs the file %s, which it had mapped, with %lu bytes; it has %lu now", path, need, (uint64_t)st.st_size);
    if (!error)
        error = map(s, (int)s->prot, MAP_SHARED, (int)fd, s->offset);
    sys_close((int)fd);
    if (error)
        die("needs the file %s mapped: %e", path, (int)error);
}

/* --- shared memory without a file --- */

static bool same_object(const struct image_segment *a, const struct image_segment *b)
{
    return b->kind == IMAGE_SHARED && a->device == b->device && a->inode == b->inode;
}

static const struct image_object *held_object(const struct image_segment *s)
{
    uint32_t size;
    const struct image_object *object = image_record(&loader.image, IMAGE_REC_OBJECTS, 0, &size);

    for (uint32_t i = 0; object && i < size / sizeof *object; i++)
        if (object[i].device == s->device && object[i].inode == s->inode)
            return &object[i];
    return NULL;
}

/* The object for the memory that `s` is a mapping of: dmtcp_restart's, where several processes of the set have it (each loads the same
 * contents into it), otherwise a new one of `size` bytes. *kept: libckpt, which makes descriptors of it, closes it. */
static long open_object(const struct image_segment *s, uint64_t size, bool *kept)
{
    const struct image_object *held = held_object(s);
    struct handoff *handoff = &loader.handoff;
    bool huge = false;
    long fd;

    *kept = true;
    for (uint32_t i = 0; i < handoff->shared_count; i++)
        if (handoff->shared[i].device == s->device && handoff->shared[i].inode == s->inode)
            return handoff->shared[i].fd;
    if (s->vm_flags & IMAGE_VM_NAMED)
        fd = object_open_memory_file(image_string(&loader.image, s->name), s->file_size, s->mode);
    else
        fd = object_make(image_string(&loader.image, s->name), huge_shift(s) ? s->huge_page_size : 0, size, &huge);
    if (fd < 0 && s->vm_flags & IMAGE_VM_NAMED)
        die("needs the file %s, which it had mapped: %e", image_string(&loader.image, s->name), (int)fd);
    if (fd >= 0 && huge_shift(s) && !huge)
        warn("no huge pages for shared memory (%lu bytes), made of normal pages", size);
    *kept = fd >= 0 && held && handoff->shared_count < HANDOFF_SHARED_MAX;
    if (*kept)
        handoff->shared[handoff->shared_count++] = (struct handoff_shared){.device = s->device, .inode = s->inode, .fd = (int)fd};
    return fd;
}

/* --- System V shared memory --- */

#ifndef SHM_RDONLY
#define SHM_RDONLY 010000
#endif

static const struct handoff_shared *sysv_of(const struct image_segment *s)
{
    for (uint32_t i = 0; i < loader.handoff.shared_count; i++) {
        const struct handoff_shared *shared = &loader.handoff.shared[i];
        if (shared->fd < 0 && shared->device == s->device && shared->inode == s->inode)
            return shared;
    }
    return NULL;
}

/* Attached anywhere, then the part that the program had is moved to its place: only whole segments can be attached. */
static long attach(const struct image_segment *s, int id, int flags)
{
    uint64_t state[14] = {0}; /* struct shmid64_ds: shm_segsz after 48 bytes */
    uint64_t page = s->vm_flags & IMAGE_VM_HUGETLB ? s->huge_page_size : 4096;
    long at, error = syscall3(__NR_shmctl, id, 2 /* IPC_STAT */, (long)state);
    uint64_t size = (state[6] + page - 1) & ~(page - 1), from = s->offset, to = s->offset + length(s);

    if (error)
        return error;
    if (to > size)
        return -EINVAL;
    at = syscall3(__NR_shmat, id, 0, flags);
    if (at < 0 && at > -4096)
        return at;
    if (from)
        sys_munmap((void *)at, from);
    if (to < size)
        sys_munmap((void *)((uint64_t)at + to), size - to);
    void *moved = sys_mremap((void *)((uint64_t)at + from), length(s), length(s), MREMAP_MAYMOVE | MREMAP_FIXED, (void *)s->start);
    return SYS_IS_ERROR(moved) ? (long)moved : 0;
}

static void attach_object(size_t first, const struct handoff_shared *shared)
{
    for (size_t i = first; i < loader.image.segment_count; i++) {
        if (segment(i)->kind != IMAGE_SHARED || segment(i)->device != segment(first)->device || segment(i)->inode != segment(first)->inode)
            continue;
        int prot = loading_prot(i, SEGMENT_HAS_RUNS);
        bool read_only = !(segment(i)->vm_flags & IMAGE_VM_MAYWRITE) && !(loader.segment_state[i] & SEGMENT_WRITABLE);
        long error = attach(segment(i), shared->sysv, read_only ? SHM_RDONLY : 0);
        if (!error && prot != (read_only ? PROT_READ : RW))
            error = sys_mprotect((void *)segment(i)->start, length(segment(i)), prot);
        if (error)
            die("can't attach System V shared memory %d: %e", shared->sysv, (int)error);
        loader.segment_state[i] |= SEGMENT_MAPPED;
    }
}

/* All mappings of the object that segment `first` is one of, so that they alias. */
static void map_object(size_t first)
{
    const struct image_segment *f = segment(first);
    uint64_t size = f->file_size;
    const struct handoff_shared *sysv = sysv_of(f);
    bool kept;
    long fd, error;

    if (sysv) {
        attach_object(first, sysv);
        return;
    }
    for (size_t i = first; i < loader.image.segment_count; i++)
        if (same_object(f, segment(i)) && segment(i)->offset + length(segment(i)) > size)
            size = segment(i)->offset + length(segment(i));
    fd = open_object(f, size, &kept);
    if (fd < 0)
        no_memory(f, fd);
    for (size_t i = first; i < loader.image.segment_count; i++) {
        if (!same_object(f, segment(i)))
            continue;
        error = map(segment(i), loading_prot(i, SEGMENT_HAS_RUNS), MAP_SHARED, (int)fd, segment(i)->offset);
        if (error)
            no_memory(segment(i), error);
        loader.segment_state[i] |= SEGMENT_MAPPED;
    }
    if (!kept)
        sys_close((int)fd);
}

static void map_one(size_t i)
{
    switch (segment(i)->kind) { /* a table of functions would need relocations */
    case IMAGE_FILE_PRIVATE: map_file_private(i); break;
    case IMAGE_FILE_SHARED: map_file_shared(i); break;
    case IMAGE_SHARED: map_object(i); break;
    default: map_anonymous(i); break; /* IMAGE_ANON, IMAGE_STACK, IMAGE_VDSO with saved code */
    }
    loader.segment_state[i] |= SEGMENT_MAPPED;
}

static void advise(const struct image_segment *s, int advice)
{
    sys_madvise((void *)s->start, length(s), advice);
}

void segments_map(void)
{
    for (size_t i = 0; i < loader.image.segment_count; i++) {
        if (!(loader.segment_state[i] & SEGMENT_MAPPED))
            map_one(i);
        /* Decides what pages the contents are loaded into. */
        if (segment(i)->vm_flags & IMAGE_VM_HUGEPAGE)
            advise(segment(i), MADV_HUGEPAGE);
        if (segment(i)->vm_flags & IMAGE_VM_NOHUGEPAGE)
            advise(segment(i), MADV_NOHUGEPAGE);
    }
}

/* --- afterwards --- */

static const struct {
    uint32_t flag;
    int advice;
} advices[] = {
    {IMAGE_VM_DONTDUMP, MADV_DONTDUMP},     {IMAGE_VM_DONTFORK, MADV_DONTFORK},     {IMAGE_VM_WIPEONFORK, MADV_WIPEONFORK},
    {IMAGE_VM_MERGEABLE, MADV_MERGEABLE},   {IMAGE_VM_SEQUENTIAL, MADV_SEQUENTIAL}, {IMAGE_VM_RANDOM, MADV_RANDOM},
};

/* "[anon:name]", as the program called it (prctl(2), PR_SET_VMA_ANON_NAME; 5.17, CONFIG_ANON_VMA_NAME). */
static void restore_name(const struct image_segment *s)
{
    const char *name = str_after(image_string(&loader.image, s->name), "[anon:");
    char bare[80];
    size_t size = name ? strlen(name) : 0;

    if (!size || size > sizeof bare)
        return;
    str_copy(bare, size, name); /* without the bracket */
    sys_prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, s->start, length(s), (unsigned long)bare);
}

/* Mapped for loading it may be made writable at any time, and an object that is sealed against writing must have no such mapping. */
static void map_read_only(const struct image_segment *s)
{
    char path[64];

    for (uint32_t i = 0; i < loader.handoff.shared_count; i++) {
        if (loader.handoff.shared[i].device != s->device || loader.handoff.shared[i].inode != s->inode)
            continue;
        if (loader.handoff.shared[i].fd < 0) {
            sys_munmap((void *)s->start, length(s));
            if (attach(s, loader.handoff.shared[i].sysv, SHM_RDONLY) || (s->prot != PROT_READ && sys_mprotect((void *)s->start, length(s), (int)s->prot)))
                die("can't attach System V shared memory %d for reading", loader.handoff.shared[i].sysv);
            continue;
        }
        fmt(path, sizeof path, "/proc/self/fd/%d", loader.handoff.shared[i].fd);
        long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
        if (fd >= 0) {
            map(s, (int)s->prot, MAP_SHARED, (int)fd, s->offset);
            sys_close((int)fd);
        }
    }
}

static void protect_and_advise(size_t i)
{
    const struct image_segment *s = segment(i);
    long error;

    if (s->kind == IMAGE_SHARED && !(s->vm_flags & IMAGE_VM_MAYWRITE) && !(sysv_of(s) && !(loader.segment_state[i] & SEGMENT_WRITABLE)))
        map_read_only(s);
    if (loader.segment_state[i] & SEGMENT_WRITABLE && s->prot != RW) {
        error = sys_mprotect((void *)s->start, length(s), (int)s->prot);
        if (error)
            die("can't be restored: protection of 0x%lx (%s): %e", s->start, image_string(&loader.image, s->name), (int)error);
    }
    for (unsigned a = 0; a < sizeof advices / sizeof *advices; a++)
        if (s->vm_flags & advices[a].flag)
            advise(s, advices[a].advice);
    if (s->kind == IMAGE_ANON)
        restore_name(s);
}

/* Kernels before 6.13 have no guard regions; a mapping without access faults just the same. */
static void install_guards(void)
{
    const struct image_guard *guard;
    uint32_t size;

    for (unsigned n = 0; (guard = image_record(&loader.image, IMAGE_REC_GUARDS, n, &size)); n++)
        for (uint32_t i = 0; i < size / sizeof *guard; i++) {
            void *at = (void *)guard[i].start;
            uint64_t bytes = guard[i].end - guard[i].start;
            long error = sys_madvise(at, bytes, MADV_GUARD_INSTALL);
            if (error)
                error = sys_mprotect(at, bytes, PROT_NONE);
            if (error)
                warn("no guard region at 0x%lx: %e", guard[i].start, (int)error);
        }
}

/* After the guards, which can't be installed in locked memory. */
static void lock_memory(void)
{
    uint64_t failed = 0;
    long error = 0;

    for (size_t i = 0; i < loader.image.segment_count; i++)
        if (segment(i)->vm_flags & IMAGE_VM_LOCKED && !(loader.segment_state[i] & SEGMENT_IN_PLACE)) {
            long e = sys_mlock2((void *)segment(i)->start, length(segment(i)), 0);
            if (e) {
                error = e;
                failed += length(segment(i));
            }
        }
    if (error)
        warn("%lu bytes that were locked in memory are not: mlock: %e", failed, (int)error);
}

void segments_finish(void)
{
    for (size_t i = 0; i < loader.image.segment_count; i++)
        if (!(loader.segment_state[i] & SEGMENT_IN_PLACE))
            protect_and_advise(i);
    install_guards();
    lock_memory();
}
