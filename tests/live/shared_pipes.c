/* Pipes between processes: with contents, full with a writer blocked in it, with packets, with an end opened again through /proc, between siblings
 * whose parent has closed both ends, and with a closed end. */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "shared.h"

static int plain[2], packets[2], full[2], siblings[2], ended[2], again, standard[2];

static unsigned fill_byte(long at)
{
    return (unsigned)(at * 7 + at / 251) & 255;
}

static long written, taken;

/* Blocks: the pipe holds 64 KiB. */
static int writer_work(int round, void *unused)
{
    static unsigned char bytes[200000];

    close(full[0]);
    for (long i = 0; i < (long)sizeof bytes; i++)
        bytes[i] = (unsigned char)fill_byte(written + i);
    CHECK(write(full[1], bytes, sizeof bytes) == sizeof bytes);
    written += (long)sizeof bytes;
    return 1;
}

static int left_work(int round, void *unused)
{
    if (!round) {
        close(siblings[0]);
        CHECK(dup2(standard[1], 1) == 1);
    }
    CHECK(write(siblings[1], "sibling", 8) == 8);
    CHECK(write(1, "out", 4) == 4);
    return 2;
}

static int right_work(int round, void *unused)
{
    char text[64];

    if (!round) {
        close(siblings[1]);
        return 3;
    }
    CHECK(read(siblings[0], text, 8) == 8 && !strcmp(text, "sibling"));
    CHECK(write(packets[1], "one", 3) == 3 && write(packets[1], "three", 5) == 5);
    CHECK(write(plain[1], "plain", 5) == 5);
    return 3;
}

int main(void)
{
    char text[4096], path[64];
    struct stat status;
    int queued;

    CHECK(pipe(plain) == 0 && pipe2(packets, O_DIRECT) == 0 && pipe(full) == 0 && pipe(siblings) == 0 && pipe(ended) == 0 && pipe(standard) == 0);
    CHECK(fcntl(packets[1], F_SETPIPE_SZ, 1 << 17) == 1 << 17);
    CHECK(write(ended[1], "last words", 10) == 10 && close(ended[1]) == 0);
    struct child writer = child_start(writer_work, NULL), left = child_start(left_work, NULL), right = child_start(right_work, NULL);
    CHECK(close(siblings[0]) == 0 && close(siblings[1]) == 0 && close(packets[1]) == 0 && close(full[1]) == 0 && close(plain[1]) == 0);
    CHECK(close(standard[1]) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", plain[0]);
    again = open(path, O_RDONLY | O_NONBLOCK);
    CHECK(again >= 0 && child_ask(&right) == 3);
    bool more = true;
    for (int round = 0; more; round++) {
        CHECK(child_ask(&left) == 2 && child_ask(&right) == 3);
        int value = step_number_;
        CHECK(write(writer.ask, &value, sizeof value) == sizeof value);
        UNTIL(ioctl(full[0], FIONREAD, &queued) == 0 && queued == 65536);
        if (round)
            CHECK(write(packets[0], "x", 1) == -1);
        more = step();
        CHECK(fstat(plain[0], &status) == 0 && S_ISFIFO(status.st_mode));
        CHECK(read(plain[0], text, 3) == 3 && !memcmp(text, "pla", 3));
        CHECK(read(again, text, sizeof text) == 2 && !memcmp(text, "in", 2));
        CHECK(read(again, text, sizeof text) == -1 && errno == EAGAIN);
        CHECK(fcntl(again, F_GETFL) & O_NONBLOCK && !(fcntl(plain[0], F_GETFL) & O_NONBLOCK));
        CHECK(read(packets[0], text, sizeof text) == 3 && !memcmp(text, "one", 3));
        CHECK(read(packets[0], text, sizeof text) == 5 && !memcmp(text, "three", 5));
        CHECK(fcntl(packets[0], F_GETPIPE_SZ) == 1 << 17);
        CHECK(read(standard[0], text, 4) == 4 && !strcmp(text, "out"));
        for (long left_over = 200000; left_over;) {
            unsigned char bytes[3000];
            long n = read(full[0], bytes, left_over < 3000 ? (size_t)left_over : sizeof bytes);
            CHECK(n > 0);
            for (long i = 0; i < n; i++)
                CHECK(bytes[i] == fill_byte(taken + i));
            taken += n;
            left_over -= n;
        }
        CHECK(read(writer.answer, &value, sizeof value) == sizeof value && value == 1);
        CHECK(ioctl(ended[0], FIONREAD, &queued) == 0 && queued == 10);
    }
    child_end(&right);
    child_end(&left);
    child_end(&writer);
    CHECK(read(plain[0], text, 1) == 0 && read(packets[0], text, 1) == 0); /* theirs were the last ends */
    CHECK(read(standard[0], text, 1) == 0);
    CHECK(read(ended[0], text, 20) == 10 && read(ended[0], text, 20) == 0);
    printf("taken %ld\n", taken);
    return 0;
}
