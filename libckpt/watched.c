#include "watched.h"

#include "region.h"
#include "str.h"
#include "sys.h"

#define BUCKETS 4096
#define CHUNK (64ul << 10)

struct name {
    struct name *next;
    uint64_t device, inode;
    bool link;
    char path[];
};

static struct name *buckets[BUCKETS];
static struct room {
    uint64_t used;
} *room; /* of CHUNK bytes */

static struct name **bucket(uint64_t device, uint64_t inode)
{
    return &buckets[((device * 31 + inode) * 0x9e3779b97f4a7c15ull) >> 52];
}

static void *take(size_t size)
{
    size = (size + 15) & ~15ul;
    for (;;) {
        struct room *now = __atomic_load_n(&room, __ATOMIC_ACQUIRE);
        uint64_t at = now ? __atomic_fetch_add(&now->used, size, __ATOMIC_RELAXED) : CHUNK;
        if (at + size <= CHUNK)
            return (char *)now + at;
        struct room *fresh = region_map(CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        if (SYS_IS_ERROR(fresh))
            return NULL;
        fresh->used = 16;
        if (!__atomic_compare_exchange_n(&room, &now, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            sys_munmap(fresh, CHUNK);
    }
}

static int last;

int watched_last(void)
{
    return last;
}

void watched_note(const char *path, bool link, int number)
{
    char whole[2 * 4096];
    struct stat st;
    size_t length = 0;

    for (int now = last; number > now && !__atomic_compare_exchange_n(&last, &now, number, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);)
        ;
    if (sys_fstatat(AT_FDCWD, path, &st, link ? AT_SYMLINK_NOFOLLOW : 0) < 0)
        return;
    if (path[0] != '/') {
        long n = sys_getcwd(whole, 4096);
        if (n < 2 || whole[0] != '/')
            return;
        length = (size_t)n - 1;
        if (length > 1)
            whole[length++] = '/';
    }
    if (!str_copy(whole + length, sizeof whole - length, path))
        return;
    struct name **first = bucket(st.st_dev, st.st_ino);
    for (const struct name *at = __atomic_load_n(first, __ATOMIC_ACQUIRE); at; at = at->next)
        if (at->device == st.st_dev && at->inode == st.st_ino && at->link == link && str_equal(at->path, whole))
            return;
    struct name *name = take(sizeof *name + strlen(whole) + 1);
    if (!name)
        return;
    name->device = st.st_dev;
    name->inode = st.st_ino;
    name->link = link;
    memcpy(name->path, whole, strlen(whole) + 1);
    name->next = __atomic_load_n(first, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(first, &name->next, name, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
}

const char *watched_path(uint64_t device, uint64_t inode, bool *link)
{
    struct stat st;

    for (const struct name *at = *bucket(device, inode); at; at = at->next)
        if (at->device == device && at->inode == inode && sys_fstatat(AT_FDCWD, at->path, &st, at->link ? AT_SYMLINK_NOFOLLOW : 0) == 0 &&
            st.st_dev == device && st.st_ino == inode) {
            *link = at->link;
            return at->path;
        }
    return NULL;
}
