/* One run of one test.
 *
 * The warden is the subreaper of everything below it: whatever the test starts, daemons and orphans included, stays its descendant, and
 * "waitpid says ECHILD" means exactly that nothing of the test is left. So no process is found by name, nothing is missed because it
 * changed its session or emptied its environment, and tests running in parallel can't be mixed up. */
#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_MS 3000 /* how long what the test has told to end may take to be gone */
#define KILL_MS 10000 /* how long the kernel may take to end a killed process */
#define TAIL_MAX 65536

static unsigned long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

void run_log_path(const struct runner *runner, const struct run *run, char path[PATH_MAX])
{
    int used = snprintf(path, PATH_MAX, "%.3000s/%s", runner->logs, run->name);

    if (run->variant[0])
        snprintf(path + used, PATH_MAX - (size_t)used, ".%s.log", run->variant);
    else
        snprintf(path + used, PATH_MAX - (size_t)used, ".log");
    for (char *c = path + used; *c; c++)
        if (*c == ' ')
            *c = '-';
}

/* --- processes below us --- */

struct process {
    pid_t pid, parent;
    char state;
    char name[20];
};

/* proc_pid_stat(5), fields 1 to 4; the name may hold parentheses, so the last one counts. */
static bool read_process(const char *pid, struct process *process)
{
    char path[64], text[512];
    const char *left, *right;
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    left = strchr(text, '(');
    right = strrchr(text, ')');
    if (!left || !right || sscanf(right + 1, " %c %d", &process->state, &process->parent) != 2)
        return false;
    process->pid = atoi(text);
    snprintf(process->name, sizeof process->name, "%.*s", (int)(right - left - 1), left + 1);
    return true;
}

/* All processes below us; at most `size` of them are stored. A process forked while we look is found the next time. */
static size_t descendants(struct process *list, size_t size)
{
    static struct process all[8192];
    static bool ours[8192];
    size_t count = 0, found = 0;
    DIR *proc = opendir("/proc");
    pid_t self = getpid();

    if (!proc)
        return 0;
    for (struct dirent *entry; count < 8192 && (entry = readdir(proc));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && read_process(entry->d_name, &all[count]))
            ours[count++] = false;
    closedir(proc);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            bool mine = all[i].parent == self;
            for (size_t j = 0; j < count && !mine; j++)
                mine = ours[j] && all[j].pid == all[i].parent;
            if (mine && !ours[i])
                ours[i] = more = true;
        }
    }
    for (size_t i = 0; i < count && found < size; i++)
        if (ours[i])
            list[found++] = all[i];
    return found;
}

static size_t read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    n = n < 0 ? 0 : n;
    for (ssize_t i = 0; i + 1 < n; i++)
        if (text[i] == 0)
            text[i] = ' ';
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return (size_t)n;
}

