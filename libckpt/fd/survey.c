/* Which descriptors there are, and which of them share a description. Sorting finds what is equal, so that 10,000 descriptors on one file cost
 * no more than a sort: kcmp(2) has an order. */
#include <linux/kcmp.h>

#include "arena.h"
#include "fd.h"
#include "feature.h"
#include "fmt.h"
#include "library.h"
#include "msg.h"
#include "processes.h"
#include "proc.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

struct fd_state fd_state;

struct found {
    int fd;
    uint32_t flags;
    bool close_on_exec;
    int domain, protocol;
    struct unix_peer peer;
    uint32_t same; /* without kcmp: equal numbers share a description */
    struct stat st;
};

static struct found *found;
static unsigned found_count;

/* --- in the executor, who has the descriptors --- */

static int protocol_of(int fd)
{
    int type = 0, protocol = 0;
    unsigned size = sizeof type;

    sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    sys_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    return type == SOCK_RAW ? 0 : protocol; /* raw sockets have all protocols' numbers */
}

struct stretch {
    unsigned first, end;
};

static long look(void *argument)
{
    const struct stretch *stretch = argument;

    for (unsigned i = stretch->first; i < stretch->end; i++) {
        struct found *at = &found[i];
        long error = sys_fstat(at->fd, &at->st);
        if (error < 0)
            return error;
        unsigned size = sizeof at->domain;
        if (S_ISSOCK(at->st.st_mode))
            sys_getsockopt(at->fd, SOL_SOCKET, SO_DOMAIN, &at->domain, &size);
        if (at->domain == AF_INET || at->domain == AF_INET6)
            at->protocol = protocol_of(at->fd);
        if (at->domain == AF_UNIX)
            at->peer = unix_peer_read(at->fd);
        at->close_on_exec = sys_fcntl(at->fd, F_GETFD, 0) & FD_CLOEXEC;
        at->flags = (uint32_t)sys_fcntl(at->fd, F_GETFL, 0);
    }
    return 0;
}

/* Without kcmp: the signal of F_SETSIG belongs to the description and may be any of 1 to 64. Each descriptor writes a digit of its index; all
 * that share a description then read the digits of the last of them. */
static unsigned char *signals;
static unsigned shift;

static long read_signals(void *argument)
{
    const struct stretch *stretch = argument;

    for (unsigned i = stretch->first; i < stretch->end; i++) {
        long signal = sys_fcntl(found[i].fd, F_GETSIG, 0);
        signals[i] = signal < 0 ? 0 : (unsigned char)signal;
        found[i].same = signal < 0 ? i : 0; /* O_PATH has no signal: taken for one of its own */
    }
    return 0;
}

static long write_digits(void *argument)
{
    const struct stretch *stretch = argument;

    for (unsigned i = stretch->first; i < stretch->end; i++)
        sys_fcntl(found[i].fd, F_SETSIG, 1 + ((i >> shift) & 63));
    return 0;
}

static long read_digits(void *argument)
{
    const struct stretch *stretch = argument;

    for (unsigned i = stretch->first; i < stretch->end; i++) {
        long signal = sys_fcntl(found[i].fd, F_GETSIG, 0);
        if (signal > 0)
            found[i].same |= (uint32_t)(signal - 1) << shift;
    }
    return 0;
}

static long set_signals(void *argument)
{
    const struct stretch *stretch = argument;

    for (unsigned i = stretch->first; i < stretch->end; i++)
        sys_fcntl(found[i].fd, F_SETSIG, signals[i]);
    return 0;
}

/* For all that was found: in the executor, those in flight here. */
static long for_all(long (*function)(void *))
{
    struct stretch there = {0, found_count}, here = {0, found_count};

    while (there.end && fd_aside(found[there.end - 1].fd))
        there.end--;
    here.first = there.end;
    long error = park_call(suspend_executor(), function, &there);
    return error ? error : function(&here);
}

static void mark(void)
{
    for_all(read_signals);
    for (shift = 0; found_count >> shift; shift += 6) {
        for_all(write_digits);
        for_all(read_digits);
    }
    for_all(set_signals);
}

