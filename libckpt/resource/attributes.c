/* Small properties of the whole process, each read and set by one call or one file of /proc/self; the kernel keeps them in the memory descriptor or
 * the signal structure, both new after a restart. */
#include <linux/prctl.h>

#include "fmt.h"
#include "log.h"
#include "proc.h"
#include "resource.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "attributes"

#ifndef PR_GET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static struct {
    long thp_disable, memory_merge; /* negative: this kernel does not know them */
    char core_filter[32], oom_score_adj[32]; /* as they are read: proc_pid_coredump_filter(5), proc_pid_oom_score_adj(5) */
} attributes;

static void read_file(const char *path, char *text, size_t size)
{
    long n = proc_read(path, text, size);

    text[n > 0 ? n : 0] = 0;
}

void attributes_save(void)
{
    attributes.thp_disable = sys_prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    attributes.memory_merge = sys_prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0);
    read_file("/proc/self/coredump_filter", attributes.core_filter, sizeof attributes.core_filter);
    read_file("/proc/self/oom_score_adj", attributes.oom_score_adj, sizeof attributes.oom_score_adj);
}

static void write_file(const char *path, const char *prefix, const char *wanted)
{
    char now[32], text[40];

    read_file(path, now, sizeof now);
    if (!wanted[0] || str_equal(now, wanted))
        return;
    long fd = sys_open(path, O_WRONLY | O_CLOEXEC, 0);
    size_t length = fmt(text, sizeof text, "%s%s", prefix, wanted);
    long error = fd < 0 ? fd : sys_write((int)fd, text, length);
    if (error < 0)
        log_trace("%s stays %s: %e", path, now, (int)error);
    if (fd >= 0)
        sys_close((int)fd);
}

void attributes_restore(void)
{
    if (attributes.thp_disable >= 0 && sys_prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) != attributes.thp_disable)
        /* The flags are in the bits above (Linux 6.18). */
        sys_prctl(PR_SET_THP_DISABLE, attributes.thp_disable & 1, (unsigned long)attributes.thp_disable & ~1ul, 0, 0);
    if (attributes.memory_merge >= 0 && sys_prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) != attributes.memory_merge)
        sys_prctl(PR_SET_MEMORY_MERGE, (unsigned long)attributes.memory_merge, 0, 0, 0);
    write_file("/proc/self/coredump_filter", "0x", attributes.core_filter);
    write_file("/proc/self/oom_score_adj", "", attributes.oom_score_adj);
}
