/* accept(2), for connections that a checkpoint has accepted before the program: fd/unix_held.h. Until there has been a checkpoint, nothing is
 * looked at. */
#include <sys/socket.h>

#include "fd/unix_held.h"
#include "library.h"
#include "sys.h"
#include "wrap.h"

static int settle(int fd, struct sockaddr *address, socklen_t room, socklen_t *size, int flags)
{
    if (fd < 0 || !(unix_held_possible || lib.generation))
        return fd;
    int held = unix_held_take(fd);
    if (held < 0)
        return fd;
    /* The number of the other one is free again. */
    long number = sys_fcntl(held, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, fd);
    if (number < 0)
        number = held;
    else
        sys_close(held);
    long status = sys_fcntl((int)number, F_GETFL, 0);
    sys_fcntl((int)number, F_SETFL, flags & SOCK_NONBLOCK ? status | O_NONBLOCK : status & ~O_NONBLOCK);
    if (address && size) {
        *size = room;
        syscall3(__NR_getpeername, number, (long)address, (long)size);
    }
    return (int)number;
}

WRAP(int, accept, (int fd, struct sockaddr *address, socklen_t *size))
{
    socklen_t room = address && size ? *size : 0;

    return settle(REAL(accept)(fd, address, size), address, room, size, 0);
}

WRAP(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags))
{
    socklen_t room = address && size ? *size : 0;

    return settle(REAL(accept4)(fd, address, size, flags), address, room, size, flags);
}
