/* After a restart under other numbers the kernel gives the old ones to new processes: here it is told to (ns_last_pid, in a pid namespace of the
 * test's own). None of them may be seen by the program, which knows itself and its thread by them. */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "step.h"

extern char **environ;

static pid_t pid, thread_tid;
static volatile bool end;

static void *other_thread(void *unused)
{
    thread_tid = gettid();
    while (!end)
        step_nap_();
    return NULL;
}

static void aim(pid_t number)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0 && dprintf(fd, "%d", number - 1) > 0 && close(fd) == 0);
}

static void ended(pid_t made, int status_wanted)
{
    int status = 0;

    CHECK(made > 0 && made != pid && made != thread_tid);
    CHECK(waitpid(made, &status, 0) == made && WIFEXITED(status) && WEXITSTATUS(status) == status_wanted);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void forks(pid_t number)
{
    aim(number);
    pid_t made = fork();
    if (!made)
        _exit(getpid() == number || gettid() == number || getppid() != pid ? 1 : 7);
    ended(made, 7);
    aim(number);
    made = vfork();
    if (!made)
        _exit(8);
    ended(made, 8);
}

static void spawns(pid_t number)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)"exit $(($$ == $0))", NULL, NULL};
    char text[16];
    pid_t made;

    snprintf(text, sizeof text, "%d", number);
    arguments[3] = text;
    aim(number);
    ZERO(posix_spawn(&made, "/bin/sh", NULL, NULL, arguments, environ));
    ended(made, 0);
    aim(number);
    CHECK(system("exit 3") == 3 << 8);
}

int main(void)
{
    pthread_t thread;

    pid = getpid();
    ZERO(pthread_create(&thread, NULL, other_thread, NULL));
    UNTIL(thread_tid);
    do {
        forks(pid);
        forks(thread_tid);
        spawns(pid);
        CHECK(getpid() == pid && kill(pid, 0) == 0 && tgkill(pid, thread_tid, 0) == 0);
    } while (step());
    end = true;
    ZERO(pthread_join(thread, NULL));
    puts("no number was used again");
    return 0;
}
