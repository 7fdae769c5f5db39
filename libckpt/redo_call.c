#include "redo_call.h"

#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/personality.h>

#include "str.h"
#include "sys.h"

#define SECOND 1000000000ull
#define FOR_EVER (1ull << 62) /* 146 years: not worth a deadline */

/* Direct accesses to the program's memory below go only where the kernel has read or written during the call. */
const struct redo_row redo_rows[] = {
    /* EINTR in spite of SA_RESTART: signal(7) */
    {.number = __NR_nanosleep, .kind = REDO_NANOSLEEP},
    {.number = __NR_clock_nanosleep, .kind = REDO_CLOCK_NANOSLEEP},
    {.number = __NR_pause, .kind = REDO_PLAIN, .sampled = true},
    {.number = __NR_rt_sigsuspend, .kind = REDO_PLAIN, .mask = 1 + 0, .sampled = true},
    {.number = __NR_rt_sigtimedwait, .kind = REDO_TIMESPEC, .timeout = 2},
    {.number = __NR_poll, .kind = REDO_POLL, .timeout = 2},
    {.number = __NR_ppoll, .kind = REDO_TIMESPEC_BACK, .timeout = 2, .mask = 1 + 3},
    {.number = __NR_select, .kind = REDO_TIMEVAL_BACK, .timeout = 4},
    {.number = __NR_pselect6, .kind = REDO_TIMESPEC_BACK, .timeout = 4, .mask = 1 + 5, .mask_pair = true},
    {.number = __NR_epoll_wait, .kind = REDO_EPOLL, .timeout = 3},
    {.number = __NR_epoll_pwait, .kind = REDO_EPOLL, .timeout = 3, .mask = 1 + 4},
    {.number = __NR_epoll_pwait2, .kind = REDO_TIMESPEC, .timeout = 3, .mask = 1 + 4},
    {.number = __NR_futex, .kind = REDO_FUTEX, .timeout = 3},
    {.number = __NR_semop, .kind = REDO_PLAIN},
    {.number = __NR_semtimedop, .kind = REDO_TIMESPEC, .timeout = 3},
    {.number = __NR_msgsnd, .kind = REDO_PLAIN},
    {.number = __NR_msgrcv, .kind = REDO_PLAIN},
    {.number = __NR_io_getevents, .kind = REDO_TIMESPEC, .timeout = 4, .part = PART_EVENTS},
    {.number = __NR_io_pgetevents, .kind = REDO_TIMESPEC, .timeout = 4, .part = PART_EVENTS, .mask = 1 + 5, .mask_pair = true},
    /* EINTR on a socket with a timeout; short counts */
    {.number = __NR_read, .kind = REDO_IN},
    {.number = __NR_readv, .kind = REDO_IN},
    {.number = __NR_recvfrom, .kind = REDO_IN, .part = PART_BYTES, .flags = 3},
    {.number = __NR_recvmsg, .kind = REDO_IN, .part = PART_MESSAGE, .flags = 2},
    {.number = __NR_recvmmsg, .kind = REDO_IN, .part = PART_MESSAGES, .flags = 3},
    {.number = __NR_accept, .kind = REDO_IN},
    {.number = __NR_accept4, .kind = REDO_IN},
    {.number = __NR_connect, .kind = REDO_CONNECT},
    {.number = __NR_write, .kind = REDO_OUT, .part = PART_BYTES},
    {.number = __NR_writev, .kind = REDO_OUT, .part = PART_VECTOR},
    {.number = __NR_sendto, .kind = REDO_OUT, .part = PART_BYTES, .flags = 3},
    {.number = __NR_sendmsg, .kind = REDO_OUT, .part = PART_MESSAGE, .flags = 2},
    {.number = __NR_sendmmsg, .kind = REDO_OUT, .part = PART_MESSAGES, .flags = 3},
    {.number = __NR_sendfile, .kind = REDO_OUT, .part = PART_SENDFILE},
    {.number = __NR_getrandom, .kind = REDO_PLAIN, .part = PART_RANDOM},
    /* restarted by the kernel, EINTR for the program's own signals */
    {.number = __NR_wait4, .kind = REDO_KERNEL},
    {.number = __NR_waitid, .kind = REDO_KERNEL},
    {.number = __NR_fcntl, .kind = REDO_KERNEL},
    {.number = __NR_flock, .kind = REDO_KERNEL},
    {.number = __NR_mq_timedsend, .kind = REDO_KERNEL},
    {.number = __NR_mq_timedreceive, .kind = REDO_KERNEL},
    {.number = __NR_open, .kind = REDO_KERNEL},
    {.number = __NR_openat, .kind = REDO_KERNEL},
    {.number = __NR_splice, .kind = REDO_KERNEL},
    {.number = __NR_tee, .kind = REDO_KERNEL},
    {.number = __NR_vmsplice, .kind = REDO_KERNEL},
    {.number = 449 /* futex_waitv, 5.16 */, .kind = REDO_KERNEL},
};

