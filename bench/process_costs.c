/* What making a process or a thread costs: microseconds for one, measured N times in a row; once for each way. Prints "WAY MICROSECONDS". */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char *const program[] = {(char *)"/bin/true", NULL};

static void reap(pid_t pid)
{
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        exit(1);
}

static void by_fork(void)
{
    pid_t pid = fork();

    if (!pid)
        _exit(0);
    reap(pid);
}

static void by_fork_exec(void)
{
    pid_t pid = fork();

    if (!pid) {
        execv(program[0], program);
        _exit(1);
    }
    reap(pid);
}

static void by_vfork_exec(void)
{
    pid_t pid = vfork();

    if (!pid) {
        execv(program[0], program);
        _exit(1);
    }
    reap(pid);
}

static void by_spawn(void)
{
    pid_t pid;

    if (posix_spawn(&pid, program[0], NULL, NULL, program, environ))
        exit(1);
    reap(pid);
}

static void *nothing(void *argument)
{
    return argument;
}

static void by_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
        exit(1);
}

static const struct {
    const char *name;
    void (*make)(void);
    int times;
} ways[] = {{"fork+wait", by_fork, 100},
            {"fork+exec+wait", by_fork_exec, 30},
            {"vfork+exec+wait", by_vfork_exec, 30},
            {"posix_spawn+wait", by_spawn, 30},
            {"pthread_create+join", by_thread, 1000}};

int main(void)
{
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        struct timespec begin, end;

        ways[way].make();
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int i = 0; i < ways[way].times; i++)
            ways[way].make();
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("%s %.1f\n", ways[way].name, ((double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3) / ways[way].times);
    }
    return 0;
}