/* Other processes may share the description and look at the same moment: one after the other. The lock ends with its holder. */
long survey_lock(void)
{
    char path[sizeof lib.conf.tmp_dir + 80], id[UPID_TEXT_MAX];
    long fd;

    if (!processes_known())
        return -1;
    upid_text(&lib.computation, id);
    fmt(path, sizeof path, "%s/" PTABLE_NAME "%s", lib.conf.tmp_dir, id);
    fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0)
        syscall3(__NR_flock, fd, 2 /* LOCK_EX */, 0);
    return fd;
}

/* --- order --- */

static int compare(const struct found *a, const struct found *b)
{
    if (a->st.st_dev != b->st.st_dev)
        return a->st.st_dev < b->st.st_dev ? -1 : 1;
    if (a->st.st_ino != b->st.st_ino)
        return a->st.st_ino < b->st.st_ino ? -1 : 1;
    if (!fd_state.kcmp)
        return a->same == b->same ? 0 : a->same < b->same ? -1 : 1;
    /* 0: equal, 1: less, 2: greater */
    long order = syscall6(__NR_kcmp, fd_tid(a->fd), fd_tid(b->fd), KCMP_FILE, a->fd, b->fd, 0);
    return order == 0 ? 0 : order == 1 ? -1 : 1;
}

/* Merging is stable: of equal ones the lowest descriptor comes first. Returns whichever of the two arrays has the result. */
static uint32_t *sort(uint32_t *order, uint32_t *room)
{
    for (unsigned width = 1; width < found_count; width *= 2) {
        for (unsigned start = 0; start < found_count; start += 2 * width) {
            unsigned middle = start + width < found_count ? start + width : found_count;
            unsigned end = start + 2 * width < found_count ? start + 2 * width : found_count;
            unsigned a = start, b = middle;
            for (unsigned out = start; out < end; out++)
                room[out] = b == end || (a < middle && compare(&found[order[a]], &found[order[b]]) <= 0) ? order[a++] : order[b++];
        }
        uint32_t *swap = order;
        order = room;
        room = swap;
    }
    return order;
}

/* --- descriptions --- */

