/* A bounded storm of processes: MAKERS make and reap children for ever, so that never more than ALIVE of each exist. Every child says by its exit status
 * which one it was, and its maker checks that all come back and no other. Children end at once or after a while, by themselves or as another
 * program, are made by fork, vfork or posix_spawn, and some have a child of their own. Every maker makes a directory $STEP_DIR/count.MAKER when some
 * have come back (without a descriptor, since restarts go back in time); $STEP_DIR/end ends it. Arguments: MAKERS ALIVE. */
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "step.h"

extern char **environ;

struct child {
    pid_t pid;
    int status;
    int way;
};

static const char *const ways[] = {"by posix_spawn", "by vfork and exec", "by fork, with a child", "by fork and exec", "by fork"};

static unsigned long long random_ = 88172645463325252ull;

static unsigned any(unsigned below)
{
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return (unsigned)(random_ >> 32) % below;
}

static void check_reap(pid_t pid, int wanted)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    if (status != wanted << 8)
        FAIL("a child ended with wait status %#x, not exit code %d", (unsigned)status, wanted);
}

static void live(unsigned us, bool with_child, pid_t maker)
{
    CHECK(getppid() == maker);
    if (us)
        usleep(us);
    if (with_child) {
        pid_t self = getpid(), pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            CHECK(getppid() == self);
            _exit(77);
        }
        check_reap(pid, 77);
    }
    CHECK(getppid() == maker);
}

static pid_t make(int status, int way)
{
    static char *const environment[] = {NULL};
    char number[16];
    char *const program[] = {(char *)"/proc/self/exe", (char *)"as", number, NULL};
    unsigned us = any(4) ? any(3000) : 0;
    pid_t maker = getpid(), pid;

    snprintf(number, sizeof number, "%d", status);
    switch (way) {
    case 0:
        CHECK(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, program, any(2) ? environment : environ) == 0);
        return pid;
    case 1:
        pid = vfork();
        CHECK(pid >= 0);
        if (!pid) {
            execve(program[0], program, environ);
            _exit(1);
        }
        return pid;
    default:
        pid = fork();
        CHECK(pid >= 0);
        if (pid)
            return pid;
        live(us, way == 2, maker);
        if (way == 3)
            execv(program[0], program);
        _exit(status);
    }
}

static void come_back(struct child *children, unsigned *alive)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    unsigned i = 0;

    CHECK(pid > 0);
    while (i < *alive && children[i].pid != pid)
        i++;
    CHECK(i < *alive);
    if (status != children[i].status << 8)
        FAIL("child %d, made %s, ended with wait status %#x, not exit code %d", pid, ways[children[i].way], (unsigned)status, children[i].status);
    children[i] = children[--*alive];
}

static void make_many(int maker, unsigned most)
{
    struct child *children = calloc(most, sizeof *children);
    unsigned alive = 0;
    unsigned long count = 0;
    char path[4096], end[4096];

    CHECK(children);
    random_ += (unsigned long long)maker << 33;
    snprintf(path, sizeof path, "%s/count.%d", getenv("STEP_DIR"), maker);
    snprintf(end, sizeof end, "%s/end", getenv("STEP_DIR"));
    for (;;) {
        bool over = access(end, F_OK) == 0;
        if (over && !alive)
            break;
        if (!over && (alive == 0 || (alive < most && any(3)))) {
            int status = (int)any(100) + 100, way = (int)any(sizeof ways / sizeof *ways);
            children[alive] = (struct child){make(status, way), status, way};
            alive++;
            continue;
        }
        come_back(children, &alive);
        if (++count % 4 == 0)
            CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
    }
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    _exit(0);
}

int main(int argc, char **argv)
{
    int makers = argc > 1 ? atoi(argv[1]) : 8, most = argc > 2 ? atoi(argv[2]) : 25;
    pid_t pids[64];

    if (argc > 2 && !strcmp(argv[1], "as"))
        return atoi(argv[2]);
    CHECK(makers > 0 && makers <= 64 && most > 0);
    for (int i = 0; i < makers; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (!pids[i])
            make_many(i, (unsigned)most);
    }
    for (int i = 0; i < makers; i++)
        check_reap(pids[i], 0);
    puts("all came back");
    return 0;
}
