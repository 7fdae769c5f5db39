/* Descriptors in flight between three processes: of descriptions that others hold, of the ends of pipes and sockets whose other ends others hold,
 * and of what nobody holds. */
#include <sys/eventfd.h>

#include "rights.h"
#include "shared.h"

static int down[2], across[2]; /* parent to first child; first child to second */
static int file, pipe_ends[2], line[2];

static void close_pair(int *pair, int which)
{
    close(pair[which]);
    pair[which] = -1;
}

static void first_sends(void)
{
    int event = eventfd(3, EFD_NONBLOCK), later[2], inner[2];

    CHECK(event >= 0 && pipe(later) == 0 && write(later[1], "later", 5) == 5 && socketpair(AF_UNIX, SOCK_DGRAM, 0, inner) == 0);
    send_rights(inner[0], "nested", &later[0], 1);
    send_rights(across[0], "across", (int[]){event, inner[1], line[1], file}, 4);
    close(event);
    for (int i = 0; i < 2; i++)
        close(later[i]), close(inner[i]);
}

static int first_work(int round, void *unused)
{
    int fds[2];

    if (!round) {
        close_pair(down, 0);
        close_pair(across, 1);
        close_pair(line, 0);
        close_pair(pipe_ends, 0);
        close_pair(pipe_ends, 1);
    } else {
        receive_rights(down[1], "down", fds, 2);
        CHECK(lseek(fds[0], 0, SEEK_CUR) == lseek(file, 0, SEEK_CUR) && lseek(fds[0], 10, SEEK_CUR) == lseek(file, 0, SEEK_CUR));
        CHECK(write(fds[1], "piped", 5) == 5);
        close(fds[0]);
        close(fds[1]);
    }
    first_sends();
    return 1;
}

static int second_work(int round, void *unused)
{
    int fds[4], later;
    char text[16];
    uint64_t value;

    if (!round) {
        close_pair(across, 0);
        close_pair(line, 0);
        close_pair(line, 1);
        close_pair(pipe_ends, 1);
        close(file);
        return 2;
    }
    receive_rights(across[1], "across", fds, 4);
    CHECK(read(fds[0], &value, sizeof value) == sizeof value && value == 3);
    receive_rights(fds[1], "nested", &later, 1);
    CHECK(read(later, text, sizeof text) == 5 && !memcmp(text, "later", 5) && read(later, text, sizeof text) == 0);
    CHECK(write(fds[2], "line", 4) == 4);
    CHECK(read(pipe_ends[0], text, 5) == 5 && !memcmp(text, "piped", 5));
    value = (uint64_t)lseek(fds[3], 0, SEEK_CUR);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(later);
    return (int)value;
}

static void parent_sends(int pipe_end)
{
    send_rights(down[0], "down", (int[]){file, pipe_end}, 2);
}

int main(void)
{
    char text[8];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, down) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, across) == 0);
    CHECK(pipe(pipe_ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    CHECK((file = open("file", O_RDWR | O_CREAT, 0600)) >= 0);
    struct child first = child_start(first_work, NULL), second = child_start(second_work, NULL);
    close_pair(down, 1);
    close(across[0]);
    close(across[1]);
    close_pair(pipe_ends, 0);
    close_pair(line, 1);
    CHECK(child_ask(&first) == 1 && child_ask(&second) == 2);
    parent_sends(pipe_ends[1]);
    while (step()) {
        CHECK(child_ask(&first) == 1);
        int expected = (int)lseek(file, 0, SEEK_CUR);
        CHECK(child_ask(&second) == expected && expected >= 10);
        CHECK(recv(line[0], text, sizeof text, 0) == 4 && !memcmp(text, "line", 4));
        parent_sends(pipe_ends[1]);
    }
    child_end(&second);
    child_end(&first);
    CHECK(recv(line[0], text, sizeof text, 0) == 0);
    puts("all arrived");
    return 0;
}
