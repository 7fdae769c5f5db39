/* Which descriptors there are, which of them share a description, and how they get their numbers back. */
#include "fd.h"

#include <linux/kcmp.h>

#include "arena.h"
#include "feature.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "proc.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#define LOG_MODULE "fd"

/* Asked in this order: the special before the general. */
static const struct fd_kind *const kinds[] = {
    &fd_standard, &fd_terminal, &fd_proc_file, &fd_file, &fd_directory, &fd_device, &fd_pipe, &fd_epoll, &fd_eventfd, &fd_socket_pair,
};

static struct description *descriptions;
static struct descriptor *descriptors; /* ascending */
static unsigned descriptor_count;
static int owner_tid; /* the thread whose table is looked at */

struct description *fd_descriptions(void)
{
    return descriptions;
}

static void task_path(char *path, size_t size, const char *directory, int fd)
{
    fmt(path, size, "/proc/self/task/%d/%s/%d", owner_tid, directory, fd);
}

void fd_info_path(char *path, size_t size, int fd)
{
    task_path(path, size, "fdinfo", fd);
}

struct dirent_head {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* Calls visit with every number in /proc/self/task/T/fd, in ascending order (the kernel lists them so). */
static long each_descriptor(int tid, long (*visit)(int fd, void *argument), void *argument)
{
    char path[64], buffer[2048] __attribute__((aligned(8)));
    long directory, n, error = 0;

    fmt(path, sizeof path, "/proc/self/task/%d/fd", tid);
    directory = sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (directory < 0)
        return directory;
    while (!error && (n = sys_getdents((int)directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; !error && at < n;) {
            const struct dirent_head *entry = (const void *)(buffer + at);
            uint64_t fd;
            at += entry->size;
            if (str_to_number(entry->name, 0, INT32_MAX, &fd) && (tid != sys_gettid() || (int)fd != (int)directory))
                error = visit((int)fd, argument);
        }
    sys_close((int)directory);
    return error;
}

static long close_one(int fd, void *first)
{
    if (fd >= *(int *)first)
        sys_close(fd);
    return 0;
}

void fd_close_from(int first)
{
    if (sys_close_range((unsigned)first, ~0u, 0) < 0)
        each_descriptor(sys_gettid(), close_one, &first);
}

/* --- survey --- */

static bool kcmp_works = true;

static long ask_owner(void *argument)
{
    const int *fds = argument;
    long saved = sys_fcntl(fds[0], F_GETOWN, 0), other = sys_fcntl(fds[1], F_GETOWN, 0);
    long probe = saved == sys_getpid() ? 0 : sys_getpid();
    bool same;

    sys_fcntl(fds[0], F_SETOWN, probe);
    same = other == saved && sys_fcntl(fds[1], F_GETOWN, 0) == probe;
    sys_fcntl(fds[0], F_SETOWN, saved);
    return same;
}

/* Do two descriptors of the program share a description? kcmp(2) where permitted, else by setting the owner of one and looking at the
 * other's. */
static bool same_description(int a, int b)
{
    if (kcmp_works && !(lib.conf.disabled & FEATURE_KCMP)) {
        long order = syscall6(__NR_kcmp, owner_tid, owner_tid, KCMP_FILE, a, b, 0);
        if (order >= 0)
            return order == 0;
        kcmp_works = false;
    }
    int fds[2] = {a, b};
    return park_call(suspend_executor(), ask_owner, fds) == 1;
}

static long count_one(int fd, void *count)
{
    ++*(unsigned *)count;
    return 0;
}

static void read_link(struct description *description, int fd)
{
    static const char gone[] = " (deleted)";
    char path[64], link[4096];

    task_path(path, sizeof path, "fd", fd);
    long n = sys_readlink(path, link, sizeof link - 1);
    link[n > 0 ? n : 0] = 0;
    if (link[0] == '/' && n > (long)sizeof gone && str_equal(link + n - (sizeof gone - 1), gone)) {
        description->deleted = description->st.st_nlink == 0;
        if (description->deleted)
            link[n - (long)(sizeof gone - 1)] = 0;
    }
    description->link = arena_string(link);
}

static long survey_one(int fd, void *unused)
{
    struct descriptor *descriptor = &descriptors[descriptor_count];
    struct description found = {.first = fd}, *description;
    char path[64], info[2048];
    const char *field;
    uint64_t number;

    task_path(path, sizeof path, "fdinfo", fd);
    if (proc_read(path, info, sizeof info) <= 0)
        return 0;
    if ((field = proc_field(info, "pos")))
        str_number(&field, 10, &found.position);
    if ((field = proc_field(info, "flags"))) {
        number = 0;
        for (; *field >= '0' && *field <= '7'; field++)
            number = number * 8 + (unsigned)(*field - '0');
        found.flags = (uint32_t)number & ~(uint32_t)O_CLOEXEC;
        descriptor->close_on_exec = number & O_CLOEXEC;
    }
    task_path(path, sizeof path, "fd", fd);
    long error = sys_fstatat(AT_FDCWD, path, &found.st, 0);
    if (error < 0)
        return error;
    for (description = descriptions; description; description = description->next)
        if (description->st.st_ino == found.st.st_ino && description->st.st_dev == found.st.st_dev &&
            description->flags == found.flags && description->position == found.position && same_description(description->first, fd))
            break;
    if (!description) {
        description = arena_alloc(sizeof *description);
        if (!description)
            return -ENOMEM;
        *description = found;
        read_link(description, fd);
        description->info = arena_string(info);
        if (!description->link || !description->info)
            return -ENOMEM;
        struct description **end = &descriptions;
        while (*end)
            end = &(*end)->next;
        *end = description;
    }
    if (fd < 3)
        description->standard |= 1u << fd;
    descriptor->fd = fd;
    descriptor->description = description;
    descriptor_count++;
    return 0;
}

static long claim(struct description *description, char *problem, size_t size)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (kinds[k]->claim(description)) {
            description->kind = kinds[k];
            return kinds[k]->check ? kinds[k]->check(description, problem, size) : 0;
        }
    fmt(problem, size, "descriptor %d (%s) is of a kind that can't be restored; close it before a checkpoint", description->first,
        description->link);
    return -EOPNOTSUPP;
}

long fd_survey(char *problem, size_t size)
{
    unsigned count = 0;
    long error;

    owner_tid = suspend_executor()->real_tid;
    descriptions = NULL;
    descriptor_count = 0;
    error = each_descriptor(owner_tid, count_one, &count);
    if (!error) {
        descriptors = arena_alloc((count + 1) * sizeof *descriptors);
        error = descriptors ? each_descriptor(owner_tid, survey_one, NULL) : -ENOMEM;
    }
    if (error) {
        fmt(problem, size, "its descriptors can't be read: %e", (int)error);
        return error;
    }
    for (struct description *description = descriptions; description && !error; description = description->next)
        error = claim(description, problem, size);
    return error;
}

long fd_save(char *problem, size_t size)
{
    long error = 0;

    for (struct description *description = descriptions; description && !error; description = description->next)
        if (description->kind->save)
            error = description->kind->save(description, problem, size);
    return error;
}

long fd_refill(bool restarted)
{
    return 0; /* what is read without consuming needs no refill; kinds that drain will have a row for it */
}

const char *fd_description(void)
{
    size_t size = 1, used = 0;
    char *text;

    for (unsigned i = 0; i < descriptor_count; i++)
        size += 64 + strlen(descriptors[i].description->link);
    text = arena_alloc(size);
    for (unsigned i = 0; text && i < descriptor_count; i++)
        used += fmt(text + used, size - used, "%d %s %s\n", descriptors[i].fd, descriptors[i].description->kind->name,
                    descriptors[i].description->link);
    return text;
}

/* --- restore --- */

static int inherited[3]; /* dmtcp_restart's standard descriptors, out of the way; -1: not open */

long fd_lift(long fd, int low)
{
    if (fd < 0 || fd >= low)
        return fd;
    long lifted = sys_fcntl((int)fd, F_DUPFD_CLOEXEC, low);
    sys_close((int)fd);
    return lifted;
}

long fd_inherited(const struct description *description, int low)
{
    static const int order[3] = {2, 0, 1};

    for (int fd = 0; fd < 3; fd++)
        if ((description->standard & (1u << fd)) && inherited[fd] >= 0)
            return sys_fcntl(inherited[fd], F_DUPFD_CLOEXEC, low);
    for (int i = 0; i < 3 && !description->standard; i++)
        if (inherited[order[i]] >= 0)
            return sys_fcntl(inherited[order[i]], F_DUPFD_CLOEXEC, low);
    return fd_lift(sys_open("/dev/null", O_RDWR | O_CLOEXEC, 0), low);
}

struct restore {
    char *problem;
    size_t size;
    int low; /* above all numbers of the program */
};

static long place(struct restore *restore)
{
    for (unsigned i = 0; i < descriptor_count; i++) {
        struct descriptor *descriptor = &descriptors[i];
        long error =
            sys_dup3(descriptor->description->restored, descriptor->fd, descriptor->close_on_exec ? O_CLOEXEC : 0);
        if (error < 0) {
            fmt(restore->problem, restore->size, "descriptor %d can't be placed: %e", descriptor->fd, (int)error);
            return error;
        }
    }
    return 0;
}

static long restore_all(void *argument)
{
    struct restore *restore = argument;
    int low = restore->low;
    long error = 0;

    for (int fd = 0; fd < 3; fd++)
        inherited[fd] = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, low);
    for (struct description *d = descriptions; d; d = d->next) {
        long fd = d->kind->restore(d, low, restore->problem, restore->size);
        if (fd < 0)
            return fd;
        d->restored = (int)fd;
    }
    for (int fd = 0; fd < low; fd++) { /* the inherited ones, the image, and gaps */
        bool wanted = false;
        for (unsigned i = 0; i < descriptor_count && !wanted; i++)
            wanted = descriptors[i].fd == fd;
        if (!wanted)
            sys_close(fd);
    }
    error = place(restore);
    fd_close_from(low);
    for (struct description *d = descriptions; d && !error; d = d->next)
        if (d->kind->connect)
            error = d->kind->connect(d, restore->problem, restore->size);
    return error;
}

long fd_restore(char *problem, size_t size)
{
    struct restore restore = {.problem = problem, .size = size, .low = 10};
    struct thread *executor = suspend_executor();

    if (descriptor_count && descriptors[descriptor_count - 1].fd >= restore.low)
        restore.low = descriptors[descriptor_count - 1].fd + 1;
    if (lib.handoff.image_fd >= restore.low)
        restore.low = lib.handoff.image_fd + 1;
    owner_tid = executor->real_tid;
    return park_call(executor, restore_all, &restore);
}
