/* Ten thousand descriptors in one process: as many descriptions of one device, numbers that share one description, and the highest number that
 * the limit allows, above a limit lowered since. */
#include <sys/resource.h>

#include "step.h"

#define MANY 10000

int main(void)
{
    struct rlimit limit, now;
    int base;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int many = limit.rlim_max > MANY + 100 ? MANY : (int)limit.rlim_max - 100;
    base = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(base >= 0 && write(base, "some text", 9) == 9);
    for (int i = 0; i < many; i++)
        CHECK((i % 2 ? open("/dev/null", O_RDONLY) : dup(base)) == base + 1 + i);
    int last = (int)limit.rlim_max - 1;
    CHECK(dup3(base, last, O_CLOEXEC) == last);
    CHECK(close(base + 20) == 0); /* for step() */
    limit.rlim_cur = 50;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int round = 0;
    while (step()) {
        CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 50 && now.rlim_max == limit.rlim_max);
        round++;
        CHECK(lseek(last, round, SEEK_SET) == round && fcntl(last, F_GETFD) == FD_CLOEXEC);
        for (int i = 0; i < many; i++)
            CHECK(i == 19 || (lseek(base + 1 + i, 0, SEEK_CUR) == (i % 2 ? 0 : round) && fcntl(base + 1 + i, F_GETFD) == 0));
        CHECK(fcntl(base + many + 1, F_GETFD) == -1);
    }
    puts("all there");
    return 0;
}
