#include "signalfd.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "fmt.h"
#include "sys.h"
#include "vpid.h"
#include "wrap.h"

bool signalfd_made;

static bool is_signalfd(int fd)
{
    static const char kind[] = "anon_inode:[signalfd]";
    char path[64], target[sizeof kind];

    fmt(path, sizeof path, "/proc/thread-self/fd/%d", fd);
    return sys_readlink(path, target, sizeof target) == sizeof kind - 1 && !memcmp(target, kind, sizeof kind - 1);
}

/* The records have the fields of a siginfo_t (signalfd(2)). */
static ssize_t records(int fd, void *buffer, ssize_t size)
{
    struct signalfd_siginfo *record = buffer;

    if (size <= 0 || size % (ssize_t)sizeof *record || !is_signalfd(fd))
        return size;
    for (ssize_t i = 0; i < size / (ssize_t)sizeof *record; i++) {
        siginfo_t info = {.si_signo = (int)record[i].ssi_signo, .si_code = record[i].ssi_code};
        if (signals_from_process(&info))
            record[i].ssi_pid = (uint32_t)vpid_from_real((int)record[i].ssi_pid);
    }
    return size;
}

WRAP(ssize_t, read, (int fd, void *buffer, size_t size))
{
    ssize_t result = REAL(read)(fd, buffer, size);

    return __builtin_expect(vpid_active && signalfd_made, 0) ? records(fd, buffer, result) : result;
}

/* in programs built with _FORTIFY_SOURCE */
WRAP_SYMBOL(ssize_t, read_chk, "__read_chk", (int fd, void *buffer, size_t size, size_t room))
{
    ssize_t result = REAL(read_chk)(fd, buffer, size, room);

    return __builtin_expect(vpid_active && signalfd_made, 0) ? records(fd, buffer, result) : result;
}
