#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 256

static const char usage[] = "usage: runner [-j JOBS] [-r REPEAT] [-k] [-l] [--user root|unpriv] -B BUILD -T TESTS FILE... [-- NAME...]\n"
                            "Runs each FILE (a test) whose name contains one of the NAMEs; -l only lists; -k keeps the files of failures.\n";

static volatile sig_atomic_t stopped;

void die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("runner: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    _exit(1);
}

static void stop(int number)
{
    stopped = 1;
}

/* A test directory has to be reachable for the unprivileged user too. */
static void choose_scratch(struct runner *runner)
{
    const char *wish = getenv("TMPDIR");
    struct stat status;

    snprintf(runner->scratch, sizeof runner->scratch, "/tmp");
    if (wish && wish[0] == '/' && stat(wish, &status) == 0 && (getuid() || (status.st_mode & 0001)))
        snprintf(runner->scratch, sizeof runner->scratch, "%s", wish);
}

/* Places where a checkpointer might leave something although every test has a TMPDIR of its own. */
static const char *const watched[] = {"/tmp", "/var/tmp", "/dev/shm"};
static const char *const suspect[] = {"dmtcp-", "dmtcp_", "ckpt_"};

struct names {
    char **name;
    size_t count;
};

static bool is_suspect(const char *name)
{
    if (!strncmp(name, "dmtcp-test", 10)) /* our own, and of runners beside us */
        return false;
    for (size_t i = 0; i < sizeof suspect / sizeof *suspect; i++)
        if (!strncmp(name, suspect[i], strlen(suspect[i])))
            return true;
    return false;
}

static struct names look_around(void)
{
    struct names names = {0};

    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        DIR *directory = opendir(watched[i]);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            if (!is_suspect(entry->d_name))
                continue;
            names.name = reallocarray(names.name, names.count + 1, sizeof *names.name);
            if (!names.name || asprintf(&names.name[names.count++], "%s/%s", watched[i], entry->d_name) < 0)
                die("out of memory");
        }
        if (directory)
            closedir(directory);
    }
    return names;
}

static unsigned report_new(const struct names *before, const struct names *after)
{
    unsigned count = 0;

    for (size_t i = 0; i < after->count; i++) {
        size_t j = 0;
        while (j < before->count && strcmp(before->name[j], after->name[i]))
            j++;
        if (j == before->count) {
            printf("FAIL left-behind: %s was not there before\n", after->name[i]);
            count++;
        }
    }
    return count;
}

struct job {
    pid_t warden;
    int report;
    const struct run *run;
};

static void start(const struct runner *runner, const struct run *run, struct job *job)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        die("pipe: %m");
    fflush(stdout);
    job->run = run;
    job->report = ends[0];
    job->warden = fork();
    if (job->warden == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        warden(runner, run, ends[1]);
    }
    if (job->warden < 0)
        die("fork: %m");
    close(ends[1]);
}

static enum verdict finish(const struct runner *runner, struct job *job)
{
    static const char *const text[] = {[PASSED] = "PASS", [FAILED] = "FAIL", [SKIPPED] = "SKIP"};
    struct result result;
    char log[PATH_MAX];

    if (read(job->report, &result, sizeof result) != sizeof result)
        result = (struct result){.verdict = FAILED, .reason = "its warden died"};
    close(job->report);
    waitpid(job->warden, NULL, 0);
    printf("%s %s%s%s%s %u.%02us%s%s", text[result.verdict], job->run->name, job->run->variant[0] ? " [" : "", job->run->variant,
           job->run->variant[0] ? "]" : "", result.milliseconds / 1000, result.milliseconds % 1000 / 10, result.reason[0] ? " " : "",
           result.reason);
    if (result.verdict == FAILED) {
        run_log_path(runner, job->run, log);
        printf(" (%s)", log);
    }
    printf("\n");
    fflush(stdout);
    job->warden = 0;
    return result.verdict;
}

