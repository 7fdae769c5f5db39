/* What the program was started with and does not own: the terminal, and the pipes and sockets of the shell around it. After a
 * restart, the streams of dmtcp_restart take their place. */
#include "fd.h"
#include "library.h"
#include "str.h"
#include "sys.h"
#include "unix_diag.h"

#include <sys/sysmacros.h>

/* What the launch found there, or the last restart. Others may stand there as well: a pipe that the program's own, ended process wrote to. */
static bool is_launch_stream(const struct description *d)
{
    uint64_t stream = conf_stream(d->st.st_dev, d->st.st_ino);

    return stream == lib.conf.stream0 || stream == lib.conf.stream1 || stream == lib.conf.stream2;
}

/* Another end of this pipe or pair in the hands of the computation? Then it is the program's own, wherever it stands. */
static bool other_end_inside(const struct description *d)
{
    struct unix_diag diag;

    if (S_ISFIFO(d->st.st_mode))
        return fd_other_mode_held(d);
    if (unix_diag((uint32_t)d->st.st_ino, &diag, NULL) < 0)
        return false;
    return diag.listening || !diag.connected || (diag.peer && fd_held(d->st.st_dev, diag.peer));
}

static bool standard_claim(const struct description *d)
{
    return d->standard && (S_ISSOCK(d->st.st_mode) || S_ISFIFO(d->st.st_mode)) && is_launch_stream(d) && !other_end_inside(d);
}

static long standard_restore(struct description *d, int low, char *problem, size_t size)
{
    return fd_inherited(d, low);
}

/* tty(4), console(4), pts(4): devices.txt in the kernel's documentation. */
static bool terminal_claim(const struct description *d)
{
    unsigned number = major(d->st.st_rdev);

    return S_ISCHR(d->st.st_mode) && (number == 4 || (number == 5 && minor(d->st.st_rdev) != 2) || (number >= 136 && number <= 143) ||
                                      number == 204 || number == 229);
}

/* A terminal that the program opened itself becomes the terminal of dmtcp_restart too; without one, a standard stream stands in. */
static long terminal_restore(struct description *d, int low, char *problem, size_t size)
{
    if (!d->standard) {
        long fd = fd_lift(sys_open("/dev/tty", (int)(d->flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC, 0), low);
        if (fd >= 0)
            return fd;
    }
    return fd_inherited(d, low);
}

const struct fd_kind fd_standard = {.name = "standard stream", .claim = standard_claim, .restore = standard_restore};
const struct fd_kind fd_terminal = {.name = "terminal", .claim = terminal_claim, .restore = terminal_restore};
