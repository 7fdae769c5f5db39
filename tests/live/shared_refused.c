/* A child holds what can't be restored; parent and child share a file with an owner for its signals. A refused checkpoint changes nothing. */
#include <signal.h>

#include "shared.h"

static int file, watch = -1;

static int work(int round, void *unused)
{
    char byte;

    if (!round)
        CHECK((watch = (int)syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */)) >= 0);
    else if (watch >= 0 && round > 1)
        close(watch), watch = -1;
    CHECK(read(file, &byte, 1) == 1);
    return byte;
}

int main(void)
{
    CHECK((file = open("text", O_RDWR | O_CREAT | O_TRUNC, 0600)) >= 0 && write(file, "abcdefgh", 8) == 8 && lseek(file, 0, SEEK_SET) == 0);
    CHECK(fcntl(file, F_SETSIG, SIGUSR1) == 0 && fcntl(file, F_SETOWN, getpid()) == 0);
    struct child child = child_start(work, NULL);
    CHECK(child_ask(&child) == 'a');
    for (char expected = 'b'; step(); expected++) {
        CHECK(child_ask(&child) == expected);
        CHECK(fcntl(file, F_GETSIG) == SIGUSR1 && fcntl(file, F_GETOWN) == getpid());
    }
    child_end(&child);
    printf("at %d\n", (int)lseek(file, 0, SEEK_CUR));
    return 0;
}