int redo_find(long number)
{
    for (unsigned i = 0; i < sizeof redo_rows / sizeof *redo_rows; i++)
        if (redo_rows[i].number == number)
            return (int)i;
    return -1;
}

static uint64_t timespec_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec >= FOR_EVER / SECOND ? FOR_EVER : (uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec;
}

static uint64_t vector_size(const struct iovec *vector, uint64_t count)
{
    uint64_t size = 0;

    while (count--)
        size += vector++->iov_len;
    return size;
}

static int socket_int(int fd, int option)
{
    int value = -1;
    unsigned size = sizeof value;

    return SYS_IS_ERROR(sys_getsockopt(fd, SOL_SOCKET, option, &value, &size)) ? -1 : value;
}

/* 0: not a socket, or no timeout. */
static uint64_t socket_timeout_ns(int fd, int option)
{
    struct timeval value = {0};
    unsigned size = sizeof value;

    if (SYS_IS_ERROR(sys_getsockopt(fd, SOL_SOCKET, option, &value, &size)))
        return 0;
    return timespec_ns(&(struct timespec){value.tv_sec, value.tv_usec * 1000});
}

/* --- parts --- */

/* A writev to a socket goes on as a sendmsg (without_sigpipe). */
static enum redo_part part_of(const struct redo_row *row, uint64_t number)
{
    return number == __NR_sendmsg ? PART_MESSAGE : row->part;
}

static uint64_t wanted(enum redo_part part, const uint64_t *argument)
{
    switch (part) {
    case PART_NONE:
        break;
    case PART_BYTES:
    case PART_MESSAGES:
        return argument[2];
    case PART_VECTOR:
        return vector_size((const struct iovec *)argument[1], argument[2]);
    case PART_MESSAGE: {
        const struct msghdr *message = (const struct msghdr *)argument[1];
        return vector_size(message->msg_iov, message->msg_iovlen);
    }
    case PART_SENDFILE:
        return argument[3];
    case PART_RANDOM:
    case PART_EVENTS:
        return argument[1];
    }
    return 0;
}

/* Waits for room until everything is written: pipes, sockets, terminals, unless they are non-blocking. (A regular file is not
 * interrupted; its short count has a reason.) */
static bool blocks_on_output(int fd)
{
    struct stat st;
    long flags = sys_fcntl(fd, F_GETFL, 0);
    char termios[64];

    if (SYS_IS_ERROR(flags) || flags & O_NONBLOCK || SYS_IS_ERROR(sys_fstat(fd, &st)))
        return false;
    return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && !SYS_IS_ERROR(sys_ioctl(fd, TCGETS, termios)));
}

/* The kernel stops a sendmmsg behind a message that it could not send as a whole; the stream would then miss a piece. */
static bool last_message_whole(const struct mmsghdr *messages, uint64_t count)
{
    const struct mmsghdr *last = messages + count - 1;

    return last->msg_len == vector_size(last->msg_hdr.msg_iov, last->msg_hdr.msg_iovlen);
}

bool redo_is_part(const struct redo_row *row, uint64_t number, const uint64_t *argument, uint64_t result)
{
    int fd = (int)argument[0];
    int flags = row->flags ? (int)argument[row->flags] : 0;

    if (!row->part || result >= wanted(part_of(row, number), argument) || flags & MSG_DONTWAIT)
        return false;
    switch (row->kind) {
    case REDO_IN: /* a short count is normal unless the program asked for all; a datagram is whole, however long */
        if (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK)
            return false;
        if (row->part == PART_MESSAGES)
            return !(flags & MSG_WAITFORONE);
        return flags & MSG_WAITALL && socket_int(fd, SO_TYPE) == SOCK_STREAM;
    case REDO_OUT:
        if (row->part == PART_MESSAGES && !last_message_whole((const struct mmsghdr *)argument[1], result))
            return false;
        return blocks_on_output(fd);
    }
    return true;
}

/* Vectors too long for a slot, which are rare: sixty-four writes of more than 15 pieces can be under way at a time. */
#define POOL_VECTORS 64
#define POOL_LENGTH 1024 /* UIO_MAXIOV */
static struct iovec pool[POOL_VECTORS][POOL_LENGTH];
static uint32_t pool_owner[POOL_VECTORS]; /* 1 + index of the slot */

