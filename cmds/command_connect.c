#include "command_connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fmt.h"
#include "msg.h"
#include "sys.h"
#include "tmpdir.h"

enum { ANSWER_SECONDS = 30 };

static uint64_t deadline(void)
{
    return sys_now_ns(CLOCK_MONOTONIC) + ANSWER_SECONDS * UINT64_C(1000000000);
}

/* In the form that base/address.h reads: with the scope as a number. */
static bool numeric(const struct addrinfo *info, char *text, size_t size)
{
    if (getnameinfo(info->ai_addr, info->ai_addrlen, text, (socklen_t)size, NULL, 0, NI_NUMERICHOST))
        return false;
    if (info->ai_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)info->ai_addr;
        char *scope = strchr(text, '%');

        if (scope)
            snprintf(scope, size - (size_t)(scope - text), "%%%u", v6->sin6_scope_id);
    }
    return true;
}

/* The socket, or -errno of the last address that was tried. */
static long connect_any(const struct command_address *address, const char **unknown)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found, *each;
    long fd = -EADDRNOTAVAIL;
    int error = getaddrinfo(address->host, NULL, &hints, &found);

    if (error) {
        *unknown = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
        return fd;
    }
    for (each = found; each && fd < 0; each = each->ai_next) {
        char text[NI_MAXHOST];

        if (numeric(each, text, sizeof text))
            fd = msg_connect(text, address->port, deadline());
    }
    freeaddrinfo(found);
    return fd;
}

/* 0 or -errno; path is set in any case. */
static long read_secret(const struct command_address *address, char path[PATH_MAX], uint8_t *secret)
{
    const struct passwd *user = getpwuid(geteuid());
    char directory[PATH_MAX];
    long error = tmpdir_path(directory, sizeof directory, address->tmpdir, getenv("DMTCP_TMPDIR"), getenv("TMPDIR"),
                             user ? user->pw_name : NULL);

    snprintf(path, PATH_MAX, "coordinator-%u.secret", address->port);
    if (!error)
        error = secret_file_path(path, PATH_MAX, directory, address->port);
    return error ? error : secret_read(path, secret);
}

int command_connect(const struct command_address *address, char problem[COMMAND_PROBLEM_MAX], bool *found)
{
    uint8_t secret[PROTO_SECRET_SIZE] = {0};
    char path[PATH_MAX];
    const char *unknown = NULL;
    int on = 1;
    long fd = connect_any(address, &unknown), error;

    *found = false;
    if (unknown) {
        fmt(problem, COMMAND_PROBLEM_MAX, "host %s: %s", address->host, unknown);
        return -1;
    }
    if (fd < 0) {
        fmt(problem, COMMAND_PROBLEM_MAX, "no coordinator at %s port %u: %e; is it another one (--coord-host, --coord-port)?", address->host,
            address->port, (int)fd);
        return -1;
    }
    /* A reply may take as long as a checkpoint; a host that vanished must not be waited for without an end. */
    setsockopt((int)fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    error = read_secret(address, path, secret);
    if (error) {
        fmt(problem, COMMAND_PROBLEM_MAX, "something listens at %s port %u, but there is no secret of a coordinator of yours in %s: %e; "
            "does it run with another --tmpdir?", address->host, address->port, path, (int)error);
    } else {
        error = msg_open((int)fd, PROTO_ROLE_COMMAND, secret, deadline());
        *found = !error || error == -EACCES;
        if (error == -EACCES)
            fmt(problem, COMMAND_PROBLEM_MAX, "the coordinator at %s port %u does not know the secret in %s: it is somebody else's", address->host,
                address->port, path);
        else if (error)
            fmt(problem, COMMAND_PROBLEM_MAX, "what listens at %s port %u does not answer as a coordinator: %e", address->host, address->port,
                (int)error);
    }
    if (!error)
        return (int)fd;
    close((int)fd);
    return -1;
}
