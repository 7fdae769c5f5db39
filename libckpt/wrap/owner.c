/* fcntl(2) and ioctl(2) where their argument is a number of a process or group, or a pointer to one. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <asm/sockios.h>

#include "vpid.h"
#include "wrap.h"

static bool concerns_owner(int command)
{
    return command == F_GETOWN || command == F_SETOWN || command == F_GETOWN_EX || command == F_SETOWN_EX || command == F_GETLK ||
           command == F_OFD_GETLK;
}

/* A lock's holder of 0 or -1 (an open file description) stays. libc's F_GETOWN is made of F_GETOWN_EX, so no group is taken for an error. */
static int call_owner(int (*real)(int, int, ...), int fd, int command, void *argument)
{
    struct f_owner_ex owner;
    int result;

    switch (command) {
    case F_SETOWN: return real(fd, command, vpid_to_real((int)(long)argument));
    case F_SETOWN_EX:
        if (!argument)
            return real(fd, command, argument);
        owner = *(struct f_owner_ex *)argument;
        owner.pid = vpid_to_real(owner.pid);
        return real(fd, command, &owner);
    }
    result = real(fd, command, argument);
    if (command == F_GETOWN)
        return result < -1 ? -vpid_from_real(-result) : vpid_from_real(result);
    if (result == 0 && command == F_GETOWN_EX)
        ((struct f_owner_ex *)argument)->pid = vpid_from_real(((struct f_owner_ex *)argument)->pid);
    if (result == 0 && command != F_GETOWN_EX && ((struct flock *)argument)->l_type != F_UNLCK)
        ((struct flock *)argument)->l_pid = vpid_from_real(((struct flock *)argument)->l_pid);
    return result;
}

/* The argument, if there is one, has a register's size: libc's own fcntl takes it so. */
#define ARGUMENT(last)                                                                                                                         va_list list;                                                                                                                              va_start(list, last);                                                                                                                      void *argument = va_arg(list, void *);                                                                                                     va_end(list)

WRAP(int, fcntl, (int fd, int command, ...))
{
    ARGUMENT(command);
    return vpid_active && concerns_owner(command) ? call_owner(REAL(fcntl), fd, command, argument) : REAL(fcntl)(fd, command, argument);
}

WRAP(int, fcntl64, (int fd, int command, ...))
{
    ARGUMENT(command);
    return vpid_active && concerns_owner(command) ? call_owner(REAL(fcntl64), fd, command, argument) : REAL(fcntl64)(fd, command, argument);
}

WRAP_SYMBOL(int, fcntl_inner, "__fcntl", (int fd, int command, ...))
{
    ARGUMENT(command);
    return fcntl(fd, command, argument);
}

enum direction { NEITHER, IN, OUT };

static enum direction direction_of(unsigned long request)
{
    switch ((unsigned)request) {
    case TIOCSPGRP:
    case FIOSETOWN:
    case SIOCSPGRP: return IN;
    case TIOCGPGRP:
    case TIOCGSID:
    case FIOGETOWN:
    case SIOCGPGRP: return OUT;
    default: return NEITHER;
    }
}

static int signed_number(int number, int (*translate)(int))
{
    return number < -1 ? -translate(-number) : translate(number);
}

WRAP(int, ioctl, (int fd, unsigned long request, ...))
{
    ARGUMENT(request);
    enum direction direction = vpid_active ? direction_of(request) : NEITHER;
    int number, result;

    if (direction == IN && argument) {
        number = signed_number(*(int *)argument, vpid_to_real);
        return REAL(ioctl)(fd, request, &number);
    }
    result = REAL(ioctl)(fd, request, argument);
    if (direction == OUT && result == 0)
        *(int *)argument = signed_number(*(int *)argument, vpid_from_real);
    return result;
}
