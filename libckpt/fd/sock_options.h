/* Options of sockets: a table tells which there are; each is read with getsockopt(2), and at a restart set with setsockopt(2) where a new socket
 * has it otherwise. So an option that nobody touched needs no privilege and no support. In the executor.
 *
 * What is saved has no pointers: it may be copied, and published to another process. */
#ifndef SOCK_OPTIONS_H
#define SOCK_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum { SOCK_OPTION_MAX = 40 };

enum sock_when {
    SOCK_BEFORE_BIND, /* what bind, listen and connect look at */
    SOCK_AFTER, /* the rest, when the socket has its place and its queues are filled */
};

struct sock_option {
    int level, name;
    unsigned size; /* of the value; at most SOCK_OPTION_MAX */
    enum sock_when when;
};

struct sock_value {
    int32_t level, name;
    uint32_t when;
    uint32_t size; /* of value; what getsockopt gave */
    char value[SOCK_OPTION_MAX];
};

struct sock_options {
    uint32_t count;
    uint32_t domain, type, protocol; /* socket(2) */
    struct sock_value value[];
};

/* Level SOL_SOCKET, buffer sizes excepted (they are always saved and set). */
extern const struct sock_option sock_option_rows[];
extern const unsigned sock_option_row_count;

/* Reads the options of the rows that the socket has; with rows NULL, those of SOL_SOCKET and the sizes of its buffers. Arena; NULL: no memory. */
struct sock_options *sock_options_save(int fd, const struct sock_option *rows, unsigned count);
/* Sets those of one time. One that can't be set (no privilege) is told as a warning, `link` names the socket. */
void sock_options_set(int fd, const struct sock_options *options, enum sock_when when, const char *link);
size_t sock_options_size(const struct sock_options *options);
/* A saved value, NULL: it was not saved. */
const void *sock_options_find(const struct sock_options *options, int level, int name);

#endif
