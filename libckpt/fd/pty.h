/* What is on its way through a pseudo terminal, and its settings: pty.c has its descriptors, this the device. In the executor. */
#ifndef PTY_H
#define PTY_H

#include <asm/termbits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

struct pty_piece {
    struct pty_piece *next;
    uint32_t size;
    bool line; /* what one read(2) in canonical mode gives: ended by a delimiter, or by end-of-file if the last byte is none */
    bool ended; /* by end-of-file */
    unsigned char bytes[];
};

struct pty_device {
    bool fresh; /* its slave has never been opened, as far as can be seen */
    bool closed; /* its slave was open and is closed */
    int locked, packet, exclusive, slave_exclusive;
    struct termios2 settings;
    struct winsize size;
    struct pty_piece *input, *output; /* what the slave, and what the master has yet to read */
    bool drained;
};

/* Opens the slave of a master: a new description, never the controlling terminal. Not close-on-exec: TIOCGPTPEER would make that a flag of
 * the description, for ever. Descriptor or -errno. */
long pty_open_slave(int master, int flags);

/* Takes everything out. No process reads or writes meanwhile. slave_held: a process has the slave open. 0 or -errno. */
long pty_drain(struct pty_device *device, int master, bool slave_held);
/* Puts everything in, settings too. For a mere checkpoint (restarted: false) only what drain has changed. */
long pty_refill(struct pty_device *device, int master, bool restarted);

#endif
