/* Datagram sockets: named and not, connected one way and both, with queued messages of several senders, also of one that has closed, and empty
 * ones. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared.h"

static struct sockaddr_un address_of(const char *name, socklen_t *size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (name[0] == '@')
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s-%d", name + 1, getpid());
    else
        snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + (name[0] == '@')));
    return address;
}

static int bound(const char *name)
{
    socklen_t size;
    struct sockaddr_un address = address_of(name, &size);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    CHECK(bind(fd, (void *)&address, size) == 0);
    return fd;
}

static void to(int fd, const char *name, const char *text)
{
    socklen_t size;
    struct sockaddr_un address = address_of(name, &size);

    CHECK(sendto(fd, text, strlen(text), 0, (void *)&address, size) == (ssize_t)strlen(text));
}

static void from(int fd, const char *name, const char *text)
{
    struct sockaddr_un address, expected = {0};
    socklen_t size = sizeof address, expected_size = 0;
    char bytes[64];

    if (name)
        expected = address_of(name, &expected_size);
    CHECK(recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&address, &size) == (ssize_t)strlen(text));
    CHECK(!memcmp(bytes, text, strlen(text)));
    CHECK(size == expected_size && (!size || !memcmp(&address, &expected, size)));
}

int main(void)
{
    socklen_t size;
    struct sockaddr_un address;
    int server = bound("server"), abstract = bound("@abstract"), one = bound("one"), both = bound("both"), unnamed, half[2];

    unnamed = socket(AF_UNIX, SOCK_DGRAM, 0);
    address = address_of("server", &size);
    CHECK(connect(one, (void *)&address, size) == 0 && connect(unnamed, (void *)&address, size) == 0);
    address = address_of("@abstract", &size);
    CHECK(connect(both, (void *)&address, size) == 0);
    address = address_of("both", &size);
    CHECK(connect(abstract, (void *)&address, size) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, half) == 0 && send(half[1], "last", 4, 0) == 4 && close(half[1]) == 0);
    for (bool more = true; more;) {
        int gone = bound("gone");
        to(gone, "server", "from one that leaves");
        close(gone);
        unlink("gone");
        CHECK(send(one, "from one", 8, 0) == 8 && send(unnamed, "", 0, 0) == 0 && send(unnamed, "no name", 7, 0) == 7);
        CHECK(send(both, "there", 5, 0) == 5 && send(abstract, "and back", 8, 0) == 8);
        to(server, "one", "crosswise");
        more = step();
        from(server, "gone", "from one that leaves");
        from(server, "one", "from one");
        from(server, NULL, "");
        from(server, NULL, "no name");
        from(abstract, "both", "there");
        from(both, "@abstract", "and back");
        from(one, "server", "crosswise");
        CHECK(recv(server, &size, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
        char bytes[8];
        if (step_number_ == 1) {
            CHECK(recv(half[0], bytes, sizeof bytes, MSG_DONTWAIT) == 4 && !memcmp(bytes, "last", 4));
        }
        CHECK(send(half[0], "x", 1, MSG_NOSIGNAL) == -1 && (errno == ECONNREFUSED || errno == ENOTCONN)); /* the first also disconnects */
    }
    puts("datagrams kept");
    return 0;
}
