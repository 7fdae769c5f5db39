/* A thread that no signal reaches: it has called vfork, and the child takes its time, until a file says otherwise. The main thread goes in
 * steps. */
#include <pthread.h>
#include <sys/wait.h>

#include "step.h"

static const char *release;

static void *in_vfork(void *unused)
{
    pid_t pid = vfork();

    if (pid == 0) {
        while (access(release, F_OK))
            usleep(10000);
        _exit(3);
    }
    return (void *)(intptr_t)pid;
}

int main(int count, char **arguments)
{
    pthread_t thread;
    void *pid;
    int status;

    CHECK(count == 2);
    release = arguments[1];
    CHECK(pthread_create(&thread, NULL, in_vfork, NULL) == 0);
    step();
    CHECK(pthread_join(thread, &pid) == 0);
    CHECK(waitpid((pid_t)(intptr_t)pid, &status, 0) == (pid_t)(intptr_t)pid && WEXITSTATUS(status) == 3);
    while (step())
        continue;
    return 0;
}