static struct iovec *vector_room(struct redo_slot *slot, uint64_t count)
{
    uint32_t me = (uint32_t)(slot - redo_slots) + 1;

    if (slot->vector_pool)
        return pool[slot->vector_pool - 1];
    if (count <= REDO_VECTOR_INLINE)
        return slot->vector;
    if (count > POOL_LENGTH)
        return NULL;
    for (uint32_t i = 0; i < POOL_VECTORS; i++) {
        uint32_t owner = __atomic_load_n(&pool_owner[i], __ATOMIC_RELAXED);

        /* The stub frees its slot without telling the pool: a vector whose slot is free, or has no use for it, is free. */
        if (owner && owner != me) {
            const struct redo_slot *holder = &redo_slots[owner - 1];
            if (__atomic_load_n(&holder->owner, __ATOMIC_ACQUIRE) &&
                __atomic_load_n(&holder->vector_pool, __ATOMIC_RELAXED) == i + 1)
                continue;
        }
        if (__atomic_compare_exchange_n(&pool_owner[i], &owner, me, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            __atomic_store_n(&slot->vector_pool, i + 1, __ATOMIC_RELEASE);
            return pool[i];
        }
    }
    return NULL;
}

/* What is left of a vector after `part` bytes, in memory that stays: *vector and *count are changed. */
static bool advance_vector(struct redo_slot *slot, const struct iovec **vector, uint64_t *count, uint64_t part)
{
    const struct iovec *from = *vector;
    uint64_t left = *count;
    struct iovec *to;

    while (left && part >= from->iov_len) {
        part -= from->iov_len;
        from++;
        left--;
    }
    to = vector_room(slot, left);
    if (!to)
        return false;
    memmove(to, from, left * sizeof *to);
    if (left) {
        to->iov_base = (char *)to->iov_base + part;
        to->iov_len -= part;
    }
    *vector = to;
    *count = left;
    return true;
}

/* The rest of a send must not raise SIGPIPE: the kernel doesn't, once a part is sent. */
static void without_sigpipe(struct redo_slot *slot, const struct redo_row *row)
{
    uint64_t *argument = slot->argument;

    if (row->kind != REDO_OUT || socket_int((int)argument[0], SO_TYPE) < 0)
        return;
    if (slot->number == __NR_write) {
        slot->number = __NR_sendto;
        argument[3] = MSG_NOSIGNAL;
        argument[4] = argument[5] = 0;
    } else if (slot->number == __NR_writev) {
        slot->message = (struct msghdr){.msg_iov = (struct iovec *)argument[1], .msg_iovlen = argument[2]};
        slot->number = __NR_sendmsg;
        argument[1] = (uint64_t)&slot->message;
        argument[2] = MSG_NOSIGNAL;
    } else if (slot->number == row->number && row->flags) {
        argument[row->flags] |= MSG_NOSIGNAL;
    }
}

bool redo_advance(struct redo_slot *slot, const struct redo_row *row, uint64_t part)
{
    uint64_t *argument = slot->argument;
    enum redo_part way = part_of(row, slot->number);

    if (way == PART_BYTES && slot->number == __NR_recvfrom && argument[3] & MSG_PEEK)
        return true; /* starts again: nothing was taken */
    if (way == PART_MESSAGE && argument[2] & MSG_PEEK)
        return true;

    switch (way) {
    case PART_NONE:
        return false;
    case PART_BYTES:
        argument[1] += part;
        argument[2] -= part;
        break;
    case PART_VECTOR: {
        const struct iovec *vector = (const struct iovec *)argument[1];
        if (!advance_vector(slot, &vector, &argument[2], part))
            return false;
        argument[1] = (uint64_t)vector;
        break;
    }
    case PART_MESSAGE: { /* name and ancillary data went with the first part */
        const struct msghdr *message = (const struct msghdr *)argument[1];
        const struct iovec *vector = message->msg_iov;
        uint64_t count = message->msg_iovlen;

        if (!advance_vector(slot, &vector, &count, part))
            return false;
        slot->message = (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)vector, .msg_iovlen = count};
        argument[1] = (uint64_t)&slot->message;
        break;
    }
    case PART_MESSAGES:
        argument[1] += part * sizeof(struct mmsghdr);
        argument[2] -= part;
        /* recvmmsg leaves the reason why it stopped, ERESTARTSYS, as the socket's error for the next call. Reading it clears it. */
        if (row->kind == REDO_IN)
            socket_int((int)argument[0], SO_ERROR);
        break;
    case PART_SENDFILE:
        argument[3] -= part;
        break;
    case PART_RANDOM:
        argument[0] += part;
        argument[1] -= part;
        break;
    case PART_EVENTS:
        argument[1] -= part;
        argument[2] -= part;
        argument[3] += part * sizeof(struct io_event);
        break;
    }
    slot->total += part;
    without_sigpipe(slot, row);
    return true;
}

