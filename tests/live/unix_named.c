/* Unix sockets with names: by path (absolute, relative, removed, replaced), abstract, autobound; listening, with connections accepted and still
 * waiting; both ends in one process or in two. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "shared.h"

static const int types[2] = {SOCK_STREAM, SOCK_SEQPACKET};
static char absolute[100];

struct place {
    const char *path; /* NULL: abstract */
    int type, listener, client, server;
    struct sockaddr_un address;
    socklen_t size;
};

static void open_place(struct place *place, const char *path, int type)
{
    *place = (struct place){.path = path, .type = type, .address.sun_family = AF_UNIX};
    if (path)
        snprintf(place->address.sun_path, sizeof place->address.sun_path, "%s", path);
    else
        snprintf(place->address.sun_path + 1, sizeof place->address.sun_path - 1, "unix-named-%d-%d", getpid(), type);
    place->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(place->address.sun_path + !path) + 1);
    place->listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    CHECK(bind(place->listener, (void *)&place->address, place->size) == 0 && listen(place->listener, 5) == 0);
}

static int reach(const struct place *place)
{
    int fd = socket(AF_UNIX, place->type, 0);

    CHECK(connect(fd, (const void *)&place->address, place->size) == 0);
    return fd;
}

static void same_name(int fd, int (*call)(int, struct sockaddr *, socklen_t *), const struct place *place)
{
    struct sockaddr_un address;
    socklen_t size = sizeof address;

    CHECK(call(fd, (void *)&address, &size) == 0);
    CHECK(place ? size == place->size && !memcmp(&address, &place->address, size) : size == sizeof(sa_family_t));
}

static void talk(int from, int to)
{
    char text[8];

    CHECK(send(from, "hello", 5, 0) == 5 && recv(to, text, sizeof text, 0) == 5 && !memcmp(text, "hello", 5));
}

static void check_place(const struct place *place)
{
    int on;
    socklen_t size = sizeof on;

    same_name(place->listener, getsockname, place);
    same_name(place->server, getsockname, place);
    same_name(place->server, getpeername, NULL);
    same_name(place->client, getpeername, place);
    same_name(place->client, getsockname, NULL);
    CHECK(getsockopt(place->listener, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on == 1);
    talk(place->client, place->server);
    talk(place->server, place->client);
}

int main(void)
{
    struct place places[10];
    int count = 0, waiting[10], peer;
    struct stat st;
    struct ucred credentials;
    socklen_t size;

    CHECK(getcwd(absolute, sizeof absolute - 20));
    strcat(absolute, "/absolute.sock");
    for (int i = 0; i < 2; i++) {
        char path[5][120];
        const char *names[] = {absolute, "relative", "removed", "replaced", NULL};
        for (int k = 0; k < 5; k++) {
            if (names[k])
                snprintf(path[k], sizeof path[k], "%s%d", names[k], i);
            open_place(&places[count], names[k] ? strdup(path[k]) : NULL, types[i]);
            struct place *place = &places[count];
            place->client = reach(place);
            place->server = accept(place->listener, NULL, NULL);
            CHECK(place->server >= 0);
            if (k < 2) {
                CHECK(chmod(path[k], 0741) == 0);
            } else if (k < 4) {
                CHECK(unlink(path[k]) == 0);
            }
            if (k == 3)
                close(open(path[k], O_CREAT | O_WRONLY, 0600));
            count++;
        }
    }
    struct sockaddr_un bound = {.sun_family = AF_UNIX}, again;
    int autobound = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(autobound, (void *)&bound, sizeof(sa_family_t)) == 0);
    size = sizeof bound;
    CHECK(getsockname(autobound, (void *)&bound, &size) == 0);
    do {
        for (int i = 0; i < count; i++) {
            check_place(&places[i]);
            if (places[i].path && !strstr(places[i].path, "re")) {
                CHECK(stat(places[i].path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0741);
            } else if (places[i].path && strstr(places[i].path, "removed")) {
                CHECK(stat(places[i].path, &st) == -1);
            } else if (places[i].path && strstr(places[i].path, "replaced")) {
                CHECK(stat(places[i].path, &st) == 0 && S_ISREG(st.st_mode));
            }
            size = sizeof credentials;
            CHECK(getsockopt(places[i].client, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0);
            CHECK(credentials.pid == getpid() && credentials.uid == getuid() && credentials.gid == getgid());
            if (step_number_ == 0 || (places[i].path && strstr(places[i].path, "re") && !strstr(places[i].path, "relative")))
                continue;
            CHECK((peer = accept(places[i].listener, NULL, NULL)) >= 0);
            char early[8];
            CHECK(recv(peer, early, sizeof early, MSG_DONTWAIT) == 5 && !memcmp(early, "early", 5));
            same_name(peer, getsockname, &places[i]);
            talk(peer, waiting[i]);
            talk(waiting[i], peer);
            close(peer);
            close(waiting[i]);
        }
        size = sizeof again;
        CHECK(getsockname(autobound, (void *)&again, &size) == 0 && !memcmp(&again, &bound, size));
        for (int i = 0; i < count; i++)
            if (!places[i].path || !strstr(places[i].path, "re") || strstr(places[i].path, "relative"))
                CHECK(send(waiting[i] = reach(&places[i]), "early", 5, 0) == 5);
    } while (step());
    for (int i = 0; i < count; i++)
        if (places[i].path && !strstr(places[i].path, "removed"))
            unlink(places[i].path);
    puts("names kept");
    return 0;
}
