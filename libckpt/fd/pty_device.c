/* Pseudo terminals, pty(7): reading takes bytes out, and there is no other way to learn what they are; so they are put back by writing them
 * again at the other end. Hazards:
 *
 * - The line discipline would act on what is written for the slave (echo, signals, erase): while it is put back, all of that is off, except
 *   canonical mode itself, or lines would run together. The settings may be set back only when the kernel has dealt with what was
 *   written, which it does in a worker of its own (flush_to_ldisc): `settle`.
 * - What canonical mode holds of an unfinished line can be read in raw mode only.
 * - Opening and closing the slave for a moment makes the master see a hangup if nobody else has it open. */
#include <asm/ioctls.h>

#include "arena.h"
#include "fmt.h"
#include "log.h"
#include "pty.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "pty"

#define READ_SIZE 8192
#define PATIENCE_NS 2000000000ull

long pty_open_slave(int master, int flags)
{
    long fd = syscall3(__NR_ioctl, master, TIOCGPTPEER, flags | O_NOCTTY);
    unsigned number;
    char path[32];

    if (fd != -ENOTTY && fd != -EINVAL)
        return fd;
    /* Before Linux 4.13. */
    fd = sys_ioctl(master, TIOCGPTN, &number);
    if (fd < 0)
        return fd;
    fmt(path, sizeof path, "/dev/pts/%d", (int)number);
    return sys_open(path, flags | O_NOCTTY, 0);
}

/* What one read gives, at the end of the list. Bytes, 0 at end-of-file, -EAGAIN when there is no more. */
static long take(int fd, bool line, struct pty_piece ***end)
{
    unsigned char buffer[READ_SIZE];
    long n = sys_read(fd, buffer, sizeof buffer);

    if (n < 0 || (n == 0 && !line))
        return n ? n : -EAGAIN;
    struct pty_piece *piece = arena_alloc(sizeof *piece + (size_t)n);
    if (!piece)
        return -ENOMEM;
    piece->size = (uint32_t)n;
    piece->line = line;
    memcpy(piece->bytes, buffer, (size_t)n);
    **end = piece;
    *end = &piece->next;
    return n;
}

static bool is_delimiter(const struct termios2 *settings, unsigned char byte)
{
    return byte == '\n' || (byte && (byte == settings->c_cc[VEOL] || byte == settings->c_cc[VEOL2]));
}

static long drain_slave(struct pty_device *device, int slave)
{
    struct pty_piece **end = &device->input;
    bool canonical = device->settings.c_lflag & ICANON;
    long n;

    for (unsigned empty = 0; canonical && (n = take(slave, true, &end)) != -EAGAIN;) {
        if (n < 0)
            return n;
        struct pty_piece *piece = device->input;
        while (piece->next)
            piece = piece->next;
        piece->ended = !n || !is_delimiter(&device->settings, piece->bytes[n - 1]);
        empty = n ? 0 : empty + 1;
        if (empty > 4096) /* no kernel holds more: it is hung up */
            return -EIO;
    }
    if (canonical) {
        struct termios2 raw = device->settings;
        raw.c_lflag &= ~(tcflag_t)ICANON;
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        n = sys_ioctl(slave, TCSETS2, &raw);
        if (n < 0)
            return n;
    }
    while ((n = take(slave, false, &end)) > 0)
        ;
    if (canonical)
        sys_ioctl(slave, TCSETS2, &device->settings);
    return n == -EAGAIN ? 0 : n;
}

/* poll(2) lets the kernel deal with what was written before it says that nothing is there. */
static bool readable(int fd)
{
    struct pollfd poll = {.fd = fd, .events = POLLIN};
    struct timespec now = {0};

    return sys_ppoll(&poll, 1, &now) > 0 && (poll.revents & POLLIN);
}

static bool hung_up(int fd)
{
    struct pollfd poll = {.fd = fd};
    struct timespec now = {0};

    return sys_ppoll(&poll, 1, &now) > 0 && (poll.revents & POLLHUP);
}

static long drain_master(struct pty_device *device, int master)
{
    struct pty_piece **end = &device->output;
    int off = 0, count = 0;
    long n = 0;

    if (device->packet)
        sys_ioctl(master, TIOCPKT, &off);
    while (readable(master) && !sys_ioctl(master, FIONREAD, &count) && count > 0 && (n = take(master, false, &end)) > 0)
        ;
    return n < 0 && n != -EAGAIN && n != -EIO ? n : 0;
}

long pty_drain(struct pty_device *device, int master, bool slave_held)
{
    long error = sys_ioctl(master, TCGETS2, &device->settings), slave;

    if (!error)
        error = sys_ioctl(master, TIOCGWINSZ, &device->size);
    if (error < 0)
        return error;
    sys_ioctl(master, TIOCGPTLCK, &device->locked);
    sys_ioctl(master, TIOCGPKT, &device->packet);
    sys_ioctl(master, TIOCGEXCL, &device->exclusive);
    device->closed = hung_up(master);
    device->fresh = !device->closed && !slave_held;
    device->drained = true;
    if (!device->fresh) { /* what may be in a fresh one can't be seen without opening it */
        int unlocked = 0;
        if (device->locked)
            sys_ioctl(master, TIOCSPTLCK, &unlocked);
        slave = pty_open_slave(master, O_RDWR | O_NONBLOCK);
        if (slave < 0)
            return slave;
        sys_ioctl((int)slave, TIOCGEXCL, &device->slave_exclusive);
        error = drain_slave(device, (int)slave);
        /* Before the slave is closed: closing is a hangup. */
        if (!error)
            error = drain_master(device, master);
        sys_close((int)slave);
    }
    return error;
}

