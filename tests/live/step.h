/* For the programs of live tests: steps, checks, bounded waits. A program builds its state, and then
 *
 *     while (step())
 *         check what must still be true;
 *
 * The driver (tests/lib.sh) takes a checkpoint while step() waits, lets it go on (check after resume), kills it, restarts it (check after
 * restart). The first failed check ends the process with one line that says which. Uses no descriptor between its polls. */
#ifndef STEP_H
#define STEP_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Straight to descriptor 2: the check may be made in any state of stdio. */
#define FAIL(...)                                                                                                                          \
    do {                                                                                                                                   \
        dprintf(2, "%s:%d: ", __FILE__, __LINE__);                                                                                         \
        dprintf(2, __VA_ARGS__);                                                                                                           \
        dprintf(2, "\n");                                                                                                                  \
        _exit(1);                                                                                                                          \
    } while (0)

#define CHECK(condition)                                                                                                                   \
    do {                                                                                                                                   \
        int check_errno_;                                                                                                                  \
        if (!(condition)) {                                                                                                                \
            check_errno_ = errno;                                                                                                          \
            FAIL("step %d: not true: %s (errno %d)", step_number_, #condition, check_errno_);                                              \
        }                                                                                                                                  \
    } while (0)

/* pthread functions and the like, which return the error. */
#define ZERO(call)                                                                                                                         \
    do {                                                                                                                                   \
        int zero_error_ = (call);                                                                                                          \
        if (zero_error_)                                                                                                                   \
            FAIL("step %d: %s: %s", step_number_, #call, strerror(zero_error_));                                                           \
    } while (0)

/* Waits until the condition holds, which another thread or process brings about. */
#define UNTIL(condition)                                                                                                                   \
    do {                                                                                                                                   \
        for (int until_left_ = 20000; !(condition); until_left_--) {                                                                       \
            if (!until_left_)                                                                                                              \
                FAIL("step %d: waited in vain for: %s", step_number_, #condition);                                                         \
            step_nap_();                                                                                                                   \
        }                                                                                                                                  \
    } while (0)

__attribute__((unused)) static volatile int step_number_;

__attribute__((unused)) static void step_nap_(void)
{
    struct timespec rest = {.tv_nsec = 2000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR) /* the program's own signals */
        ;
}

__attribute__((unused)) static const char *step_path_(char *path, size_t size, const char *name)
{
    const char *directory = getenv("STEP_DIR");

    if (!directory)
        FAIL("STEP_DIR is not set");
    snprintf(path, size, "%s/%s", directory, name);
    return path;
}

__attribute__((unused)) static void step_ready_(int number)
{
    char name[32], from[512], to[512];
    int fd, n;

    fd = open(step_path_(from, sizeof from, "ready.new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    n = snprintf(name, sizeof name, "%d", number);
    if (fd < 0 || write(fd, name, (size_t)n) != n || close(fd) || rename(from, step_path_(to, sizeof to, "ready")))
        FAIL("step %d: writing %s: %s", number, from, strerror(errno));
}

/* True: go on; false: finish. */
__attribute__((unused)) static bool step(void)
{
    char name[32], go[512], end[512];
    int number = ++step_number_;

    snprintf(name, sizeof name, "go.%d", number);
    step_path_(go, sizeof go, name);
    step_path_(end, sizeof end, "end");
    step_ready_(number);
    for (;;) {
        if (access(go, F_OK) == 0)
            return true;
        if (access(end, F_OK) == 0)
            return false;
        step_nap_();
    }
}

#endif
