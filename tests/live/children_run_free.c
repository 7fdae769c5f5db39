/* fork, exec, system, popen, posix_spawn and vfork run as without us: the child sees neither our library nor our variables. */
#include <spawn.h>
#include <sys/wait.h>

#include "step.h"

extern char **environ;

static void check_environment(void)
{
    char line[4096];
    FILE *pipe = popen("env", "r");

    CHECK(pipe);
    while (fgets(line, sizeof line, pipe))
        CHECK(strncmp(line, "LD_PRELOAD=", 11) && strncmp(line, "DMTCP_LAUNCHED", 14));
    CHECK(pclose(pipe) == 0);
}

static int wait_for(pid_t pid)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

int main(void)
{
    static char *const shell[] = {"sh", "-c", "exit 7", NULL};

    do {
        char line[64];
        pid_t pid;
        FILE *pipe;

        fflush(stdout);
        CHECK(system("echo from the shell") == 0);
        CHECK(WEXITSTATUS(system("exit 5")) == 5);
        pipe = popen("echo from a pipe", "r");
        CHECK(pipe && fgets(line, sizeof line, pipe) && strcmp(line, "from a pipe\n") == 0 && pclose(pipe) == 0);
        check_environment();

        pid_t self = getpid();
        pid = fork(); /* goes on without exec */
        CHECK(pid >= 0);
        if (pid == 0) {
            volatile char *memory = malloc(1000000);
            memory[999999] = 1;
            if (getppid() != self || syscall(SYS_getppid) != self || kill(self, 0) || getpid() == self)
                _exit(1);
            _exit(6);
        }
        CHECK(WEXITSTATUS(wait_for(pid)) == 6);

        pid = fork();
        if (pid == 0) {
            execv("/bin/sh", shell);
            _exit(1);
        }
        CHECK(WEXITSTATUS(wait_for(pid)) == 7);

        pid = vfork();
        if (pid == 0) {
            execv("/bin/sh", shell);
            _exit(1);
        }
        CHECK(WEXITSTATUS(wait_for(pid)) == 7);

        CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, shell, environ) == 0);
        CHECK(WEXITSTATUS(wait_for(pid)) == 7);

        char *const empty[] = {NULL};
        CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, shell, empty) == 0);
        CHECK(WEXITSTATUS(wait_for(pid)) == 7);
    } while (step());
    puts("children ran");
    return 0;
}