/* --- putting back --- */

/* Whole, into a terminal that takes only so much at a time. */
static long put(int fd, const unsigned char *bytes, size_t size)
{
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;

    while (size) {
        long n = sys_write(fd, bytes, size);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
            continue;
        }
        struct pollfd poll = {.fd = fd, .events = POLLOUT};
        struct timespec wait = {.tv_nsec = 10000000};
        if ((n < 0 && n != -EAGAIN && n != -EINTR) || sys_now_ns(CLOCK_MONOTONIC) > deadline)
            return n < 0 ? n : -EIO;
        sys_ppoll(&poll, 1, &wait);
    }
    return 0;
}

/* Until the slave has as many bytes to read (complete lines, in canonical mode). */
static void settle(int slave, int bytes)
{
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    int there = 0;

    readable(slave);
    while (!sys_ioctl(slave, FIONREAD, &there) && there < bytes && sys_now_ns(CLOCK_MONOTONIC) < deadline)
        syscall3(__NR_sched_yield, 0, 0, 0);
}

/* A byte for end-of-file that is none of the data's. */
static unsigned char unused_byte(const struct pty_piece *pieces)
{
    bool used[256] = {[0] = true, ['\n'] = true};

    for (; pieces; pieces = pieces->next)
        for (uint32_t i = 0; i < pieces->size; i++)
            used[pieces->bytes[i]] = true;
    for (int byte = 4; byte < 256; byte++)
        if (!used[byte])
            return (unsigned char)byte;
    return 4;
}

static long put_input(const struct pty_device *device, int master, int slave)
{
    const int full = 4095; /* N_TTY_BUF_SIZE - 1: what the line discipline shows at most */
    struct termios2 quiet = device->settings;
    unsigned char end = unused_byte(device->input), delimiters[2] = {device->settings.c_cc[VEOL], device->settings.c_cc[VEOL2]};
    unsigned char *all;
    size_t size = 0, used = 0;
    int complete = 0;

    if (!device->input)
        return 0;
    for (const struct pty_piece *piece = device->input; piece; piece = piece->next) {
        size += piece->size + 1;
        complete += device->settings.c_lflag & ICANON && !piece->line ? 0 : (int)piece->size;
    }
    all = arena_alloc(size);
    if (!all)
        return -ENOMEM;
    for (const struct pty_piece *piece = device->input; piece; piece = piece->next) {
        memcpy(all + used, piece->bytes, piece->size);
        used += piece->size;
        if (piece->line && piece->ended)
            all[used++] = end;
    }
    quiet.c_iflag = 0;
    quiet.c_lflag = device->settings.c_lflag & ICANON;
    if (quiet.c_lflag) {
        memset(quiet.c_cc, 0, sizeof quiet.c_cc);
        quiet.c_cc[VEOF] = end;
        quiet.c_cc[VEOL] = delimiters[0];
    }
    long error = sys_ioctl(slave, TCSETS2, &quiet);
    if (!error) {
        /* One write, so that an unfinished line at the end is dealt with together with the line before, for which settle waits. */
        error = put(master, all, used);
        settle(slave, complete < full ? complete : full);
    }
    return error;
}

static long put_output(const struct pty_device *device, int slave)
{
    struct termios2 quiet = device->settings;
    long error = 0;

    if (!device->output)
        return 0;
    quiet.c_oflag = 0;
    error = sys_ioctl(slave, TCSETS2, &quiet);
    for (const struct pty_piece *piece = device->output; piece && !error; piece = piece->next)
        error = put(slave, piece->bytes, piece->size);
    return error;
}

static void set_exclusive(int fd, int exclusive)
{
    if (exclusive)
        sys_ioctl(fd, TIOCEXCL, NULL);
}

long pty_refill(struct pty_device *device, int master, bool restarted)
{
    bool has_data = device->input || device->output;
    long error = 0, slave = -1;
    int unlocked = 0;

    if (!device->drained)
        return 0;
    device->drained = false;
    if (restarted) {
        sys_ioctl(master, TIOCSWINSZ, &device->size);
        set_exclusive(master, device->exclusive);
    }
    if (has_data || restarted) {
        sys_ioctl(master, TIOCSPTLCK, &unlocked);
        /* A slave that was never opened has no data, and must not be opened now. */
        slave = device->fresh ? -1 : pty_open_slave(master, O_RDWR | O_NONBLOCK);
        if (slave >= 0)
            error = put_output(device, (int)slave);
        if (!error && slave >= 0)
            error = put_input(device, master, (int)slave);
        sys_ioctl(master, TCSETS2, &device->settings);
        if (slave >= 0 && restarted)
            set_exclusive((int)slave, device->slave_exclusive);
        if (slave >= 0)
            sys_close((int)slave);
        if (slave < 0 && !device->fresh && has_data)
            error = slave;
    }
    if (device->locked || restarted)
        sys_ioctl(master, TIOCSPTLCK, &device->locked);
    if (device->packet && (restarted || !device->fresh))
        sys_ioctl(master, TIOCPKT, &device->packet);
    if (error)
        log_error("what was on its way through a pseudo terminal could not be put back: %e", (int)error);
    return 0;
}
