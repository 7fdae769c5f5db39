/* A listening socket, whose port it writes to the file "port". With an argument: and a connection to it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "step.h"

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, now;
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = -1;
    FILE *file = fopen("port", "w");

    CHECK(bind(listener, (void *)&address, size) == 0 && listen(listener, 5) == 0 && getsockname(listener, (void *)&address, &size) == 0);
    CHECK(file && fprintf(file, "%d\n", ntohs(address.sin_port)) > 0 && fclose(file) == 0);
    if (argc > 1) {
        client = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(client, (void *)&address, size) == 0);
    }
    while (step()) {
        CHECK(getsockname(listener, (void *)&now, &size) == 0 && !memcmp(&now, &address, size));
        CHECK(client < 0 || send(client, "x", 1, MSG_NOSIGNAL) == 1);
    }
    return 0;
}
