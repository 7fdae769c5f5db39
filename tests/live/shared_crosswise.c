/* Eight processes, 25 files each opened by one of them before the next is forked: every process shares with all of its descendants, and reads from all
 * that it has. */
#include <signal.h>

#include "shared.h"

#define PROCESSES 8
#define EACH 25

static int files[PROCESSES * EACH], count, depth, pipes[PROCESSES][2];
static struct child next;

static int work(int round, void *unused);

static void grow(void)
{
    for (int i = 0; i < EACH; i++) {
        char name[32];
        snprintf(name, sizeof name, "file%d", (depth + i) % 5); /* not as many files as descriptions */
        int fd = open(name, O_RDONLY);
        CHECK(fd >= 0);
        CHECK(lseek(fd, count % 7, SEEK_SET) == count % 7);
        files[count++] = fd;
    }
    CHECK(pipe(pipes[depth]) == 0);
    depth++;
    if (depth < PROCESSES)
        next = child_start(work, NULL);
}

/* Every process reads one byte of every description that it has: all see the sum. */
static int work(int round, void *unused)
{
    int passed = 0;
    unsigned char byte;

    if (!round)
        grow();
    for (int i = 0; i < count; i++) {
        long at = lseek(files[i], 0, SEEK_CUR);
        CHECK(read(files[i], &byte, 1) == 1 && byte == (unsigned char)at);
        passed++;
    }
    for (int i = 0; i < depth; i++)
        CHECK(write(pipes[i][1], "x", 1) == 1);
    return depth < PROCESSES ? passed + child_ask(&next) : passed;
}

int main(void)
{
    unsigned char bytes[4096];
    char text[PROCESSES + 1];
    int round = 0;

    for (int i = 0; i < (int)sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "file%d", i);
        int fd = open(text, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        CHECK(fd >= 0 && write(fd, bytes, sizeof bytes) == sizeof bytes && close(fd) == 0);
    }
    do {
        CHECK(work(round++, NULL) == EACH * PROCESSES * (PROCESSES + 1) / 2);
        for (int i = 0; i < EACH; i++) /* ours: all have read */
            CHECK(lseek(files[i], 0, SEEK_CUR) == i % 7 + round * PROCESSES);
        if (round > 1)
            CHECK(read(pipes[0][0], text, PROCESSES) == PROCESSES);
    } while (step());
    CHECK(read(pipes[0][0], text, PROCESSES) == PROCESSES);
    child_end(&next);
    printf("%d rounds\n", round);
    return 0;
}
