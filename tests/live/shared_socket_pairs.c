/* Socket pairs between processes: streams, datagrams and sequenced packets, with what is queued both ways, between a parent and a child and
 * between siblings; one as standard input. */
#include <signal.h>
#include <sys/socket.h>

#include "shared.h"

static const int types[3] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
static int pairs[3][2], between[2], input[2];

static void talk(int fd, const char *word)
{
    CHECK(send(fd, word, strlen(word), 0) == (ssize_t)strlen(word));
    CHECK(send(fd, "second", 6, 0) == 6);
}

static void listen_to(int fd, int type, const char *word)
{
    char text[64] = "";
    size_t length = strlen(word);

    if (type == SOCK_STREAM) {
        CHECK(recv(fd, text, length + 6, MSG_WAITALL) == (ssize_t)length + 6);
        CHECK(!memcmp(text, word, length) && !memcmp(text + length, "second", 6));
        return;
    }
    CHECK(recv(fd, text, sizeof text, 0) == (ssize_t)length && !memcmp(text, word, length));
    CHECK(recv(fd, text, sizeof text, 0) == 6 && !memcmp(text, "second", 6));
}

static int first_work(int round, void *unused)
{
    char text[8];

    if (!round) {
        for (int i = 0; i < 3; i++)
            close(pairs[i][0]);
        close(between[1]);
        close(input[0]);
        CHECK(dup2(input[1], 0) == 0 && close(input[1]) == 0);
    } else {
        for (int i = 0; i < 3; i++)
            listen_to(pairs[i][1], types[i], "down");
        listen_to(between[0], SOCK_STREAM, "across");
        CHECK(read(0, text, 5) == 5 && !memcmp(text, "input", 5));
    }
    for (int i = 0; i < 3; i++)
        talk(pairs[i][1], "upwards");
    return 1;
}

static int second_work(int round, void *unused)
{
    if (!round)
        close(between[0]);
    talk(between[1], "across");
    return 2;
}

int main(void)
{
    for (int i = 0; i < 3; i++)
        CHECK(socketpair(AF_UNIX, types[i], 0, pairs[i]) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, between) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, input) == 0);
    struct child first = child_start(first_work, NULL), second = child_start(second_work, NULL);
    close(between[0]);
    close(between[1]);
    close(input[1]);
    for (int i = 0; i < 3; i++)
        close(pairs[i][1]);
    int size = 100000, again;
    socklen_t length = sizeof again;
    CHECK(setsockopt(pairs[0][0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    CHECK(child_ask(&first) == 1);
    bool more = true;
    while (more) {
        for (int i = 0; i < 3; i++)
            talk(pairs[i][0], "down");
        CHECK(write(input[0], "input", 5) == 5);
        CHECK(child_ask(&second) == 2);
        more = step();
        for (int i = 0; i < 3; i++) {
            int type;
            length = sizeof type;
            CHECK(getsockopt(pairs[i][0], SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == types[i]);
            listen_to(pairs[i][0], types[i], "upwards");
        }
        CHECK(getsockopt(pairs[0][0], SOL_SOCKET, SO_SNDBUF, &again, &length) == 0 && again == 2 * size);
        CHECK(child_ask(&first) == 1);
    }
    child_end(&second);
    child_end(&first);
    for (int i = 0; i < 3; i++)
        listen_to(pairs[i][0], types[i], "upwards");
    char byte;
    CHECK(recv(pairs[0][0], &byte, 1, 0) == 0 && recv(pairs[2][0], &byte, 1, 0) == 0);
    CHECK(recv(input[0], &byte, 1, 0) == 0);
    puts("pairs kept");
    return 0;
}
