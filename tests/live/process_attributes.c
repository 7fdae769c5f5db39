/* What a process and its threads are beside memory, numbers and files: every property is set to something unusual, and all must be so still. */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "step.h"

#define IOPRIO(class, data) ((class) << 13 | (data))

static const struct {
    int number;
    rlim_t current, maximum;
} limits[] = {{RLIMIT_MEMLOCK, 8192, 16384}, {RLIMIT_STACK, 4 << 20, 64 << 20}, {RLIMIT_NOFILE, 60, 300}, {RLIMIT_MSGQUEUE, 1000, 2000}};
enum { LIMITS = sizeof limits / sizeof *limits };

static bool root;
static volatile bool thread_ready, end;
static volatile int thread_rounds;
static uint32_t capabilities[2][6]; /* of the main thread, and of the other */

static void get_capabilities(uint32_t *to)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

    CHECK(syscall(SYS_capget, &header, to) == 0);
}

static void same_capabilities(const uint32_t *as)
{
    uint32_t now[6];

    get_capabilities(now);
    CHECK(memcmp(now, as, sizeof now) == 0);
}

/* --- one thread has given up what root may, and has other properties --- */

static void thread_set(void)
{
    cpu_set_t one;
    gid_t groups[3] = {4711, 4712, 4713};
    struct sched_param parameter = {0};

    CHECK(prctl(PR_SET_NAME, "aside") == 0);
    CHECK(prctl(PR_SET_TIMERSLACK, 123456ul) == 0);
    CHECK(sched_getaffinity(0, sizeof one, &one) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &one))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(syscall(SYS_setpriority, PRIO_PROCESS, 0, 7) == 0);
    CHECK(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &parameter) == 0);
    CHECK(syscall(SYS_ioprio_set, 1, 0, IOPRIO(2, 6)) == 0);
    if (root) {
        CHECK(syscall(SYS_setgroups, 3, groups) == 0);
        CHECK(syscall(SYS_setresgid, 4711, 4712, 4713) == 0);
        CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
        CHECK(syscall(SYS_setresuid, 1001, 1002, 1003) == 0);
        struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct some[2] = {{.effective = 1 << CAP_CHOWN, .permitted = 1 << CAP_CHOWN | 1 << CAP_KILL}};
        CHECK(syscall(SYS_capset, &header, some) == 0);
    }
    CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
    CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
    get_capabilities(capabilities[1]);
}

static void thread_check(void)
{
    char name[16];
    cpu_set_t set;
    gid_t groups[8];
    uid_t ruid, euid, suid;
    int deathsig = 0;

    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "aside") == 0);
    CHECK(prctl(PR_GET_TIMERSLACK) == 123456);
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1);
    CHECK(syscall(SYS_getpriority, PRIO_PROCESS, 0) == 20 - 7);
    CHECK(sched_getscheduler(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
    CHECK(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(2, 6));
    if (root) {
        CHECK(getresuid(&ruid, &euid, &suid) == 0 && ruid == 1001 && euid == 1002 && suid == 1003);
        CHECK(getresgid(&ruid, &euid, &suid) == 0 && ruid == 4711 && euid == 4712 && suid == 4713);
        CHECK(getgroups(8, groups) == 3 && groups[0] == 4711 && groups[2] == 4713);
    }
    same_capabilities(capabilities[1]);
    CHECK(prctl(PR_GET_KEEPCAPS) == 1);
    CHECK(prctl(PR_GET_PDEATHSIG, &deathsig) == 0 && deathsig == SIGUSR2);
}

static void *aside(void *unused)
{
    thread_set();
    while (!end) {
        thread_check();
        thread_rounds++;
        thread_ready = true;
        step_nap_();
    }
    return NULL;
}

/* --- the process --- */

static void file_says(const char *path, const char *text)
{
    char now[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    ssize_t n = read(fd, now, sizeof now - 1);
    CHECK(n > 0 && close(fd) == 0);
    now[n] = 0;
    CHECK(strcmp(now, text) == 0);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void set(void)
{
    for (int i = 0; i < LIMITS; i++) {
        struct rlimit limit = {limits[i].current, limits[i].maximum};
        CHECK(setrlimit((__rlimit_resource_t)limits[i].number, &limit) == 0);
    }
    CHECK(setpriority(PRIO_PROCESS, 0, 2) == 0);
    CHECK(syscall(SYS_ioprio_set, 1, 0, IOPRIO(2, 3)) == 0);
    CHECK(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    umask(0153);
    CHECK(prctl(PR_SET_NAME, "strange (name)") == 0);
    CHECK(prctl(PR_SET_PDEATHSIG, SIGWINCH) == 0);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    CHECK(prctl(PR_SET_TIMERSLACK, 77777ul) == 0);
    CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
    CHECK(personality(ADDR_NO_RANDOMIZE | WHOLE_SECONDS) >= 0);
    write_file("/proc/self/coredump_filter", "0x7f");
    write_file("/proc/self/oom_score_adj", "123");
    if (root)
        CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_KEEP_CAPS_LOCKED) == 0);
    get_capabilities(capabilities[0]);
}

static void check(void)
{
    char name[16], cwd[512];
    struct rlimit limit;
    int value = 0;

    for (int i = 0; i < LIMITS; i++) {
        CHECK(getrlimit((__rlimit_resource_t)limits[i].number, &limit) == 0);
        CHECK(limit.rlim_cur == limits[i].current && limit.rlim_max == limits[i].maximum);
    }
    CHECK(umask(0153) == 0153);
    CHECK(getpriority(PRIO_PROCESS, 0) == 2);
    CHECK(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(2, 3));
    CHECK(readlink("/proc/self/cwd", cwd, sizeof cwd) > 0 || errno == EACCES); /* not dumpable */
    CHECK(!getcwd(cwd, sizeof cwd) && errno == ENOENT);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "strange (name)") == 0);
    CHECK(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == SIGWINCH);
    CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
    CHECK(prctl(PR_GET_TIMERSLACK) == 77777);
    CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_GET_DUMPABLE) == 0);
    CHECK(personality(0xffffffff) == (ADDR_NO_RANDOMIZE | WHOLE_SECONDS));
    file_says("/proc/self/coredump_filter", "0000007f\n");
    file_says("/proc/self/oom_score_adj", "123\n");
    if (root)
        CHECK(prctl(PR_GET_SECUREBITS) == (SECBIT_NOROOT | SECBIT_KEEP_CAPS_LOCKED));
    CHECK(geteuid() == (root ? 0u : getuid()));
    same_capabilities(capabilities[0]);
}

int main(void)
{
    pthread_t thread;
    int before;

    root = geteuid() == 0;
    ZERO(pthread_create(&thread, NULL, aside, NULL));
    UNTIL(thread_ready);
    set();
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
    do {
        check();
        before = thread_rounds;
        UNTIL(thread_rounds > before + 1);
    } while (step());
    end = true;
    ZERO(pthread_join(thread, NULL));
    puts("all properties kept");
    return 0;
}
