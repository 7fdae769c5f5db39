#include "awkward.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

struct region regions[REGIONS_MAX];
unsigned region_count;

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* Compressible, different in every page, no word zero. */
void pattern_fill(unsigned char *page)
{
    uint64_t *word = (uint64_t *)(void *)page;

    for (unsigned i = 0; i < PAGE / 8; i++)
        word[i] = mix((uint64_t)page + i / 16) | 1;
}

bool pattern_is(const unsigned char *page, uint64_t address)
{
    const uint64_t *word = (const uint64_t *)(const void *)page;

    for (unsigned i = 0; i < PAGE / 8; i++)
        if (word[i] != (mix(address + i / 16) | 1))
            return false;
    return true;
}

static enum expectation all(size_t page)
{
    return EXPECT_PATTERN;
}

static enum expectation none(size_t page)
{
    return EXPECT_NOTHING;
}

static enum expectation every_other(size_t page)
{
    return page % 2 ? EXPECT_NOTHING : EXPECT_PATTERN;
}

static enum expectation first_and_third(size_t page)
{
    return page == 0 || page == 2 ? EXPECT_PATTERN : EXPECT_NOTHING;
}

static enum expectation perhaps(size_t page)
{
    return EXPECT_PATTERN_OR_NOTHING;
}

static void *map(size_t size, int prot, int flags, int fd)
{
    void *at = mmap(NULL, size, prot, flags, fd, 0);

    if (at == MAP_FAILED)
        err(1, "mmap %zu", size);
    return at;
}

static struct region *region_add(const char *name, void *at, size_t size, uint32_t kind, enum expectation (*expect)(size_t))
{
    struct region *region = &regions[region_count++];

    *region = (struct region){.name = name, .at = at, .size = size, .kind = kind, .expect = expect};
    region->seen = size > 1ul << 36 ? NULL : calloc(1, size / PAGE);
    return region;
}

static struct region *anonymous(const char *name, size_t size, enum expectation (*expect)(size_t))
{
    return region_add(name, map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), size, IMAGE_ANON, expect);
}

static void fill(struct region *region)
{
    for (size_t i = 0; i < region->size / PAGE; i++)
        if (region->expect(i) == EXPECT_PATTERN || region->expect(i) == EXPECT_PATTERN_OR_NOTHING)
            pattern_fill(region->at + i * PAGE);
}

static void advise(struct region *region, int advice, uint32_t vm_flag)
{
    if (madvise(region->at, region->size, advice))
        err(1, "madvise %s", region->name);
    region->vm_flags = vm_flag;
}

/* --- private anonymous --- */

static void private_kinds(void)
{
    struct region *r;

    fill(anonymous("sparse", 64 << 20, every_other));
    memset(anonymous("zeros", 16 << 20, none)->at, 0, 16 << 20);
    region_add("reserved", map(1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1), 1ul << 40, IMAGE_ANON, none)->vm_flags =
        IMAGE_VM_NORESERVE;
    r = region_add("huge and nearly empty", map(1ul << 37, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1), 1ul << 37,
                   IMAGE_ANON, first_and_third);
    pattern_fill(r->at);
    pattern_fill(r->at + 2 * PAGE);

    r = anonymous("not for children", 2 << 20, every_other);
    fill(r);
    advise(r, MADV_DONTFORK, IMAGE_VM_DONTFORK);
    r = anonymous("not for children, locked away", 1 << 20, all);
    fill(r);
    advise(r, MADV_DONTFORK, IMAGE_VM_DONTFORK);
    mprotect(r->at, r->size, PROT_NONE);
    r->keep = true;
    for (int i = 0; i < 12; i++) { /* a copy of the process has holes there, just of the size that the writer's own tables take */
        r = anonymous("hole in children", i % 3 == 2 ? 256 << 10 : 64 << 10, all);
        fill(r);
        advise(r, MADV_DONTFORK, IMAGE_VM_DONTFORK);
        map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    }
    r = anonymous("wiped in children", 2 << 20, every_other);
    fill(r);
    advise(r, MADV_WIPEONFORK, IMAGE_VM_WIPEONFORK);

    r = anonymous("huge pages", 8 << 20, all);
    advise(r, MADV_HUGEPAGE, IMAGE_VM_HUGEPAGE);
    fill(r);
    r = anonymous("locked", 256 << 10, all);
    fill(r);
    if (mlock(r->at, r->size) == 0)
        r->vm_flags = IMAGE_VM_LOCKED;
    r = anonymous("inaccessible", 1 << 20, every_other);
    fill(r);
    mprotect(r->at, r->size, PROT_NONE);
    r->keep = true;
    r = anonymous("freed lazily", 1 << 20, perhaps);
    fill(r);
    advise(r, MADV_FREE, 0);
    r->keep = true;
    int key = pkey_alloc(0, 0);
    if (key > 0) {
        r = anonymous("under a protection key", 1 << 20, all);
        fill(r);
        pkey_mprotect(r->at, r->size, PROT_READ | PROT_WRITE, key);
        pkey_set(key, PKEY_DISABLE_ACCESS);
        r->keep = true;
    }
}

