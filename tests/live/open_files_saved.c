/* Two open files that grow with each step; a child that has one of them open by itself. */
#include "shared.h"

static int data, log_file, own;

static int work(int round, void *unused)
{
    char byte = 0;

    if (!round)
        CHECK((own = open("dir/data", O_RDONLY)) >= 0);
    CHECK(pread(own, &byte, 1, 0) == 1);
    return byte;
}

int main(void)
{
    char text[64];
    int round = 0;

    CHECK((data = open("dir/data", O_RDWR | O_CREAT | O_TRUNC, 0640)) >= 0 && pwrite(data, "begin", 5, 1 << 20) == 5 && write(data, "A", 1) == 1);
    CHECK((log_file = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600)) >= 0 && write(log_file, "line 0\n", 7) == 7);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    while (step()) {
        CHECK(child_ask(&child) == 'A' + round && lseek(data, 0, SEEK_CUR) == 1);
        CHECK(pread(data, text, 5, 1 << 20) == 5 && !memcmp(text, "begin", 5));
        CHECK(lseek(log_file, 0, SEEK_END) == 7 * (round + 1));
        round++;
        snprintf(text, sizeof text, "line %d\n", round);
        CHECK(write(log_file, text, 7) == 7);
        text[0] = (char)('A' + round);
        CHECK(pwrite(data, text, 1, 0) == 1);
    }
    child_end(&child);
    puts("came back");
    return 0;
}
