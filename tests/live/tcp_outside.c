/* TCP connections whose other end is not of the computation: to a server outside, from a client outside, with data to be read. A checkpoint leaves
 * them alone; after a restart what had arrived can be read, then they have been reset, and new ones are made. The outside is this program itself,
 * started as `outside PORT`; it echoes, and connects to PORT. */
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "step.h"

static struct sockaddr_in local(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listening(const char *file)
{
    struct sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char name[64];

    CHECK(bind(fd, (void *)&address, size) == 0 && listen(fd, 5) == 0 && getsockname(fd, (void *)&address, &size) == 0);
    snprintf(name, sizeof name, "%s.new", file);
    FILE *out = fopen(name, "w");
    CHECK(out && fprintf(out, "%d\n", ntohs(address.sin_port)) > 0 && fclose(out) == 0 && rename(name, file) == 0);
    return fd;
}

static int connected(const char *file)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0), port = 0;
    FILE *in = fopen(file, "r");

    CHECK(in && fscanf(in, "%d", &port) == 1 && fclose(in) == 0);
    address = local(port);
    CHECK(connect(fd, (void *)&address, sizeof address) == 0);
    return fd;
}

/* Echoes on all connections; makes one when told to. */
static int outside(void)
{
    int listener = listening("server.port");
    char text[100];
    fd_set all;

    signal(SIGPIPE, SIG_IGN);
    FD_ZERO(&all);
    FD_SET(listener, &all);
    for (;;) {
        struct timeval wait = {.tv_usec = 2000};
        fd_set set = all;
        if (access("client.port", F_OK) == 0) {
            int fd = connected("client.port");
            FD_SET(fd, &all);
            CHECK(write(fd, "hello", 5) == 5);
            unlink("client.port");
        }
        if (select(64, &set, NULL, NULL, &wait) < 1)
            continue;
        for (int fd = 0; fd < 64; fd++) {
            if (!FD_ISSET(fd, &set))
                continue;
            if (fd == listener) {
                int connection = accept(listener, NULL, NULL);
                FD_SET(connection, &all);
                continue;
            }
            ssize_t n = read(fd, text, sizeof text);
            if (n <= 0 || write(fd, text, (size_t)n) != n) {
                FD_CLR(fd, &all);
                close(fd);
            }
        }
    }
}

static void peek(int fd)
{
    char text[8];

    CHECK(recv(fd, text, 5, MSG_PEEK | MSG_WAITALL) == 5);
}

static void hear(int fd)
{
    char text[8];

    CHECK(recv(fd, text, 5, MSG_WAITALL) == 5 && !memcmp(text, "hello", 5));
}

static void is_broken(int fd)
{
    char byte;

    CHECK(read(fd, &byte, 1) == -1 && errno == ECONNRESET);
    CHECK(write(fd, "x", 1) == -1 && errno == EPIPE);
    CHECK(read(fd, &byte, 1) == 0);
    close(fd);
}

int main(int count, char **arguments)
{
    if (count > 1 && !strcmp(arguments[1], "outside"))
        return outside();
    signal(SIGPIPE, SIG_IGN);
    int listener = listening("client.port"), server = connected("server.port"), client = accept(listener, NULL, NULL), silent = connected("server.port");
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;

    for (int round = 0;; round++) {
        CHECK(write(server, "hello", 5) == 5);
        peek(server);
        if (client >= 0) {
            peek(client);
            CHECK(write(client, "hello", 5) == 5); /* comes back behind the first */
            char text[10];
            CHECK(recv(client, text, 10, MSG_PEEK | MSG_WAITALL) == 10);
        }
        if (!step())
            break;
        CHECK(getpeername(server, (void *)&peer, &size) == (access("restarted", F_OK) ? 0 : -1));
        hear(server);
        hear(client);
        if (access("restarted", F_OK) == 0) {
            hear(client); /* what was only in the queue */
            is_broken(client);
            is_broken(server);
            is_broken(silent);
            server = connected("server.port");
            silent = connected("server.port");
            int again = listening("client.port");
            close(listener);
            listener = again;
            client = accept(listener, NULL, NULL);
            CHECK(client >= 0);
            unlink("restarted");
        }
    }
    puts("outside left alone");
    return 0;
}