static enum expectation around_guards(size_t page)
{
    return page >= 8 && page < 16 ? EXPECT_NOTHING : EXPECT_PATTERN;
}

static void guards(void)
{
    struct region *r = anonymous("guards", 256 << 10, around_guards);

    for (size_t i = 0; i < r->size / PAGE; i++)
        pattern_fill(r->at + i * PAGE);
    if (madvise(r->at + 8 * PAGE, 8 * PAGE, MADV_GUARD_INSTALL))
        r->expect = all; /* before 6.13 */
    r->keep = true;
}

/* --- files --- */

static int file(const char *directory, const char *name, size_t size)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size))
        err(1, "%s", path);
    return fd;
}

static void erase(const char *directory, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
}

/* Every fourth page: of the file, a hole of the file, written by the program, written with zeros by the program. */
static enum expectation of_private_file(size_t page)
{
    static const enum expectation of[] = {EXPECT_PATTERN, EXPECT_NOTHING, EXPECT_PATTERN, EXPECT_ZEROS};

    return of[page % 4];
}

static enum expectation of_cut_file(size_t page)
{
    return page < 3 ? EXPECT_PATTERN : EXPECT_NOTHING;
}

static void private_file(const char *directory)
{
    size_t size = 256 * PAGE;
    int fd = file(directory, "private", size);
    struct region *r = region_add("private file", map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd), size, IMAGE_FILE_PRIVATE, of_private_file);
    unsigned char *page = aligned_alloc(PAGE, PAGE);

    r->clean_allowed = r->keep = true;
    for (size_t i = 0; i < 256; i++) {
        if (i % 4 == 0 || i % 4 == 3) { /* the pattern depends on the address, so it is made where it will be seen */
            unsigned char *at = mmap(r->at + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)(i * PAGE));
            if (at == MAP_FAILED)
                err(1, "mmap");
            pattern_fill(at);
        }
    }
    if (mmap(r->at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != r->at)
        err(1, "mmap");
    for (size_t i = 0; i < 256; i++) {
        if (i % 4 == 2)
            pattern_fill(r->at + i * PAGE);
        if (i % 4 == 3)
            memset(r->at + i * PAGE, 0, PAGE);
    }
    free(page);
    close(fd);

    /* Cut off under the mapping: touching the rest would be SIGBUS. */
    fd = file(directory, "cut", 8 * PAGE);
    r = region_add("cut file", map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 8 * PAGE, IMAGE_FILE_PRIVATE, of_cut_file);
    for (size_t i = 0; i < 8; i++)
        pattern_fill(r->at + i * PAGE);
    if (mmap(r->at, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != r->at || ftruncate(fd, (off_t)(3 * PAGE)))
        err(1, "mmap");
    r->clean_allowed = r->keep = true;
    close(fd);
}

static struct region *shared(const char *name, int fd, size_t size, uint32_t kind, enum expectation (*expect)(size_t))
{
    struct region *r = region_add(name, map(size, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd), size, kind, expect);

    if (fd >= 0)
        close(fd);
    return r;
}

static void shared_kinds(const char *directory)
{
    struct region *r = shared("shared anonymous", -1, 4 << 20, IMAGE_SHARED, every_other);
    pid_t child = fork(); /* another process makes the pages: this one has none in its page tables */
    int status;

    if (child == 0) {
        fill(r);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status)
        errx(1, "child");

    r = shared("shared and nearly empty", -1, 1ul << 32, IMAGE_SHARED, first_and_third);
    pattern_fill(r->at);
    pattern_fill(r->at + 2 * PAGE);
    r->seen = NULL;

    int fd = memfd_create("awkward", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)(8 * PAGE)))
        err(1, "memfd");
    int copy = dup(fd);
    r = shared("cut memfd", fd, 8 * PAGE, IMAGE_SHARED, of_cut_file);
    for (size_t i = 0; i < 8; i++)
        pattern_fill(r->at + i * PAGE);
    if (ftruncate(copy, (off_t)(3 * PAGE)))
        err(1, "memfd");
    close(copy);
    r->keep = true;

    fill(shared("deleted file", file(directory, "deleted", 64 * PAGE), 64 * PAGE, IMAGE_SHARED, every_other));
    erase(directory, "deleted");
    r = shared("shared file", file(directory, "shared", 64 * PAGE), 64 * PAGE, IMAGE_FILE_SHARED, none);
    for (size_t i = 0; i < 64; i++)
        pattern_fill(r->at + i * PAGE);

    int id = shmget(IPC_PRIVATE, 64 * PAGE, IPC_CREAT | 0600);
    if (id >= 0) {
        fill(region_add("System V", shmat(id, NULL, 0), 64 * PAGE, IMAGE_SHARED, every_other));
        shmctl(id, IPC_RMID, NULL);
    }
}