/* For the log of a test that hangs: who waits where. */
static void describe_processes(void)
{
    static struct process list[256];
    size_t count = descendants(list, 256);

    dprintf(STDOUT_FILENO, "--- processes at the time limit\n");
    for (size_t i = 0; i < count; i++) {
        char path[64], text[512];
        DIR *tasks;

        snprintf(path, sizeof path, "/proc/%d/cmdline", list[i].pid);
        read_small(path, text, sizeof text);
        dprintf(STDOUT_FILENO, "pid %d (%s) parent %d state %c: %s\n", list[i].pid, list[i].name, list[i].parent, list[i].state, text);
        snprintf(path, sizeof path, "/proc/%d/task", list[i].pid);
        tasks = opendir(path);
        unsigned shown = 0;
        for (struct dirent *task; tasks && shown < 20 && (task = readdir(tasks));) {
            char wchan[64];
            if (task->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/wchan", list[i].pid, task->d_name);
            read_small(path, wchan, sizeof wchan);
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/syscall", list[i].pid, task->d_name);
            read_small(path, text, sizeof text);
            dprintf(STDOUT_FILENO, "    thread %s: %s, system call %s\n", task->d_name, wchan, text);
            shown++;
        }
        if (tasks)
            closedir(tasks);
    }
}

/* Waits until nothing is left below us. False: something still is after that time. */
static bool wait_for_none(unsigned milliseconds, bool kill_them)
{
    static struct process list[1024];
    unsigned long end = now_ms() + milliseconds;

    for (;;) {
        pid_t pid;

        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            return true;
        if (now_ms() > end)
            return false;
        for (size_t i = 0, count = kill_them ? descendants(list, 1024) : 0; i < count; i++)
            kill(list[i].pid, SIGKILL);
        nap();
    }
}

/* "pid 4711 (dmtcp_coordinat), pid …" */
static void name_leftovers(char *text, size_t size)
{
    static struct process list[16];
    size_t count = descendants(list, 16), used = 0;

    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%spid %d (%s)", i ? ", " : "", list[i].pid, list[i].name);
}

/* --- the test --- */

static void child(const struct runner *runner, const struct run *run, const char *scratch)
{
    static char text[16][PATH_MAX + 64];
    char *environment[20], path[PATH_MAX];
    const char *build = runner->build, *tests = runner->tests, *stage = runner->stage;
    char staged_build[PATH_MAX], staged_tests[PATH_MAX];
    char *const argv[] = {path, NULL};
    size_t n = 0;
    sigset_t none;

    snprintf(path, sizeof path, "%s", run->path);
    if (run->user == USER_NOBODY && stage[0]) {
        snprintf(staged_build, sizeof staged_build, "%.4000s/build", stage);
        snprintf(staged_tests, sizeof staged_tests, "%.4000s/tests", stage);
        if (!strncmp(run->path, tests, strlen(tests)))
            snprintf(path, sizeof path, "%.2000s%.2000s", staged_tests, run->path + strlen(tests));
        build = staged_build;
        tests = staged_tests;
    }
#define VARIABLE(...) (snprintf(text[n], sizeof text[n], __VA_ARGS__), environment[n] = text[n], n++)
    VARIABLE("PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
    VARIABLE("LANG=C.UTF-8");
    VARIABLE("B=%s", build);
    VARIABLE("TESTS=%s", tests);
    VARIABLE("TEST_NAME=%s", run->name);
    VARIABLE("TEST_VARIANT=%s", run->variant);
    VARIABLE("TEST_ID=%d.%u", getppid(), run->number);
    VARIABLE("TEST_TMP=%s", scratch);
    VARIABLE("TMPDIR=%s", scratch);
    VARIABLE("DMTCP_TMPDIR=%s", scratch);
    VARIABLE("HOME=%s", scratch);
    if (run->form != FORM_DEFAULT)
        VARIABLE("DMTCP_GZIP=%d", run->form == FORM_GZIP);
    if (run->disable)
        VARIABLE("DMTCP_DISABLE=%s", run->disable);
#undef VARIABLE
    /* LONG_…=: what makes a short test a long one, by hand. */
    for (char **entry = environ; *entry && n + 1 < sizeof environment / sizeof *environment; entry++)
        if (!strncmp(*entry, "LONG_", 5))
            environment[n++] = *entry;
    environment[n] = NULL;

    setsid();
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!runner->keep)
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    umask(022);
    if (chdir(scratch))
        die("chdir %s: %m", scratch);
    if (run->user == USER_NOBODY && (setgroups(0, NULL) || setgid(RUNNER_NOBODY) || setuid(RUNNER_NOBODY)))
        die("become uid %u: %m", RUNNER_NOBODY);
    close_range(3, ~0U, 0);
    execve(path, argv, environment);
    die("exec %s: %m", path);
}

/* The last line of the log without anything unprintable. */
static void last_line(const char *log, char *text, size_t size)
{
    static char tail[4096];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail - 1 ? end - (off_t)(sizeof tail - 1) : 0;
    ssize_t n = fd < 0 ? 0 : pread(fd, tail, sizeof tail - 1, from);
    char *start;

    if (fd >= 0)
        close(fd);
    n = n < 0 ? 0 : n;
    while (n && (tail[n - 1] == '\n' || tail[n - 1] == ' '))
        n--;
    tail[n] = 0;
    start = strrchr(tail, '\n');
    snprintf(text, size, "%.200s", start ? start + 1 : tail);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

/* Logs that the test left in its directory go into the log that stays. */
static void keep_logs(const char *scratch)
{
    static char text[TAIL_MAX];
    DIR *directory = opendir(scratch);

    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *dot = strrchr(entry->d_name, '.');
        char path[PATH_MAX];
        int fd;

        if (!dot || (strcmp(dot, ".log") && strcmp(dot, ".out") && strcmp(dot, ".err")))
            continue;
        snprintf(path, sizeof path, "%.3000s/%s", scratch, entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0)
            continue;
        off_t end = lseek(fd, 0, SEEK_END);
        ssize_t n = pread(fd, text, sizeof text, end > TAIL_MAX ? end - TAIL_MAX : 0);
        close(fd);
        dprintf(STDOUT_FILENO, "--- %s%s\n", entry->d_name, end > TAIL_MAX ? " (its end)" : "");
        if (n > 0)
            (void)!write(STDOUT_FILENO, text, (size_t)n);
    }
    if (directory)
        closedir(directory);
}

/* True when the test's first process ended by itself; *status is then valid. Does not return when the runner is told to stop or has died. */
static bool wait_for_test(pid_t test, unsigned limit, int *status, const char *scratch)
{
    unsigned long end = now_ms() + 1000ul * limit;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    for (;;) {
        pid_t pid;
        unsigned long now = now_ms();
        struct timespec rest;

        while ((pid = waitpid(-1, status, WNOHANG)) > 0)
            if (pid == test)
                return true;
        if (now >= end)
            return false;
        rest.tv_sec = (time_t)((end - now) / 1000);
        rest.tv_nsec = (long)((end - now) % 1000) * 1000000;
        int number = sigtimedwait(&set, NULL, &rest);
        if (number > 0 && number != SIGCHLD) {
            wait_for_none(KILL_MS, true);
            tree_remove(scratch);
            _exit(130);
        }
    }
}

void warden(const struct runner *runner, const struct run *run, int report)
{
    struct result result = {.verdict = FAILED};
    char scratch[PATH_MAX], log[PATH_MAX], last[256];
    unsigned long start = now_ms();
    int status = 0, log_fd;
    sigset_t set;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);

    run_log_path(runner, run, log);
    log_fd = open(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0644);
    if (log_fd < 0 || dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0 ||
        dup2(open("/dev/null", O_RDWR), STDIN_FILENO) < 0)
        die("open %s: %m", log);
    snprintf(scratch, sizeof scratch, "%.3000s/dmtcp-test.XXXXXX", runner->scratch);
    if (!mkdtemp(scratch) || chmod(scratch, 0755) ||
        (run->user == USER_NOBODY && chown(scratch, RUNNER_NOBODY, RUNNER_NOBODY)))
        die("mkdtemp %s: %m", scratch);

    pid_t test = fork();
    if (test == 0)
        child(runner, run, scratch);
    if (test < 0)
        die("fork: %m");

    if (!wait_for_test(test, run->limit, &status, scratch)) {
        describe_processes();
        snprintf(result.reason, sizeof result.reason, "over its limit of %u s", run->limit);
        wait_for_none(KILL_MS, true);
    } else {
        last_line(log, last, sizeof last);
        if (!wait_for_none(LEAVE_MS, false)) {
            int used = snprintf(result.reason, sizeof result.reason, "left behind: ");
            name_leftovers(result.reason + used, sizeof result.reason - (size_t)used);
            describe_processes();
            if (!wait_for_none(KILL_MS, true))
                strncat(result.reason, " (can't be killed)", sizeof result.reason - strlen(result.reason) - 1);
        } else if (WIFSIGNALED(status)) {
            snprintf(result.reason, sizeof result.reason, "killed by signal %d; %s", WTERMSIG(status), last);
        } else if (WEXITSTATUS(status) == RUNNER_SKIP) {
            result.verdict = SKIPPED;
            snprintf(result.reason, sizeof result.reason, "%s", last);
        } else if (WEXITSTATUS(status)) {
            snprintf(result.reason, sizeof result.reason, "exit code %d; %s", WEXITSTATUS(status), last);
        } else {
            result.verdict = PASSED;
        }
    }
    if (result.verdict == FAILED)
        keep_logs(scratch);
    if (result.verdict == FAILED && runner->keep)
        dprintf(STDOUT_FILENO, "--- kept: %s\n", scratch);
    else
        tree_remove(scratch);
    if (result.verdict == PASSED)
        unlink(log);
    result.milliseconds = (unsigned)(now_ms() - start);
    (void)!write(report, &result, sizeof result);
    _exit(0);
}
