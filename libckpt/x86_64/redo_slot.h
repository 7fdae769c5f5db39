/* A slot: what one continued system call needs while it runs outside of the handler. Shared by redo.c and redo_stub.S.
 *
 * Slot n belongs to stub n for good: the stub finds it relative to its own address, so no register and no thread-local storage is
 * needed. `owner` is what claims it: set by compare-and-swap in redo_resume, cleared by the stub's last store. All of it is part of
 * the image. */
#ifndef REDO_SLOT_H
#define REDO_SLOT_H

#define REDO_SLOTS 4096
#define REDO_SLOT_SIZE 512
#define REDO_STUB_SIZE 16
#define REDO_SYSCALL_SIZE 2 /* bytes of the syscall instruction */

/* offsets for the stub */
#define SLOT_PC 0
#define SLOT_RESTORE 8
#define SLOT_NUMBER 56
#define SLOT_ARGUMENT 64
#define SLOT_TOTAL 112
#define SLOT_POLLING 120
#define SLOT_OWNER 124
#define SLOT_TIMEOUT_RESULT 128
#define SLOT_RESULT_FROM 136
#define SLOT_RESULT_TO 144
#define SLOT_STUB 152

#ifndef __ASSEMBLER__
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define REDO_VECTOR_INLINE 15

struct redo_slot {
    uint64_t pc; /* where the program goes on: behind its own syscall instruction */
    uint64_t restore[6]; /* the program's argument registers */
    uint64_t number, argument[6]; /* the call that is to be made, adjusted */
    uint64_t total; /* moved before; the result is total + what the call returns, or total alone if that is an error */
    uint32_t polling; /* 1: the call under way is ppoll; when it says ready, the call proper follows */
    uint32_t owner; /* tid as the program knows it, 0: free */
    int64_t timeout_result; /* result when ppoll says that the time is over */
    int64_t result_from, result_to; /* one result that is translated; none: REDO_NO_RESULT */
    uint64_t stub; /* address of the stub */
    /* redo.c's alone */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: no timeout */
    uint64_t sp;
    uint32_t row; /* index in redo_rows */
    uint32_t timer; /* enum redo_timer */
    struct timespec time;
    struct pollfd ready;
    struct msghdr message;
    uint32_t vector_pool; /* 1 + index of the pool's vector in use, 0: `vector` */
    uint32_t unused;
    struct iovec vector[REDO_VECTOR_INLINE];
};

#define REDO_NO_RESULT INT64_MIN

_Static_assert(sizeof(struct redo_slot) == REDO_SLOT_SIZE, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, restore) == SLOT_RESTORE, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, number) == SLOT_NUMBER, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, argument) == SLOT_ARGUMENT, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, total) == SLOT_TOTAL, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, polling) == SLOT_POLLING, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, owner) == SLOT_OWNER, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, timeout_result) == SLOT_TIMEOUT_RESULT, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, result_from) == SLOT_RESULT_FROM, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, result_to) == SLOT_RESULT_TO, "redo_stub.S");
_Static_assert(offsetof(struct redo_slot, stub) == SLOT_STUB, "redo_stub.S");

#pragma GCC visibility push(hidden)
extern struct redo_slot redo_slots[REDO_SLOTS];
extern char redo_stubs[REDO_SLOTS * REDO_STUB_SIZE];
#pragma GCC visibility pop
#endif

#endif
