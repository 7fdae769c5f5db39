/* A listening socket, whose port it writes to the file "port". */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "step.h"

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, now;
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    FILE *file = fopen("port", "w");

    CHECK(bind(listener, (void *)&address, size) == 0 && listen(listener, 5) == 0 && getsockname(listener, (void *)&address, &size) == 0);
    CHECK(file && fprintf(file, "%d\n", ntohs(address.sin_port)) > 0 && fclose(file) == 0);
    while (step()) {
        CHECK(getsockname(listener, (void *)&now, &size) == 0 && !memcmp(&now, &address, size));
    }
    return 0;
}