/* --- timeouts --- */

static bool counts_processor_time(int clock)
{
    return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static bool kernel_writes_back(void)
{
    long personality = syscall3(__NR_personality, 0xffffffff, 0, 0);

    return SYS_IS_ERROR(personality) || !(personality & STICKY_TIMEOUTS);
}

bool redo_timer_of(const struct redo_row *row, const uint64_t *argument, uint64_t now_ns, enum redo_timer *timer, uint64_t *deadline_ns)
{
    uint64_t timeout = argument[row->timeout];
    const struct timespec *given = (const struct timespec *)timeout;
    uint64_t left = 0;

    *timer = TIMER_NONE;
    *deadline_ns = 0;
    switch (row->kind) {
    case REDO_KERNEL:
        return false;
    case REDO_PLAIN:
        return true;
    case REDO_FUTEX: {
        unsigned operation = argument[1] & FUTEX_CMD_MASK;

        if (!given)
            return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
        if (operation == FUTEX_WAIT_BITSET) {
            if (argument[1] & FUTEX_CLOCK_REALTIME)
                return true;
            *timer = TIMER_SLOT_ABSOLUTE;
            *deadline_ns = timespec_ns(given);
            return true;
        }
        if (operation != FUTEX_WAIT)
            return false;
        *timer = TIMER_SLOT;
        left = timespec_ns(given);
        break;
    }
    case REDO_TIMESPEC:
        if (!given)
            return true;
        *timer = TIMER_SLOT;
        left = timespec_ns(given);
        break;
    case REDO_NANOSLEEP: /* where the program wants to know what remains, the kernel has stored it */
        *timer = TIMER_SLOT;
        left = timespec_ns((const struct timespec *)(argument[1] ? argument[1] : argument[0]));
        break;
    case REDO_CLOCK_NANOSLEEP: {
        int clock = (int)argument[0];

        given = (const struct timespec *)argument[2];
        if (argument[1] & TIMER_ABSTIME) {
            if (clock != CLOCK_MONOTONIC)
                return true;
            *timer = TIMER_SLOT_ABSOLUTE;
            *deadline_ns = timespec_ns(given);
            return true;
        }
        if (counts_processor_time(clock)) {
            *timer = TIMER_REMAINDER;
            return true;
        }
        *timer = TIMER_SLOT;
        left = timespec_ns(argument[3] ? (const struct timespec *)argument[3] : given);
        break;
    }
    case REDO_POLL:
    case REDO_EPOLL:
        if ((int)timeout < 0)
            return true;
        *timer = row->kind == REDO_POLL ? TIMER_SLOT : TIMER_EPOLL;
        left = (uint64_t)(unsigned)timeout * 1000000;
        break;
    case REDO_TIMESPEC_BACK:
        if (!given)
            return true;
        *timer = kernel_writes_back() ? TIMER_TIMESPEC : TIMER_SLOT;
        left = timespec_ns(given);
        break;
    case REDO_TIMEVAL_BACK: {
        const struct timeval *value = (const struct timeval *)timeout;
        if (!value)
            return true;
        *timer = kernel_writes_back() ? TIMER_TIMEVAL : TIMER_SLOT_TIMEVAL;
        left = timespec_ns(&(struct timespec){value->tv_sec, value->tv_usec * 1000});
        break;
    }
    case REDO_IN:
    case REDO_OUT:
    case REDO_CONNECT:
        left = socket_timeout_ns((int)argument[0], row->kind == REDO_IN ? SO_RCVTIMEO : SO_SNDTIMEO);
        if (!left)
            return true;
        /* an unconnected unix socket always polls ready */
        *timer = row->kind == REDO_CONNECT && socket_int((int)argument[0], SO_DOMAIN) == AF_UNIX ? TIMER_GIVE_UP : TIMER_POLL;
        break;
    default:
        return false;
    }
    if (left >= FOR_EVER) {
        *timer = TIMER_NONE;
        return true;
    }
    *deadline_ns = now_ns + left;
    return true;
}

void redo_prepare(struct redo_slot *slot, const struct redo_row *row)
{
    uint64_t *argument = slot->argument;

    slot->timeout_result = -EAGAIN;
    slot->result_from = REDO_NO_RESULT;
    switch (row->kind) {
    case REDO_POLL:
        if (slot->timer != TIMER_SLOT)
            break;
        slot->number = __NR_ppoll;
        argument[2] = (uint64_t)&slot->time;
        argument[3] = 0;
        argument[4] = sizeof(sys_sigset);
        break;
    case REDO_NANOSLEEP:
        argument[0] = (uint64_t)&slot->time;
        break;
    case REDO_CLOCK_NANOSLEEP:
        if (slot->timer == TIMER_REMAINDER)
            slot->time = *(const struct timespec *)argument[2];
        if (slot->timer != TIMER_NONE)
            argument[2] = (uint64_t)&slot->time;
        break;
    case REDO_FUTEX:
    case REDO_TIMESPEC:
    case REDO_TIMESPEC_BACK:
    case REDO_TIMEVAL_BACK:
        if (slot->timer == TIMER_SLOT || slot->timer == TIMER_SLOT_ABSOLUTE || slot->timer == TIMER_SLOT_TIMEVAL)
            argument[row->timeout] = (uint64_t)&slot->time;
        break;
    case REDO_IN:
        slot->ready = (struct pollfd){.fd = (int)argument[0], .events = POLLIN};
        if (row->flags && argument[row->flags] & MSG_OOB)
            slot->ready.events = POLLPRI;
        break;
    case REDO_OUT:
        slot->ready = (struct pollfd){.fd = (int)argument[0], .events = POLLOUT};
        break;
    case REDO_CONNECT:
        slot->ready = (struct pollfd){.fd = (int)argument[0], .events = POLLOUT};
        if (slot->timer == TIMER_POLL) {
            slot->timeout_result = -EINPROGRESS;
            slot->result_from = -EALREADY;
            slot->result_to = -EINPROGRESS;
        }
        break;
    }
}

/* The probe fails, rather than the store, where the program has taken the memory away or it was never writable. */
static bool writable(uint64_t address)
{
    return !SYS_IS_ERROR(sys_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)address));
}

