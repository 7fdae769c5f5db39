/* /proc/self/exe: read as a link, resolved, opened, executed, also by number and by spawn, is the program, not what restarted it. */
#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "step.h"

extern char **environ;

static void check(const char *path, const char *wanted)
{
    char target[PATH_MAX + 1] = "", little[8];
    struct stat there, here;
    ssize_t n = readlink(path, target, sizeof target - 1);

    CHECK(n > 0 && !strcmp(target, wanted));
    CHECK(readlink(path, little, sizeof little) == sizeof little && !memcmp(little, wanted, sizeof little));
    CHECK(realpath(path, target) && !strcmp(target, wanted));
    CHECK(stat(path, &there) == 0 && stat(wanted, &here) == 0 && there.st_ino == here.st_ino);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &there) == 0 && there.st_ino == here.st_ino);
    close(fd);
}

int main(int argc, char **argv)
{
    static char *const again[] = {(char *)"again", (char *)"again", NULL};
    char wanted[PATH_MAX], numbered[64];
    int status;
    pid_t pid;

    if (argc == 2 && !strcmp(argv[1], "again"))
        return 9;
    CHECK(realpath("/proc/self/exe", wanted));
    snprintf(numbered, sizeof numbered, "/proc/%d/exe", getpid());
    do {
        check("/proc/self/exe", wanted);
        check(numbered, wanted);
        pid = fork();
        if (!pid) {
            execv("/proc/self/exe", again);
            _exit(1);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 9 << 8);
        CHECK(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, again, environ) == 0);
        CHECK(waitpid(pid, &status, 0) == pid && status == 9 << 8);
    } while (step());
    return 0;
}
