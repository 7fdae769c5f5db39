/* The test runner: runs scripts and binaries in parallel, each under a warden process that sees to it that nothing of it is left.
 *
 *   runner.c  command line, the parallel loop, the report
 *   plan.c    which tests run in which variants
 *   stage.c   a copy of the build that the unprivileged user can read
 *   warden.c  one run of one test, in a process of its own
 *
 * A test is a file: exit code 0 passes, 77 skips (its last line of output is the reason), anything else fails. A script says in
 * comment lines at its top how it is to be run:
 *   # variants: root unpriv gzip raw fallbacks
 *   # limit: 60
 * `root` and `unpriv` are users, `gzip` and `raw` forms of the image; the test runs once for each pair. `fallbacks` adds one run for each
 * kernel feature that has a fallback, with that feature switched off. A test with `root` and without `unpriv` needs root. `limit` is in
 * seconds. */
#ifndef RUNNER_H
#define RUNNER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUNNER_NOBODY 65534u /* uid and gid of the unprivileged variant */
#define RUNNER_SKIP 77
#define RUNNER_LIMIT 60 /* seconds, when the test names none */

enum runner_user { USER_SAME, USER_NOBODY };
enum runner_form { FORM_DEFAULT, FORM_RAW, FORM_GZIP };

struct run {
    char path[PATH_MAX]; /* of the test, absolute */
    char name[128];
    char variant[64]; /* "root gzip", "" for a test without variants */
    const char *disable; /* DMTCP_DISABLE, or NULL */
    const char *impossible; /* why it can't run here (a skip), or NULL */
    unsigned number; /* unique within this runner */
    unsigned limit; /* seconds */
    enum runner_user user;
    enum runner_form form;
};

struct runner {
    char build[PATH_MAX]; /* absolute; those of the stage for the unprivileged user, if there is one */
    char tests[PATH_MAX];
    char stage[PATH_MAX]; /* "" if none was needed */
    char scratch[PATH_MAX]; /* where TEST_TMP directories are made */
    char logs[PATH_MAX];
    bool keep; /* TEST_TMP of failed tests stays, and core files are written */
};

enum verdict { PASSED, FAILED, SKIPPED };

struct result {
    enum verdict verdict;
    unsigned milliseconds;
    char reason[512];
};

struct plan {
    struct run *run;
    size_t count, size;
};

/* Adds all variants of the test at path whose name matches. `only`: "", "root" or "unpriv". Dies on a header it does not understand. */
void plan_add(struct plan *plan, const char *path, const char *only, char **names, int name_count);

/* Makes a readable copy of build and tests if uid RUNNER_NOBODY can't read them where they are; sets runner->stage. */
void stage_make(struct runner *runner);
void stage_remove(struct runner *runner);

/* Removes a tree, whatever the modes of its directories. */
void tree_remove(const char *path);

/* Body of the warden process: runs the test, writes one struct result to `report`, ends. */
void warden(const struct runner *runner, const struct run *run, int report) __attribute__((noreturn));

/* build/test-logs/NAME.VARIANT.log */
void run_log_path(const struct runner *runner, const struct run *run, char path[PATH_MAX]);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