static void set_epoll_timeout(struct redo_slot *slot, const struct redo_row *row, uint64_t left)
{
    uint64_t *argument = slot->argument;

    if (row->number == __NR_epoll_wait) {
        argument[4] = 0;
        argument[5] = sizeof(sys_sigset);
    }
    /* asked anew each time: the next kernel may be another one */
    if (syscall6(__NR_epoll_pwait2, -1, 0, 0, 0, 0, 0) == -ENOSYS) {
        slot->number = __NR_epoll_pwait;
        argument[3] = (left + 999999) / 1000000;
    } else {
        slot->number = __NR_epoll_pwait2;
        argument[3] = (uint64_t)&slot->time;
    }
}

bool redo_set_timeout(struct redo_slot *slot, const struct redo_row *row, uint64_t now_ns)
{
    uint64_t left = slot->deadline_ns > now_ns ? slot->deadline_ns - now_ns : 0;
    struct timeval *value;

    slot->time = slot->timer == TIMER_REMAINDER ? slot->time : (struct timespec){(time_t)(left / SECOND), (long)(left % SECOND)};
    switch (slot->timer) {
    case TIMER_SLOT_ABSOLUTE:
        slot->time = (struct timespec){(time_t)(slot->deadline_ns / SECOND), (long)(slot->deadline_ns % SECOND)};
        break;
    case TIMER_TIMESPEC:
        if (writable(slot->argument[row->timeout])) {
            *(struct timespec *)slot->argument[row->timeout] = slot->time;
            break;
        }
        slot->timer = TIMER_SLOT;
        slot->argument[row->timeout] = (uint64_t)&slot->time;
        break;
    case TIMER_TIMEVAL:
    case TIMER_SLOT_TIMEVAL:
        if (slot->timer == TIMER_SLOT_TIMEVAL || !writable(slot->argument[row->timeout])) {
            slot->timer = TIMER_SLOT_TIMEVAL;
            slot->argument[row->timeout] = (uint64_t)&slot->time;
        }
        value = (struct timeval *)slot->argument[row->timeout];
        left += 999; /* never too early */
        *value = (struct timeval){(time_t)(left / SECOND), (suseconds_t)(left % SECOND / 1000)};
        break;
    case TIMER_EPOLL:
        set_epoll_timeout(slot, row, left);
        break;
    case TIMER_REMAINDER:
        if (slot->argument[3])
            slot->time = *(const struct timespec *)slot->argument[3];
        break;
    case TIMER_GIVE_UP:
        return left > 0;
    }
    return true;
}
