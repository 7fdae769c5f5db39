/* Descriptors in flight: sent through unix sockets (SCM_RIGHTS of unix(7)), and not yet received. A checkpoint gets duplicates of them by peeking,
 * into the checkpoint thread's table, where the program does not see them and closing them does not let go of its locks. They take part in survey
 * and election under numbers above the program's (fd_state.flight_first), so the rest is as with any other. At a restart they have these
 * numbers in the program's table until REFILL, and the maker of unix sockets, who gets them with the exchange, sends them again with the
 * message to which they belong. */
#ifndef UNIX_FLIGHT_H
#define UNIX_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* While a queue is looked at, from its beginning: what makes a message look otherwise is set aside. */
struct unix_peeking {
    int off, credentials, security, pidfd; /* as the program has them; -1: the kernel has no such option */
};
void unix_peek_begin(int fd, struct unix_peeking *peeking, bool with_credentials);
void unix_peek_end(int fd, const struct unix_peeking *peeking);

struct unix_message;

struct flight_socket {
    uint32_t inode;
    int fd; /* in the checkpoint thread's table */
    bool nested; /* it is itself in flight */
    struct unix_message *messages; /* its queue, with numbers for what is in flight */
};

/* From SUSPEND to REFILL; NULL: its queue was not read in SUSPEND. Checkpoint thread. */
const struct flight_socket *flight_socket(uint32_t inode);
/* A descriptor that was found in flight: its number from now on, or -errno; the given one is closed. */
long flight_note(int fd);
/* Which description of this process's list has the number. */
uint32_t flight_description(int number);
/* Restart, in the executor: a descriptor of it. */
int flight_arrived(int holder, unsigned index);

struct cmsghdr *unix_next_control(const struct msghdr *header, struct cmsghdr *at);

#endif
