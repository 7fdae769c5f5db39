/* Children that have ended and that the program has not waited for yet: a restart makes them again. Nobody takes them up meanwhile, since all
 * threads of the process are parked. */
#include "arena.h"
#include "fmt.h"
#include "library.h"
#include "proc.h"
#include "processes.h"
#include "resource.h"
#include "str.h"
#include "sys.h"
#include "vpid.h"

#include <sys/wait.h>

enum { ZOMBIES_MAX = 4096 };

static struct image_zombie *zombies; /* arena */
static uint32_t count, room;

/* wait(2)'s status from siginfo, as wait4(2) would put it together. */
static int status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED: return (info->si_status & 0xff) << 8;
    case CLD_DUMPED: return info->si_status | 0x80;
    default: return info->si_status;
    }
}

/* The name, and fields 5 and 6 (group, session): proc_pid_stat(5). */
static void describe(int pid, struct image_zombie *zombie)
{
    char path[32], stat[1024];
    uint64_t group = 0, session = 0, skipped;

    fmt(path, sizeof path, "/proc/%d/stat", pid);
    long n = proc_read(path, stat, sizeof stat);
    if (n <= 0)
        return;
    const char *name = str_find(stat, '('), *at = stat + n;
    while (at > stat && *at != ')')
        at--;
    if (!name || at <= name)
        return;
    size_t length = (size_t)(at - name) - 1;
    if (length >= sizeof zombie->name)
        length = sizeof zombie->name - 1;
    memcpy(zombie->name, name + 1, length);
    at += 4; /* ") Z " */
    if (!str_number(&at, 10, &skipped) || *at++ != ' ' || !str_number(&at, 10, &group) || *at++ != ' ' || !str_number(&at, 10, &session))
        return;
    zombie->pgid = (uint32_t)vpid_from_real((int)group);
    zombie->sid = (uint32_t)vpid_from_real((int)session);
}

#define END_NS 2000000000ull

/* A child that was on its way out when all were suspended has lost its connection, and so left the set, a moment before it is a zombie. */
static bool has_ended(int pid, siginfo_t *info)
{
    uint64_t deadline_ns = sys_now_ns(CLOCK_MONOTONIC) + END_NS;

    for (;;) {
        struct timespec moment = {.tv_nsec = 200000};

        memset(info, 0, sizeof *info);
        if (syscall6(__NR_waitid, P_PID, pid, (long)info, WEXITED | WNOHANG | WNOWAIT, 0, 0))
            return false;
        if (info->si_pid)
            return true;
        if (!processes_is_missing(pid, lib.upcoming) || sys_now_ns(CLOCK_MONOTONIC) > deadline_ns)
            return false;
        sys_nanosleep(&moment);
    }
}

static bool take(int pid)
{
    siginfo_t info;

    if (!has_ended(pid, &info))
        return true;
    if (count == room) {
        uint32_t more = room ? 2 * room : 16;
        struct image_zombie *list = arena_alloc(more * sizeof *list);
        if (!list)
            return false;
        memcpy(list, zombies, count * sizeof *list);
        zombies = list;
        room = more;
    }
    zombies[count] = (struct image_zombie){.pid = (uint32_t)vpid_from_real(pid), .status = status_of(&info)};
    describe(pid, &zombies[count]);
    count++;
    return true;
}

/* Numbers separated by blanks; the file may be longer than the buffer. */
static bool take_children(int tid)
{
    char path[64], text[2048];
    uint64_t number = 0;
    bool in_number = false;

    fmt(path, sizeof path, "/proc/self/task/%d/children", tid);
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0), n;
    if (fd < 0)
        return true;
    while ((n = sys_read((int)fd, text, sizeof text)) > 0)
        for (long i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + (uint64_t)(text[i] - '0');
                in_number = true;
            } else if (in_number) {
                if (count < ZOMBIES_MAX && !take((int)number)) {
                    sys_close((int)fd);
                    return false;
                }
                number = 0;
                in_number = false;
            }
        }
    sys_close((int)fd);
    return true;
}

long zombies_save(char *problem, size_t size)
{
    struct proc_tasks tasks;
    bool taken = true;

    zombies = NULL;
    count = room = 0;
    long error = proc_tasks_open(&tasks);
    if (error < 0)
        return error;
    for (int tid; taken && (tid = proc_tasks_next(&tasks));)
        taken = take_children(tid);
    proc_tasks_close(&tasks);
    if (taken && count < ZOMBIES_MAX)
        return 0;
    fmt(problem, size, "it has more than %u ended children that it has not waited for", ZOMBIES_MAX - 1);
    return -ENOMEM;
}

const struct image_zombie *resource_zombies(uint32_t *number)
{
    *number = count;
    return zombies;
}
