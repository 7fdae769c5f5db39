/* Sockets whose other end is not of the computation: a stream and datagrams to a daemon (this program itself, started as `daemon`). A checkpoint
 * leaves them alone; after a restart the stream has ended, and the datagrams reach whoever has the path. */
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "step.h"

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int at(const char *directory, const char *name, int type, int (*call)(int, const struct sockaddr *, socklen_t))
{
    int fd = socket(AF_UNIX, type, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", directory, name);
    if (fd < 0 || call(fd, (void *)&address, sizeof address))
        FAIL("%s: errno %d", address.sun_path, errno);
    return fd;
}

/* Echoes on every connection. */
static int serve(void)
{
    int listener = at(".", "stream", SOCK_STREAM, bind), log = at(".", "log", SOCK_DGRAM, bind);
    char text[100];

    signal(SIGPIPE, SIG_IGN);
    if (listen(listener, 5))
        FAIL("listen");
    fclose(fopen("daemon.ready", "w"));
    for (;;) {
        fd_set set;
        static fd_set all;
        FD_SET(listener, &all);
        FD_SET(log, &all);
        set = all;
        if (select(64, &set, NULL, NULL, NULL) < 0)
            FAIL("select");
        for (int fd = 0; fd < 64; fd++) {
            if (!FD_ISSET(fd, &set))
                continue;
            if (fd == listener) {
                int connection = accept(listener, NULL, NULL);
                FD_SET(connection, &all);
            } else if (fd == log) {
                ssize_t n = recv(log, text, sizeof text, 0);
                FILE *out = fopen("daemon.log", "a");
                fprintf(out, "%.*s\n", (int)n, text);
                fclose(out);
            } else {
                ssize_t n = read(fd, text, sizeof text);
                if (n <= 0 || write(fd, text, (size_t)n) != n) {
                    FD_CLR(fd, &all);
                    close(fd);
                }
            }
        }
    }
}

int main(int count, char **arguments)
{
    char text[8];

    if (count > 2)
        return serve();
    signal(SIGPIPE, SIG_IGN);
    int stream = at(arguments[1], "stream", SOCK_STREAM, connect), log = at(arguments[1], "log", SOCK_DGRAM, connect);
    for (int round = 0;; round++) {
        bool restarted = getenv("STEP_DIR") && access("restarted", F_OK) == 0;
        CHECK(send(log, "log line", 8, 0) == 8);
        if (restarted)
            break;
        CHECK(write(stream, "hello", 5) == 5 && recv(stream, text, sizeof text, MSG_PEEK) == 5);
        if (!step())
            break;
        if (access("restarted", F_OK) == 0) {
            CHECK(read(stream, text, sizeof text) == 5 && !memcmp(text, "hello", 5));
            ssize_t n = read(stream, text, sizeof text);
            CHECK(n == 0 || (n < 0 && errno == ECONNRESET));
            CHECK(write(stream, "x", 1) == -1 && (errno == EPIPE || errno == ECONNRESET));
            close(stream);
            stream = at(arguments[1], "stream", SOCK_STREAM, connect);
            unlink("restarted");
            continue;
        }
        CHECK(read(stream, text, sizeof text) == 5 && !memcmp(text, "hello", 5));
    }
    puts("outside left alone");
    return 0;
}
