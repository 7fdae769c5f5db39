/* FIFOs: within a process and between two, modes, contents, one whose name was removed, one that nobody else has. */
#include <signal.h>
#include <sys/stat.h>

#include "shared.h"

static int outward, both, reader;

static int work(int round, void *unused)
{
    char text[8];

    if (!round)
        CHECK((outward = open("between", O_WRONLY)) >= 0);
    else
        CHECK(read(both, text, 4) == 4 && !memcmp(text, "both", 4));
    CHECK(write(outward, "word", 4) == 4);
    return 1;
}

int main(void)
{
    char text[64];
    struct stat status;
    int inner[2];

    CHECK(mkfifo("between", 0640) == 0 && mkfifo("both", 0600) == 0 && mkfifo("inner", 0600) == 0 && mkfifo("alone", 0600) == 0);
    both = open("both", O_RDWR);
    inner[0] = open("inner", O_RDONLY | O_NONBLOCK);
    inner[1] = open("inner", O_WRONLY | O_CLOEXEC);
    int alone = open("alone", O_RDONLY | O_NONBLOCK);
    CHECK(both >= 0 && inner[0] >= 0 && inner[1] >= 0 && alone >= 0);
    CHECK(fcntl(inner[1], F_SETPIPE_SZ, 8192) == 8192 && unlink("inner") == 0);
    struct child child = child_start(work, NULL);
    int value = 0;
    CHECK(write(child.ask, &value, sizeof value) == sizeof value);
    reader = open("between", O_RDONLY);
    CHECK(reader >= 0 && read(child.answer, &value, sizeof value) == sizeof value);
    bool more = true;
    while (more) {
        CHECK(write(inner[1], "inner", 5) == 5 && write(both, "both", 4) == 4);
        more = step();
        CHECK(read(reader, text, sizeof text) == 4 && !memcmp(text, "word", 4));
        CHECK(read(inner[0], text, sizeof text) == 5 && !memcmp(text, "inner", 5));
        CHECK(read(inner[0], text, sizeof text) == -1 && errno == EAGAIN);
        CHECK(read(alone, text, sizeof text) == 0);
        CHECK(fcntl(inner[1], F_GETFD) == FD_CLOEXEC && fcntl(inner[1], F_GETPIPE_SZ) == 8192);
        CHECK((fcntl(both, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_RDWR && (fcntl(inner[0], F_GETFL) & O_NONBLOCK));
        CHECK(fstat(reader, &status) == 0 && S_ISFIFO(status.st_mode) && (status.st_mode & 0777) == 0640);
        CHECK(stat("between", &status) == 0 && S_ISFIFO(status.st_mode));
        CHECK(child_ask(&child) == 1);
    }
    child_end(&child);
    CHECK(read(reader, text, sizeof text) == 4 && read(reader, text, sizeof text) == 0);
    puts("FIFOs kept");
    return 0;
}
