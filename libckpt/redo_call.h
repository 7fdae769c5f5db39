/* Which system calls redo.c continues, and how each is adjusted: redo.c's other half, one table row a call. Same rules as redo.h. */
#ifndef REDO_CALL_H
#define REDO_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "redo_slot.h"

enum redo_timer {
    TIMER_NONE,
    TIMER_SLOT, /* the slot's timespec, relative: argument points to it */
    TIMER_SLOT_ABSOLUTE, /* the slot's timespec, CLOCK_MONOTONIC's time */
    TIMER_SLOT_TIMEVAL, /* a struct timeval in place of the slot's timespec */
    TIMER_TIMESPEC, /* the program's own timespec, to which the kernel writes what remains */
    TIMER_TIMEVAL, /* the program's own timeval */
    TIMER_EPOLL, /* epoll_pwait2 with the slot's timespec, or milliseconds where the kernel has no such call */
    TIMER_REMAINDER, /* a sleep on a processor-time clock: what the kernel stored through argument 3 */
    TIMER_POLL, /* ppoll with the remaining time first, then the call */
    TIMER_GIVE_UP, /* nothing can be waited for: repeated until the deadline */
};

enum redo_kind {
    REDO_NONE,
    REDO_KERNEL, /* restarted by the kernel itself */
    REDO_PLAIN,
    REDO_NANOSLEEP,
    REDO_CLOCK_NANOSLEEP,
    REDO_POLL,
    REDO_EPOLL,
    REDO_TIMESPEC, /* relative, the kernel does not write to it */
    REDO_TIMESPEC_BACK, /* relative, the kernel writes back */
    REDO_TIMEVAL_BACK,
    REDO_FUTEX,
    REDO_IN, /* waits SO_RCVTIMEO for input, if argument 0 is a socket */
    REDO_OUT, /* SO_SNDTIMEO */
    REDO_CONNECT,
};

/* How a call that has done a part of its work is told to do the rest. */
enum redo_part {
    PART_NONE,
    PART_BYTES, /* buffer, size = arguments 1, 2 */
    PART_VECTOR, /* iovec, count = arguments 1, 2 */
    PART_MESSAGE, /* struct msghdr = argument 1 */
    PART_MESSAGES, /* struct mmsghdr, count = arguments 1, 2 */
    PART_SENDFILE, /* size = argument 3; the offset moves by itself */
    PART_RANDOM, /* buffer, size = arguments 0, 1 */
    PART_EVENTS, /* at least, at most, struct io_event = arguments 1, 2, 3 */
};

struct redo_row {
    uint16_t number;
    uint8_t kind; /* enum redo_kind */
    uint8_t timeout; /* argument that is or points to the timeout */
    uint8_t part; /* enum redo_part */
    uint8_t flags; /* argument with MSG_ flags, 0: none */
    uint8_t mask; /* argument with the temporary signal mask + 1, 0: none */
    bool mask_pair; /* it is pselect6's pair of pointer and size */
    bool sampled; /* only if the sample says so: repeating it wrongly would hang */
};

extern const struct redo_row redo_rows[] __attribute__((visibility("hidden")));

/* Index of the row for a call, or -1. */
int redo_find(long number);

/* Did the call with result > 0 stop only because of a signal, with work left? number, argument: of the call as it was made. */
bool redo_is_part(const struct redo_row *row, uint64_t number, const uint64_t *argument, uint64_t result);

/* First interruption of a call. Sets the timer and the deadline (CLOCK_MONOTONIC, 0: waits for ever). False: not to be continued.
 * The arguments are as the program set them. */
bool redo_timer_of(const struct redo_row *row, const uint64_t *argument, uint64_t now_ns, enum redo_timer *timer, uint64_t *deadline_ns);

/* Fills a claimed slot's call, whose number and arguments are the program's: what stays the same from one interruption to the next. */
void redo_prepare(struct redo_slot *slot, const struct redo_row *row);

/* `part` (>0) has been done: makes the slot's call do the rest. False: no room for it, so leave the short count. */
bool redo_advance(struct redo_slot *slot, const struct redo_row *row, uint64_t part);

/* Sets the slot's timeout to what is left. False: the time is over and the call must not be made again. */
bool redo_set_timeout(struct redo_slot *slot, const struct redo_row *row, uint64_t now_ns);

#endif
