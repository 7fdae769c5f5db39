/* Names of pseudo terminals, where a restart could not take the old numbers back (ptys.h). Paths that go in: path.c. */
#include <errno.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmt.h"
#include "ptys.h"
#include "str.h"
#include "wrap.h"

static __thread char static_name[64]; /* of ptsname(3) and ttyname(3), if translated */

static char *translated(char *name)
{
    if (__builtin_expect(!ptys_differ, 1) || !name)
        return name;
    str_copy(static_name, sizeof static_name, name);
    ptys_virtual_path(static_name, sizeof static_name);
    return str_equal(name, static_name) ? name : static_name;
}

/* 0, or ERANGE. */
static int translate(int error, char *name, size_t size)
{
    char room[64];

    if (__builtin_expect(!ptys_differ, 1) || error)
        return error;
    str_copy(room, sizeof room, name);
    ptys_virtual_path(room, sizeof room);
    if (str_equal(room, name))
        return 0;
    if (str_copy(name, size, room))
        return 0;
    errno = ERANGE;
    return ERANGE;
}

WRAP(char *, ptsname, (int fd))
{
    return translated(REAL(ptsname)(fd));
}

WRAP(int, ptsname_r, (int fd, char *name, size_t size))
{
    return translate(REAL(ptsname_r)(fd, name, size), name, size);
}

WRAP_SYMBOL(int, ptsname_r_chk, "__ptsname_r_chk", (int fd, char *name, size_t size, size_t room))
{
    return translate(REAL(ptsname_r_chk)(fd, name, size, room), name, size);
}

WRAP(char *, ttyname, (int fd))
{
    return translated(REAL(ttyname)(fd));
}

WRAP(int, ttyname_r, (int fd, char *name, size_t size))
{
    return translate(REAL(ttyname_r)(fd, name, size), name, size);
}

WRAP_SYMBOL(int, ttyname_r_chk, "__ttyname_r_chk", (int fd, char *name, size_t size, size_t room))
{
    return translate(REAL(ttyname_r_chk)(fd, name, size, room), name, size);
}

/* libc's own calls ptsname_r past ours. */
WRAP(int, openpty, (int *master, int *slave, char *name, const struct termios *termios, const struct winsize *size))
{
    int error = REAL(openpty)(master, slave, name, termios, size);

    if (!error && name)
        translate(0, name, 64);
    return error;
}
