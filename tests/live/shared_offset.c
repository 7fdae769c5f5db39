/* One open file description in a parent, its child and its grandchild: one offset, one set of status flags; numbers and close-on-exec flags of
 * their own. The same file opened twice stays two descriptions. */
#include "shared.h"

static int file, separate, number;
static struct child grandchild;

static int read_one(void)
{
    unsigned char byte;

    CHECK(read(number, &byte, 1) == 1);
    return byte;
}

static int grandchild_work(int round, void *unused)
{
    CHECK(lseek(separate, 0, SEEK_CUR) == 100); /* as forked */
    CHECK(fcntl(number, F_GETFD) == 0);
    return read_one();
}

static int child_work(int round, void *unused)
{
    if (!round) {
        CHECK(dup2(file, 700) == 700 && close(file) == 0);
        number = 700;
        separate = open("bytes", O_RDONLY);
        CHECK(lseek(separate, 100, SEEK_SET) == 100);
        grandchild = child_start(grandchild_work, NULL);
        CHECK(fcntl(number, F_SETFD, FD_CLOEXEC) == 0);
    }
    CHECK(fcntl(number, F_GETFD) == FD_CLOEXEC);
    CHECK(!!(fcntl(number, F_GETFL) & O_NONBLOCK) == (round & 1));
    int byte = read_one();
    CHECK(child_ask(&grandchild) == byte + 1);
    return byte;
}

int main(void)
{
    unsigned char bytes[256];
    int expected = 0;

    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    file = open("bytes", O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(file >= 0 && write(file, bytes, 256) == 256 && lseek(file, 0, SEEK_SET) == 0);
    number = file;
    struct child child = child_start(child_work, NULL);
    CHECK(child_ask(&child) == 0);
    for (int round = 1;; round++) {
        expected += 2;
        CHECK(fcntl(file, F_SETFL, round & 1 ? O_NONBLOCK : 0) == 0);
        if (!step())
            break;
        CHECK(lseek(file, 0, SEEK_CUR) == expected);
        CHECK(fcntl(file, F_GETFD) == 0);
        CHECK(read_one() == expected);
        expected++;
        CHECK(child_ask(&child) == expected);
        CHECK(lseek(file, 0, SEEK_CUR) == expected + 2);
    }
    kill(child.pid, SIGKILL);
    printf("offset %d\n", (int)lseek(file, 0, SEEK_CUR));
    return 0;
}
