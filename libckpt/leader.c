#include "leader.h"

#include "library.h"
#include "log.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "leader"

/* The last field of /proc/PID/stat: the status that wait(2) gives. The kernel reports that of the last thread, so ours must be it. (It would be that
 * of the program's last; only the leader's can be known, and it is the same one where there is but one thread.) */
static int leader_status(void)
{
    char text[1024];
    long n = proc_read("/proc/self/stat", text, sizeof text);
    const char *at = text + (n > 0 ? n : 0);
    uint64_t status = 0;

    while (at > text && at[-1] != ' ')
        at--;
    str_number(&at, 10, &status);
    return (int)(status >> 8 & 255);
}

/* An ended leader stays in the list until the process ends. */
void leader_end_with(void)
{
    struct stat st;

    if (sys_fstatat(AT_FDCWD, "/proc/self/task", &st, 0) == 0 && st.st_nlink == 2 + 2 && !proc_thread_lives(lib.real_pid)) {
        log_trace("the last thread of the program has ended");
        sys_exit_thread(leader_status());
    }
}

/* Looks once a second: nobody tells when a thread that is not ours ends (a pidfd of the leader does only when all have, since Linux 6.15). */
void leader_await_input(int fd)
{
    for (;;) {
        struct pollfd input = {.fd = fd, .events = POLLIN};
        struct timespec second = {.tv_sec = 1};

        if (sys_ppoll(&input, 1, &second) > 0)
            return;
        leader_end_with();
    }
}
