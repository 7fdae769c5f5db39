/* dmtcp_command's connection to a coordinator that must be there already. */
#ifndef COMMAND_CONNECT_H
#define COMMAND_CONNECT_H

#include <stdbool.h>
#include <stddef.h>

struct command_address {
    const char *host, *tmpdir; /* tmpdir NULL: from the environment */
    unsigned port;
};

enum { COMMAND_PROBLEM_MAX = 4608 };

/* The socket, opened in PROTO_ROLE_COMMAND; -1: one line in problem, and *found says whether a coordinator listens there. */
int command_connect(const struct command_address *address, char problem[COMMAND_PROBLEM_MAX], bool *found);

#endif
