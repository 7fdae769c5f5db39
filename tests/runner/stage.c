/* A checkout below somebody's private home directory, or built under a strict umask, can't be read by the unprivileged variant. */
#include "runner.h"

#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a live test needs of the build. */
static const char *const parts[] = {"bin", "lib", "include", "tests"};

static int check_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    if (kind == FTW_DNR || kind == FTW_NS)
        return 1;
    return access(path, kind == FTW_D ? R_OK | X_OK : R_OK) != 0;
}

static bool readable_tree(const char *path)
{
    struct stat status;

    if (stat(path, &status))
        return errno == ENOENT;
    return nftw(path, check_one, 16, FTW_PHYS) == 0;
}

/* Asked in a child that is that user: no guessing from modes, access lists and mount options. */
static bool readable_for_nobody(const struct runner *runner)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        char path[PATH_MAX + 16];
        if (setgroups(0, NULL) || setgid(RUNNER_NOBODY) || setuid(RUNNER_NOBODY))
            _exit(1);
        if (access(runner->build, X_OK) || !readable_tree(runner->tests))
            _exit(1);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            snprintf(path, sizeof path, "%s/%s", runner->build, parts[i]);
            if (!readable_tree(path))
                _exit(1);
        }
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void run_tool(const char *const *argv)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        execvp(argv[0], (char *const *)argv);
        die("%s: %m", argv[0]);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status)
        die("%s %s failed", argv[0], argv[2]);
}

void stage_make(struct runner *runner)
{
    char from[PATH_MAX + 16], to[PATH_MAX];

    if (readable_for_nobody(runner))
        return;
    snprintf(runner->stage, sizeof runner->stage, "/tmp/dmtcp-test-stage.XXXXXX");
    if (!mkdtemp(runner->stage) || chmod(runner->stage, 0755))
        die("mkdtemp %s: %m", runner->stage);
    snprintf(to, sizeof to, "%.4000s/build", runner->stage);
    if (mkdir(to, 0755))
        die("mkdir %s: %m", to);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(from, sizeof from, "%s/%s", runner->build, parts[i]);
        if (access(from, F_OK) == 0)
            run_tool((const char *const[]){"cp", "-R", from, to, NULL});
    }
    snprintf(to, sizeof to, "%.4000s/tests", runner->stage);
    run_tool((const char *const[]){"cp", "-R", runner->tests, to, NULL});
    run_tool((const char *const[]){"chmod", "-R", "a+rX", runner->stage, NULL});
}

void stage_remove(struct runner *runner)
{
    if (runner->stage[0])
        tree_remove(runner->stage);
}

static int open_up(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    if (kind == FTW_D || kind == FTW_DNR)
        (void)!chmod(path, 0700);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)remove(path);
    return 0;
}

void tree_remove(const char *path)
{
    nftw(path, open_up, 16, FTW_PHYS);
    nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}
