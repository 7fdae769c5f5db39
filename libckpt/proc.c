#include "proc.h"

#include "fmt.h"
#include "maps.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"

#define PF_IO_WORKER 0x10

long proc_read(const char *path, char *buffer, size_t size)
{
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    size_t used = 0;
    long n = 0;

    if (fd < 0)
        return fd;
    while (used < size - 1 && (n = sys_read((int)fd, buffer + used, size - 1 - used)) != 0) {
        if (n == -EINTR)
            continue;
        if (n < 0)
            break;
        used += (size_t)n;
    }
    sys_close((int)fd);
    buffer[used] = 0;
    return n < 0 ? n : (long)used;
}

long proc_tasks_open(struct proc_tasks *tasks)
{
    long fd = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    tasks->fd = (int)fd;
    tasks->at = tasks->end = 0;
    return fd < 0 ? fd : 0;
}

struct dirent_head {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

int proc_tasks_next(struct proc_tasks *tasks)
{
    for (;;) {
        uint64_t tid;

        if (tasks->at == tasks->end) {
            long n = sys_getdents(tasks->fd, tasks->buffer, sizeof tasks->buffer);
            if (n <= 0)
                return 0;
            tasks->at = 0;
            tasks->end = (uint32_t)n;
        }
        const struct dirent_head *entry = (const void *)(tasks->buffer + tasks->at);
        tasks->at += entry->size;
        if (str_to_number(entry->name, 1, INT32_MAX, &tid))
            return (int)tid;
    }
}

unsigned proc_tasks_count(struct proc_tasks *tasks)
{
    struct stat st;

    return sys_fstat(tasks->fd, &st) < 0 || st.st_nlink < 2 ? 0 : (unsigned)st.st_nlink - 2;
}

void proc_tasks_close(struct proc_tasks *tasks)
{
    sys_close(tasks->fd);
}

static bool take_hex(const char **at, uint64_t *value)
{
    const char *digits = str_after(*at, " 0x");

    if (!digits || !str_number(&digits, 16, value))
        return false;
    *at = digits;
    return true;
}

void proc_sample_syscall(int tid, struct syscall_sample *sample)
{
    char path[64], text[256];
    const char *at = text;
    uint64_t number;

    sample->in_syscall = false;
    fmt(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    if (proc_read(path, text, sizeof text) <= 0 || !str_number(&at, 10, &number)) /* "running", or "-1 SP PC": not in a call */
        return;
    sample->number = (long)number;
    for (int i = 0; i < 6; i++)
        if (!take_hex(&at, &sample->argument[i]))
            return;
    sample->in_syscall = take_hex(&at, &sample->sp) && take_hex(&at, &sample->pc);
}

/* State, flags and start time of /proc/self/task/T/stat: fields 3, 9 and 22. */
struct thread_stat {
    char state;
    uint64_t flags, start;
};

static long read_stat(int tid, struct thread_stat *stat)
{
    char path[64], text[512];
    const char *at;
    int field = 3;

    fmt(path, sizeof path, "/proc/self/task/%d/stat", tid);
    long n = proc_read(path, text, sizeof text);
    if (n < 0)
        return n;
    for (at = text + n; at > text && *at != ')'; at--) /* the name may contain anything */
        ;
    if (at == text || at[1] != ' ')
        return -EPROTO;
    stat->state = at[2];
    for (at += 2; *at && field < 9; at++)
        field += *at == ' ';
    if (!str_number(&at, 10, &stat->flags))
        return -EPROTO;
    for (; *at && field < 22; at++)
        field += *at == ' ';
    return str_number(&at, 10, &stat->start) ? 0 : -EPROTO;
}

/* What can't be read for another reason (no memory, no descriptor) says nothing about the thread. */
static bool living(int tid, struct thread_stat *stat)
{
    long error = read_stat(tid, stat);

    return error != -ENOENT && error != -ESRCH && stat->state != 'Z' && stat->state != 'X' && stat->state != 'x';
}

bool proc_thread_lives(int tid)
{
    struct thread_stat stat = {0};

    return living(tid, &stat);
}

uint64_t proc_thread_start(int tid)
{
    struct thread_stat stat = {0};

    if (!living(tid, &stat))
        return 0;
    return stat.state ? stat.start + 1 : PROC_START_UNKNOWN; /* the first process began at 0 */
}

bool proc_thread_runs(int tid)
{
    struct thread_stat stat;

    return read_stat(tid, &stat) && stat.state == 'R';
}

bool proc_thread_takes_signals(int tid)
{
    struct thread_stat stat = {0};

    return living(tid, &stat) && !(stat.flags & PF_IO_WORKER);
}

const char *proc_field(const char *text, const char *name)
{
    for (const char *line = text; line && *line; line = str_find(line, '\n'), line += line != NULL) {
        const char *value = str_after(line, name);
        if (value && *value == ':') {
            value++;
            while (*value == '\t' || *value == ' ')
                value++;
            return value;
        }
    }
    return NULL;
}

bool proc_thread_blocks(int tid, int signal)
{
    char path[64], status[2048];
    const char *field;
    uint64_t blocked = 0;

    fmt(path, sizeof path, "/proc/self/task/%d/status", tid);
    if (proc_read(path, status, sizeof status) > 0 && (field = proc_field(status, "SigBlk")))
        str_number(&field, 16, &blocked);
    return blocked & SYS_SIGBIT(signal);
}

void proc_describe_thread(int tid, int signal, char *text, size_t size)
{
    char path[64], wait[64];
    struct thread_stat stat = {.state = '?'};

    read_stat(tid, &stat);
    fmt(path, sizeof path, "/proc/self/task/%d/wchan", tid);
    if (proc_read(path, wait, sizeof wait) <= 0)
        str_copy(wait, sizeof wait, "?");
    if (stat.state == 'T' || stat.state == 't')
        fmt(text, size, "thread %d is stopped (%s); continue it with: kill -CONT", tid, stat.state == 't' ? "by a tracer" : "by a signal");
    else if (proc_thread_blocks(tid, signal))
        fmt(text, size, "thread %d blocks signal %d; choose another with --ckpt-signal", tid, signal);
    else if (stat.state == 'D')
        fmt(text, size, "thread %d can't be interrupted (state D, in %s: a vfork whose child has not called exec, or slow storage)", tid,
            wait);
    else
        fmt(text, size, "thread %d (state %c, in %s) does not answer", tid, stat.state, wait);
}

/* AT_SYSINFO_EHDR would not tell the end; maps is read once per process. */
void proc_find_vdso(uint64_t *start, uint64_t *end)
{
    struct {
        struct maps_reader reader;
        struct map map;
    } *memory = scratch_map(sizeof *memory, false);

    *start = *end = 0;
    if (!memory)
        return;
    if (maps_open(&memory->reader, "/proc/thread-self/maps") == 0) {
        while (maps_next(&memory->reader, &memory->map) == 1)
            if (str_equal(memory->map.name, "[vdso]")) {
                *start = memory->map.start;
                *end = memory->map.end;
            }
        maps_close(&memory->reader);
    }
    scratch_unmap(memory, sizeof *memory);
}