static bool leads_to(const char *path, const struct stat *st)
{
    struct stat there;

    return sys_fstatat(AT_FDCWD, path, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* A file that has lost the name by which it was opened but has another: programs make the second one beside the first. */
static bool find_other_name(char *link, size_t size, const struct stat *st)
{
    char entries[2048] __attribute__((aligned(8)));
    size_t directory = (size_t)(str_base(link) - link);
    bool there = false;
    long n;

    if (S_ISDIR(st->st_mode) || !directory)
        return false;
    link[directory - 1] = 0;
    long fd = sys_open(directory > 1 ? link : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    link[directory - 1] = '/';
    while (fd >= 0 && !there && (n = sys_getdents((int)fd, entries, sizeof entries)) > 0)
        for (long at = 0; !there && at < n; at += *(uint16_t *)(void *)(entries + at + 16)) { /* struct linux_dirent64: getdents(2) */
            if (*(uint64_t *)(void *)(entries + at) != st->st_ino)
                continue;
            str_copy(link + directory, size - directory, entries + at + 19);
            there = leads_to(link, st);
        }
    if (fd >= 0)
        sys_close((int)fd);
    return there;
}

static void read_link(struct description *description)
{
    static const char gone[] = " (deleted)";
    char path[64], link[4096 + 256], other[4096 + 256];

    fd_link_path(path, sizeof path, description->first);
    long n = sys_readlink(path, link, 4096);
    link[n > 0 ? n : 0] = 0;
    if (link[0] == '/' && n > (long)sizeof gone && str_equal(link + n - (sizeof gone - 1), gone) && !leads_to(link, &description->st)) {
        link[n - (long)(sizeof gone - 1)] = 0;
        str_copy(other, sizeof other, link);
        description->deleted = description->st.st_nlink == 0 || !find_other_name(other, sizeof other, &description->st);
        if (!description->deleted)
            str_copy(link, sizeof link, other);
    }
    description->link = arena_string(link);
}

long survey_refresh(struct description *description)
{
    char path[64], info[2048];
    const char *field;
    uint64_t number = 0;

    /* Of all things, the length of a file that another process appended to. */
    fd_link_path(path, sizeof path, description->first);
    sys_fstatat(AT_FDCWD, path, &description->st, 0);
    fd_info_path(path, sizeof path, description->first);
    long n = proc_read(path, info, sizeof info);
    if (n <= 0)
        return n ? n : -EIO;
    if ((field = proc_field(info, "pos")))
        str_number(&field, 10, &description->position);
    if ((field = proc_field(info, "flags"))) {
        for (; *field >= '0' && *field <= '7'; field++)
            number = number * 8 + (unsigned)(*field - '0');
        description->flags = (uint32_t)number & ~(uint32_t)O_CLOEXEC;
    }
    description->info = arena_string(info);
    return description->info ? 0 : -ENOMEM;
}

static long group(const uint32_t *order)
{
    struct description **of = scratch_map((found_count + 1) * sizeof *of, false);

    if (!of)
        return -ENOMEM;
    for (unsigned i = 0; i < found_count; i++) {
        const struct found *at = &found[order[i]];
        if (i && compare(&found[order[i - 1]], at) == 0) {
            of[order[i]] = of[order[i - 1]];
            continue;
        }
        struct description *description = arena_alloc(sizeof *description);
        if (!description) {
            scratch_unmap(of, (found_count + 1) * sizeof *of);
            return -ENOMEM;
        }
        description->st = at->st;
        description->flags = at->flags;
        description->domain = at->domain;
        description->protocol = at->protocol;
        description->peer = at->peer;
        description->first = at->fd;
        description->index = fd_state.count;
        fd_state.indexed[fd_state.count++] = description;
        of[order[i]] = description;
    }
    struct description **end = &fd_state.descriptions;
    for (unsigned i = 0; i < found_count; i++) {
        struct description *description = of[i];
        struct descriptor *descriptor = &fd_state.descriptors[fd_state.descriptor_count++], **place = &description->descriptors;
        if (!*place) {
            *end = description;
            end = &description->next;
        }
        descriptor->fd = found[i].fd;
        descriptor->close_on_exec = found[i].close_on_exec;
        descriptor->description = description;
        descriptor->next = *place;
        *place = descriptor;
        if (found[i].fd < 3)
            description->standard |= 1u << found[i].fd;
    }
    scratch_unmap(of, (found_count + 1) * sizeof *of);
    for (struct description *description = fd_state.descriptions; description; description = description->next)
        read_link(description);
    return 0;
}

static long find_same(void)
{
    fd_state.kcmp = !(lib.conf.disabled & FEATURE_KCMP) && found_count &&
                    syscall6(__NR_kcmp, fd_state.owner_tid, fd_state.owner_tid, KCMP_FILE, found[0].fd, found[0].fd, 0) == 0;
    if (fd_state.kcmp || !found_count)
        return 0;
    signals = scratch_map(found_count, false);
    if (!signals)
        return -ENOMEM;
    long lock = survey_lock();
    mark();
    if (lock >= 0)
        sys_close((int)lock);
    scratch_unmap(signals, found_count);
    return 0;
}

long survey_descriptors(void)
{
    size_t size = (fd_state.descriptor_count + 1) * sizeof *found, orders = (fd_state.descriptor_count + 1) * sizeof(uint32_t);
    uint32_t *a = NULL, *b = NULL;
    long error;

    found_count = fd_state.descriptor_count;
    found = scratch_map(size, false);
    a = scratch_map(orders, false);
    b = scratch_map(orders, false);
    error = found && a && b ? 0 : -ENOMEM;
    for (unsigned i = 0; !error && i < found_count; i++) {
        found[i].fd = fd_state.descriptors[i].fd;
        a[i] = i;
    }
    fd_state.descriptor_count = fd_state.count = 0;
    fd_state.descriptions = NULL;
    if (!error)
        error = for_all(look);
    if (!error)
        error = find_same();
    if (!error)
        error = group(sort(a, b));
    if (found)
        scratch_unmap(found, size);
    if (a)
        scratch_unmap(a, orders);
    if (b)
        scratch_unmap(b, orders);
    return error;
}
