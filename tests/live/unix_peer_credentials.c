/* SO_PEERCRED: who made the connection, also when another process makes it again. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared.h"

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int peer_of(int fd)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;

    CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0);
    CHECK(credentials.uid == geteuid() && credentials.gid == getegid());
    return credentials.pid;
}

static int work(int round, void *unused)
{
    static int fd;

    if (!round) {
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(connect(fd, (void *)&address, sizeof address) == 0);
    }
    CHECK(peer_of(fd) == getppid());
    return getpid();
}

int main(void)
{
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), server[2];
    struct child children[2];

    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "credentials-%d", getpid());
    CHECK(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 5) == 0);
    for (int i = 0; i < 2; i++) {
        children[i] = child_start(work, NULL);
        CHECK(child_ask(&children[i]) == children[i].pid);
        CHECK((server[i] = accept(listener, NULL, NULL)) >= 0);
    }
    while (step())
        for (int i = 0; i < 2; i++) {
            CHECK(peer_of(server[i]) == children[i].pid);
            CHECK(child_ask(&children[i]) == children[i].pid);
        }
    for (int i = 2; i--;)
        child_end(&children[i]);
    puts("credentials kept");
    return 0;
}
