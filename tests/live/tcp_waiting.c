/* TCP connections that nobody has accepted at the checkpoint, from the same process and from another: silent, with a request, with a request and its
 * end, with more than fits into the receive buffer; and one that can't be made yet because too many wait. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "shared.h"

#define LONG 300000

static struct sockaddr_in address = {.sin_family = AF_INET};
static socklen_t size = sizeof address;
static int theirs = -1;

static int connected(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && connect(fd, (void *)&address, sizeof address) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
    char bytes[64];
    size_t got = 0;

    while (got < strlen(text)) {
        ssize_t n = read(fd, bytes + got, strlen(text) - got);
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(!memcmp(bytes, text, got));
}

/* Connects and asks; then has the answer. */
static int other_process(int round, void *unused)
{
    if (round % 2 == 0) {
        theirs = connected();
        say(theirs, "their request");
    } else {
        hear(theirs, "answer to them");
        close(theirs);
    }
    return 0;
}

static size_t stuff(int fd)
{
    static char block[LONG];
    size_t sent = 0;

    for (size_t i = 0; i < LONG; i++)
        block[i] = (char)(i % 251);
    while (sent < LONG) {
        ssize_t n = send(fd, block + sent, LONG - sent, MSG_DONTWAIT);
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    return sent;
}

static void unstuff(int fd, size_t expected)
{
    unsigned char byte[4096];
    size_t got = 0;

    while (got < expected) {
        ssize_t n = read(fd, byte, sizeof byte);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++, got++)
            CHECK(byte[i] == got % 251);
    }
    CHECK(got == expected);
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), narrow = socket(AF_INET, SOCK_STREAM, 0), small = 8192;
    struct sockaddr_in full = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
    CHECK(bind(listener, (void *)&address, size) == 0 && listen(listener, 20) == 0 && getsockname(listener, (void *)&address, &size) == 0);
    CHECK(bind(narrow, (void *)&full, size) == 0 && listen(narrow, 0) == 0 && getsockname(narrow, (void *)&full, &size) == 0);
    struct child child = child_start(other_process, NULL);
    for (int round = 0;; round++) {
        struct sockaddr_in before[4], now;
        int client[4];
        for (int i = 0; i < 4; i++) {
            client[i] = connected();
            CHECK(getsockname(client[i], (void *)&before[i], &size) == 0);
        }
        say(client[1], "request");
        say(client[2], "whole request");
        CHECK(shutdown(client[2], SHUT_WR) == 0);
        size_t stuffed = stuff(client[3]);
        CHECK(child_ask(&child) == 0);

        /* One waits, the other can't be made. */
        int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
        CHECK(connect(first, (void *)&full, sizeof full) == 0);
        CHECK(connect(second, (void *)&full, sizeof full) == -1 && errno == EINPROGRESS);

        bool more = step();
        if (!more)
            break;
        struct pollfd made = {.fd = second, .events = POLLOUT};
        CHECK(poll(&made, 1, 0) == 0);
        close(accept(narrow, NULL, NULL));
        close(accept(narrow, NULL, NULL)); /* waits until it is there */
        CHECK(poll(&made, 1, 30000) == 1 && getsockopt(second, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) == 0 && error == 0);
        close(first);
        close(second);

        int seen = 0;
        for (int i = 0; i < 5; i++) {
            int server = accept(listener, (void *)&now, &size), which = 0;
            CHECK(server >= 0);
            while (which < 4 && memcmp(&before[which], &now, size))
                which++;
            seen |= 1 << which;
            if (which == 0) {
                say(client[0], "after all");
                hear(server, "after all");
            }
            if (which == 1)
                hear(server, "request");
            if (which == 2) {
                char byte;
                hear(server, "whole request");
                CHECK(read(server, &byte, 1) == 0);
            }
            if (which == 3)
                unstuff(server, stuffed);
            if (which == 4) {
                hear(server, "their request");
                say(server, "answer to them");
            } else {
                say(server, "answer");
                hear(client[which], "answer");
                close(client[which]);
            }
            close(server);
        }
        CHECK(seen == 31);
        CHECK(child_ask(&child) == 0);
    }
    puts("all were accepted");
    return 0;
}