/* --- large --- */

static uint64_t random_state = 88172645463325252ull;

static void random_fill(unsigned char *at, size_t size)
{
    for (size_t i = 0; i < size / 8; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        ((uint64_t *)(void *)at)[i] = random_state;
    }
}

/* Words of a small vocabulary: deflate takes it to about a third. */
static void text_fill(unsigned char *at, size_t size)
{
    static const char *const words[] = {"checkpoint ", "the ",  "of ", "memory ", "restart ", "a ", "page ", "kernel ", "process ",
                                        "and ",        "image ", "to ", "writes ", "thread ",  "is ", "when "};

    for (size_t i = 0; i < size;) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        const char *word = words[random_state >> 20 & 15];
        size_t n = strlen(word) < size - i ? strlen(word) : size - i;
        memcpy(at + i, word, n);
        i += n;
    }
}

void memory_build(const char *what, const char *directory)
{
    const char *colon = strchr(what, ':');
    size_t size = colon ? strtoul(colon + 1, NULL, 10) << 20 : 0;

    if (!strcmp(what, "awkward")) {
        private_kinds();
        guards();
        private_file(directory);
        shared_kinds(directory);
    } else if (!strncmp(what, "array:", 6) || !strncmp(what, "sparse:", 7)) {
        struct region *r = anonymous(what, size, *what == 'a' ? all : every_other);
        madvise(r->at, r->size, MADV_NOHUGEPAGE);
        fill(r);
    } else if (!strncmp(what, "huge:", 5)) {
        struct region *r = anonymous(what, size, all);
        madvise(r->at, r->size, MADV_HUGEPAGE);
        fill(r);
    } else if (!strncmp(what, "zeros:", 6)) {
        struct region *r = anonymous(what, size, none);
        madvise(r->at, r->size, MADV_NOHUGEPAGE);
        memset(r->at, 0, r->size);
    } else if (!strncmp(what, "random:", 7) || !strncmp(what, "text:", 5)) {
        unsigned char *at = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        (*what == 'r' ? random_fill : text_fill)(at, size);
    } else {
        errx(1, "memory: %s?", what);
    }
}

void memory_spoil(void)
{
    for (unsigned k = 0; k < region_count; k++)
        for (size_t i = 0; !regions[k].keep && regions[k].seen && i < regions[k].size / PAGE; i++)
            if (regions[k].expect(i) != EXPECT_NOTHING)
                memset(regions[k].at + i * PAGE, 0x5a, PAGE);
}
