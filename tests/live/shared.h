/* For programs of several processes that check what they share: children that do one thing each time the parent asks, over a pipe each way. */
#ifndef SHARED_H
#define SHARED_H

#include <signal.h>
#include <sys/wait.h>

#include "step.h"

struct child {
    pid_t pid;
    int ask, answer;
};

/* work(n) is called in the child with n = 0, 1, 2 … whenever the parent asks; what it returns is the answer. */
__attribute__((unused)) static struct child child_start(int (*work)(int round, void *argument), void *argument)
{
    struct child child;
    int down[2], up[2], value;

    CHECK(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0);
    fflush(stdout);
    child.pid = fork();
    CHECK(child.pid >= 0);
    if (!child.pid) {
        close(down[1]);
        close(up[0]);
        for (int round = 0; read(down[0], &value, sizeof value) == sizeof value; round++) {
            step_number_ = value;
            value = work(round, argument);
            CHECK(write(up[1], &value, sizeof value) == sizeof value);
        }
        _exit(0);
    }
    close(down[0]);
    close(up[1]);
    child.ask = down[1];
    child.answer = up[0];
    return child;
}

__attribute__((unused)) static int child_ask(struct child *child)
{
    int value = step_number_;

    CHECK(write(child->ask, &value, sizeof value) == sizeof value);
    CHECK(read(child->answer, &value, sizeof value) == sizeof value);
    return value;
}

/* It sees the end of its pipe, which nobody else holds. */
__attribute__((unused)) static void child_end(struct child *child)
{
    int status;

    close(child->ask);
    CHECK(waitpid(child->pid, &status, 0) == child->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(read(child->answer, &status, sizeof status) == 0);
    close(child->answer);
}

#endif
