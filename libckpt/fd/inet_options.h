/* The rows of sock_options.h for TCP and UDP sockets, below SOL_SOCKET. */
#ifndef INET_OPTIONS_H
#define INET_OPTIONS_H

#include "sock_options.h"

extern const struct sock_option inet_option_rows[];
extern const unsigned inet_option_row_count;

#endif
