/* A child that is stopped is still stopped after a checkpoint and after a restart, and has not run meanwhile but for an instant; continued, it goes
 * on. Beside it the process counts the signals that its parent gets. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "step.h"

static char state_of(pid_t pid)
{
    char path[64], text[512], *at;
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = 0;
    at = strrchr(text, ')');
    return at ? at[2] : '?';
}

static long counted(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = 0;
    close(fd);
    return atol(text);
}

static _Noreturn void count(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    for (long i = 1;; i++) {
        char text[32];
        int n = snprintf(text, sizeof text, "%ld", i);

        CHECK(pwrite(fd, text, (size_t)n, 0) == n);
        step_nap_();
    }
}

int main(void)
{
    char path[600];
    int status;
    long before;
    pid_t child;

    step_path_(path, sizeof path, "counter");
    child = fork();
    CHECK(child >= 0);
    if (!child)
        count(path);
    UNTIL(counted(path) > 3);
    CHECK(!kill(child, SIGSTOP));
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    while (step()) {
        UNTIL(state_of(child) == 'T');
        CHECK(!kill(child, SIGCONT));
        before = counted(path);
        UNTIL(counted(path) > before + 3);
        CHECK(!kill(child, SIGSTOP));
        UNTIL(state_of(child) == 'T');
    }
    CHECK(!kill(child, SIGKILL));
    do
        CHECK(waitpid(child, &status, 0) == child);
    while (!WIFSIGNALED(status));
    return 0;
}
