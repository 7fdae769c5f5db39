/* Locks of processes, of open file descriptions, and whole-file ones; two processes see each other's. */
#include <sys/file.h>
#include <sys/wait.h>

#include "shared.h"

static int inherited, own, locked_by_child;

static int open_it(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    return fd;
}

static int lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock flock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

    return fcntl(fd, command, &flock);
}

/* Whose lock is in the way of writing there? 0: nobody's, -1: a description's. */
static pid_t in_the_way(int fd, short type, off_t start)
{
    struct flock flock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};

    CHECK(fcntl(fd, F_GETLK, &flock) == 0);
    return flock.l_type == F_UNLCK ? 0 : flock.l_pid;
}

static bool flock_free(const char *name, int how)
{
    int fd = open_it(name);
    bool got = flock(fd, how | LOCK_NB) == 0;

    close(fd);
    return got;
}

static int work(int round, void *parent)
{
    pid_t p = *(pid_t *)parent;

    if (!round) {
        own = open_it("ranges");
        CHECK(lock(own, F_SETLK, F_WRLCK, 1000, 10) == 0 && lock(own, F_SETLK, F_RDLCK, 20, 5) == 0);
        /* Through a description that it has from its parent, but its own lock. */
        CHECK(lock(inherited, F_SETLK, F_WRLCK, 5, 1) == 0);
        return 0;
    }
    CHECK(in_the_way(own, F_WRLCK, 0) == p && in_the_way(own, F_RDLCK, 0) == p && in_the_way(own, F_WRLCK, 9) == p && in_the_way(own, F_WRLCK, 10) == 0);
    CHECK(in_the_way(own, F_WRLCK, 20) == p && in_the_way(own, F_RDLCK, 20) == 0);
    CHECK(in_the_way(own, F_WRLCK, 1l << 40) == p && in_the_way(own, F_WRLCK, 4999) == 0);
    CHECK(in_the_way(inherited, F_WRLCK, 5) == 0 && in_the_way(inherited, F_WRLCK, 7) == -1);
    CHECK(!flock_free("exclusive", LOCK_SH) && flock_free("shared", LOCK_SH) && !flock_free("shared", LOCK_EX));
    return 0;
}

int main(void)
{
    pid_t self = getpid();
    int ranges = open_it("ranges"), exclusive = open_it("exclusive"), shared = open_it("shared");

    inherited = open_it("inherited");
    CHECK(lock(ranges, F_SETLK, F_WRLCK, 0, 10) == 0 && lock(ranges, F_SETLK, F_RDLCK, 20, 5) == 0 && lock(ranges, F_SETLK, F_WRLCK, 5000, 0) == 0);
    int by_description = open_it("inherited");
    CHECK(lock(by_description, F_OFD_SETLK, F_WRLCK, 7, 1) == 0);
    CHECK(flock(exclusive, LOCK_EX) == 0 && flock(shared, LOCK_SH) == 0);
    int writer = open_it("leased");
    close(writer);
    int leased = open("leased", O_RDONLY | O_CLOEXEC);
    CHECK(leased >= 0 && fcntl(leased, F_SETLEASE, F_RDLCK) == 0);
    int many = open_it("many");
    for (int i = 0; i < 200; i++)
        CHECK(lock(many, F_SETLK, F_WRLCK, i * 2, 1) == 0);
    struct child child = child_start(work, &self);
    child_ask(&child);
    locked_by_child = child.pid;
    while (step()) {
        child_ask(&child);
        CHECK(in_the_way(ranges, F_WRLCK, 1000) == child.pid && in_the_way(ranges, F_WRLCK, 22) == child.pid && in_the_way(ranges, F_WRLCK, 0) == 0);
        CHECK(in_the_way(inherited, F_WRLCK, 5) == child.pid);
        CHECK(!flock_free("exclusive", LOCK_SH) && !flock_free("shared", LOCK_EX));
        int status;
        pid_t other = fork();
        if (!other) {
            for (int i = 0; i < 200; i++)
                CHECK(in_the_way(many, F_WRLCK, i * 2) == self && in_the_way(many, F_WRLCK, i * 2 + 1) == 0);
            _exit(0);
        }
        CHECK(waitpid(other, &status, 0) == other && status == 0);
    }
    child_end(&child);
    puts("locks kept");
    return 0;
}