/* Those that may take long go first, so that no processor idles while the last of them runs. */
static int longest_first(const void *a, const void *b)
{
    const struct run *left = a, *right = b;

    if (left->limit != right->limit)
        return left->limit > right->limit ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

static void absolute(const char *path, char to[PATH_MAX])
{
    if (!realpath(path, to))
        die("%s: %m", path);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"user", required_argument, NULL, 'u'}, {"help", no_argument, NULL, 'h'}, {0}};
    static struct runner runner;
    static struct job job[JOBS_MAX];
    struct plan plan = {0};
    const char *only = "";
    long jobs = sysconf(_SC_NPROCESSORS_ONLN), repeat = 1;
    bool list = false, nobody = false;
    int files, names, option;
    unsigned count[3] = {0}, running = 0;
    size_t next = 0;

    /* getopt would take the "--" before the names for itself. */
    for (names = 1; names < argc && strcmp(argv[names], "--"); names++)
        ;
    while ((option = getopt_long(names, argv, "+j:r:klB:T:h", options, NULL)) != -1)
        switch (option) {
        case 'j': jobs = atol(optarg); break;
        case 'r': repeat = atol(optarg); break;
        case 'k': runner.keep = true; break;
        case 'l': list = true; break;
        case 'u': only = optarg; break;
        case 'B': absolute(optarg, runner.build); break;
        case 'T': absolute(optarg, runner.tests); break;
        case 'h': fputs(usage, stdout); return 0;
        default: fputs(usage, stderr); return 2;
        }
    files = optind;
    if (!runner.build[0] || !runner.tests[0] || jobs < 1 || repeat < 1 || (*only && strcmp(only, "root") && strcmp(only, "unpriv"))) {
        fputs(usage, stderr);
        return 2;
    }
    if (jobs > JOBS_MAX)
        jobs = JOBS_MAX;
    snprintf(runner.logs, sizeof runner.logs, "%.4000s/test-logs", runner.build);
    if (mkdir(runner.logs, 0755) && errno != EEXIST)
        die("mkdir %s: %m", runner.logs);

    for (long r = 0; r < repeat; r++)
        for (int i = files; i < names; i++) {
            char path[PATH_MAX];
            absolute(argv[i], path);
            plan_add(&plan, path, only, argv + names + 1, names < argc ? argc - names - 1 : 0);
        }
    if (!plan.count)
        die("no test of that name");
    qsort(plan.run, plan.count, sizeof *plan.run, longest_first);
    for (size_t i = 0; i < plan.count; i++) {
        nobody |= plan.run[i].user == USER_NOBODY;
        if (list)
            printf("%s [%s]\n", plan.run[i].name, plan.run[i].variant);
    }
    if (list)
        return 0;

    struct names before = look_around();
    choose_scratch(&runner);
    if (nobody)
        stage_make(&runner);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* should a warden die */
    sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);

    while ((next < plan.count && !stopped) || running) {
        struct pollfd set[JOBS_MAX];

        for (long i = 0; i < jobs; i++) {
            while (!job[i].warden && next < plan.count && !stopped && plan.run[next].impossible) {
                printf("SKIP %s [%s] 0.00s %s\n", plan.run[next].name, plan.run[next].variant, plan.run[next].impossible);
                count[SKIPPED]++;
                next++;
            }
            if (!job[i].warden && next < plan.count && !stopped) {
                start(&runner, &plan.run[next++], &job[i]);
                running++;
            }
            set[i] = (struct pollfd){.fd = job[i].warden ? job[i].report : -1, .events = POLLIN};
        }
        if (!running)
            break;
        if (poll(set, (nfds_t)jobs, -1) < 0 && errno != EINTR)
            die("poll: %m");
        for (long i = 0; i < jobs; i++) {
            if (stopped && job[i].warden)
                kill(job[i].warden, SIGTERM);
            if (set[i].fd >= 0 && set[i].revents) {
                count[finish(&runner, &job[i])]++;
                running--;
            }
        }
    }
    stage_remove(&runner);
    struct names after = look_around();
    count[FAILED] += report_new(&before, &after);
    printf("%u passed, %u failed, %u skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
    return stopped ? 130 : count[FAILED] ? 1 : 0;
}
