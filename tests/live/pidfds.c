/* pidfd_open: of the process itself, of a child that lives, of a dead one, of one that has been waited for, of one outside. */
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shared.h"

static int nothing(int round, void *unused)
{
    return 0;
}

static int open_pid(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    CHECK(fd >= 0);
    return fd;
}

static pid_t dead_child(void)
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (!child)
        _exit(7);
    return child;
}

static bool ended(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

int main(void)
{
    siginfo_t info;
    struct child child = child_start(nothing, NULL);
    pid_t zombie = dead_child(), gone = dead_child();
    int self = open_pid(getpid()), living = open_pid(child.pid), dead = open_pid(zombie), reaped = open_pid(gone), outside = open_pid(1);

    child_ask(&child);
    CHECK(waitpid(gone, NULL, 0) == gone);
    UNTIL(ended(dead));
    while (step()) {
        child_ask(&child);
        CHECK(!ended(self) && !ended(living));
        CHECK(ended(dead));
        CHECK(ended(reaped));
        CHECK(!ended(outside));
        CHECK(syscall(SYS_pidfd_send_signal, self, 0, NULL, 0) == 0 && syscall(SYS_pidfd_send_signal, living, 0, NULL, 0) == 0);
        CHECK(syscall(SYS_pidfd_send_signal, reaped, 0, NULL, 0) == -1 && errno == ESRCH);
        CHECK(waitid((idtype_t)3 /* P_PIDFD */, (id_t)dead, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == zombie && info.si_status == 7);
        CHECK(waitid((idtype_t)3, (id_t)living, &info, WEXITED | WNOHANG) == 0);
    }
    CHECK(syscall(SYS_pidfd_send_signal, living, SIGTERM, NULL, 0) == 0);
    CHECK(waitid((idtype_t)3, (id_t)living, &info, WEXITED) == 0 && info.si_pid == child.pid && info.si_status == SIGTERM && ended(living));
    puts("pidfds kept");
    return 0;
}
