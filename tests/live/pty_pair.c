/* Both ends of pseudo terminals in one process: settings, size, what is on its way in both directions (lines, end-of-file marks, an
 * unfinished line, raw bytes), packet mode, a closed slave, a hung up one, one that was never opened. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "step.h"

static int cooked[2], raw[2], packet[2], closed, hung, fresh; /* master, slave */
static char name[64], raw_name[64];

static void make(int ends[2])
{
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
    CHECK(ends[1] >= 0);
}

static void put(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void expect(int fd, const char *text)
{
    char buffer[256];
    size_t size = strlen(text);

    for (size_t got = 0; got < size;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        CHECK(n > 0 && got + (size_t)n <= size);
        if (memcmp(buffer, text + got, (size_t)n))
            FAIL("step %d: \"%.*s\" instead of \"%s\"", step_number_, (int)n, buffer, text + got);
        got += (size_t)n;
    }
}

static bool silent(int fd)
{
    struct pollfd set = {.fd = fd, .events = POLLIN};

    return poll(&set, 1, 0) == 0;
}

static int events(int fd)
{
    struct pollfd set = {.fd = fd, .events = POLLIN};

    poll(&set, 1, 0);
    return set.revents;
}

static void wait_for(int fd)
{
    struct pollfd set = {.fd = fd, .events = POLLIN};

    CHECK(poll(&set, 1, 10000) == 1);
}

static void build(void)
{
    put(cooked[0], "first line\nsecond\x04\x04third li"); /* echoed */
    wait_for(cooked[0]);
    put(cooked[1], "out\n");
    put(raw[0], "a\003b\rc\004");
    put(raw[1], "x\ny");
    put(packet[1], "p");
}

static void check(void)
{
    char buffer[256], old[64];
    struct termios settings;
    struct winsize size;
    int on = 0;

    expect(cooked[0], "first line\r\nsecondthird liout\r\n");
    CHECK(silent(cooked[0]));
    expect(cooked[1], "first line\n");
    expect(cooked[1], "second");
    CHECK(read(cooked[1], buffer, sizeof buffer) == 0);
    CHECK(silent(cooked[1]));
    put(cooked[0], "\177ne\n"); /* the unfinished line can still be edited */
    expect(cooked[1], "third lne\n");
    expect(cooked[0], "\b \bne\r\n");
    expect(raw[1], "a\003b\rc\004");
    expect(raw[0], "x\ny");
    CHECK(silent(raw[0]) && silent(raw[1]));
    wait_for(packet[0]);
    CHECK(read(packet[0], buffer, sizeof buffer) == 2 && buffer[0] == TIOCPKT_DATA && buffer[1] == 'p');
    CHECK(ioctl(packet[0], TIOCGPKT, &on) == 0 && on == 1);
    CHECK(tcgetattr(raw[1], &settings) == 0 && !(settings.c_lflag & (ICANON | ECHO | ISIG)) && settings.c_cc[VTIME] == 3);
    CHECK(tcgetattr(cooked[1], &settings) == 0 && settings.c_lflag & ICANON && settings.c_lflag & ECHO && settings.c_cc[VKILL] == 'K');
    CHECK(ioctl(cooked[1], TIOCGWINSZ, &size) == 0 && size.ws_row == 17 && size.ws_col == 71);
    CHECK(events(closed) & POLLHUP);
    CHECK(read(hung, buffer, sizeof buffer) == 0 && tcgetattr(hung, &settings) == -1 && errno == EIO);
    CHECK(events(fresh) == 0);
    CHECK(ioctl(fresh, TIOCGPTLCK, &on) == 0 && on == 1);
    CHECK(fcntl(raw[0], F_GETFL) & O_NONBLOCK && !(fcntl(cooked[0], F_GETFL) & O_NONBLOCK));
    CHECK(fcntl(raw[0], F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(raw[1], F_GETFD) == 0);
    /* The names that the program has kept. */
    CHECK(strcmp(ptsname(cooked[0]), name) == 0 && strcmp(ptsname(raw[0]), raw_name) == 0);
    CHECK(ttyname_r(cooked[1], old, sizeof old) == 0 && strcmp(old, name) == 0);
    CHECK(strcmp(ttyname(raw[1]), raw_name) == 0);
    int again = open(name, O_RDWR | O_NOCTTY);
    CHECK(again >= 0);
    put(again, "by name\n");
    expect(cooked[0], "by name\r\n");
    struct stat by_name, here;
    CHECK(stat(name, &by_name) == 0 && fstat(again, &here) == 0 && by_name.st_ino == here.st_ino && by_name.st_rdev == here.st_rdev);
    CHECK(access(name, R_OK | W_OK) == 0);
    close(again);
    build();
}

int main(void)
{
    struct termios settings;
    struct winsize size = {.ws_row = 17, .ws_col = 71};
    int ends[2], on = 1;

    make(cooked);
    make(raw);
    make(packet);
    make(ends);
    closed = ends[0];
    close(ends[1]);
    make(ends);
    hung = ends[1];
    close(ends[0]);
    fresh = posix_openpt(O_RDWR | O_NOCTTY);
    strcpy(name, ptsname(cooked[0]));
    strcpy(raw_name, ptsname(raw[0]));
    CHECK(ioctl(cooked[0], TIOCSWINSZ, &size) == 0 && tcgetattr(cooked[1], &settings) == 0);
    settings.c_cc[VKILL] = 'K';
    CHECK(tcsetattr(cooked[1], TCSANOW, &settings) == 0 && tcgetattr(raw[1], &settings) == 0);
    cfmakeraw(&settings);
    settings.c_cc[VTIME] = 3;
    CHECK(tcsetattr(raw[1], TCSANOW, &settings) == 0);
    CHECK(ioctl(packet[0], TIOCPKT, &on) == 0);
    fcntl(raw[0], F_SETFL, O_RDWR | O_NONBLOCK);
    build();
    while (step())
        check();
    return 0;
}
