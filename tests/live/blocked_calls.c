/* Hundreds of threads, each blocked in one of the system calls that a signal interrupts: those that the kernel restarts by itself, and
 * those that it ends with EINTR whatever the handler's flags say (signal(7)). No checkpoint and no restart may be seen by any of them: no
 * EINTR, no short count, no timeout that comes early. That none starts over is a matter of counting: the driver takes checkpoints
 * closer together than the shortest timeout until every thread has had some timeouts, which otherwise never came.
 *
 * Three groups, one table row a call:
 *   timed          call() runs into its timeout, again and again
 *   released       call() blocks until main, once a step, does what lets it go, and then has all that it asked for
 *   interruptible  call() blocks for good; the program's own signal must give EINTR, and nothing else may
 * Arguments: what to leave out (needs_text). */
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "step.h"

#define THREADS 500
#define SHORTEST_MS 900
#define EARLY_MS 20 /* calls that count in ticks may end that much early by themselves */
#define BIG 300000 /* more than a pipe or a socket takes at once */

struct blocked {
    const struct kind *kind;
    pthread_t thread;
    unsigned index, timeout_ms;
    volatile unsigned calls; /* that have come back */
    volatile bool entered;
    int fd[3];
    int id;
    pid_t child;
    volatile int word;
    sem_t semaphore;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    volatile unsigned let_go; /* under mutex, or for `word` */
};

enum group { TIMED, RELEASED, INTERRUPTIBLE };

/* What a row needs; rows can be left out by it. */
enum { PIPES = 1, SOCKETS = 2, QUEUES = 4, AIO = 8, TIMERS = 16, CHILDREN = 32, LOCKS = 64, LISTENERS = 128, SOCKET_TIMEOUTS = 256 };
static const char *const needs_text[] = {"pipes", "sockets", "queues", "aio", "timers", "children", "locks", "listeners",
                                         "socket_timeouts"};

struct kind {
    const char *name;
    enum group group;
    unsigned needs;
    void (*prepare)(struct blocked *);
    void (*call)(struct blocked *, unsigned round); /* checks its own result */
    void (*release)(struct blocked *, unsigned round);
};

static __thread volatile unsigned handled;

static void on_signal(int number)
{
    handled++;
}

#define EXPECT(result, expected) expect(self, #expected, (result), (expected))

static void expect(const struct blocked *self, const char *what, long result, long expected)
{
    int error = errno;

    if (result != expected)
        FAIL("%s returned %ld (%s) instead of %s", self->kind->name, result, result < 0 ? strerror(error) : "no error", what);
}

static void expect_error(const struct blocked *self, long result, int expected)
{
    int error = errno;

    if (result != -1 || error != expected)
        FAIL("%s returned %ld (%s) instead of the error %s", self->kind->name, result, result < 0 ? strerror(error) : "no error",
             strerror(expected));
}

static struct timespec in_ms(clockid_t clock, unsigned ms)
{
    struct timespec now;

    clock_gettime(clock, &now);
    now.tv_sec += ms / 1000;
    now.tv_nsec += (long)(ms % 1000) * 1000000;
    if (now.tv_nsec >= 1000000000) {
        now.tv_sec++;
        now.tv_nsec -= 1000000000;
    }
    return now;
}

static struct timespec span(unsigned ms)
{
    return (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- what they block on --- */

static void make_pipe(struct blocked *self)
{
    CHECK(pipe2(self->fd, O_CLOEXEC) == 0);
}

static void make_pair(struct blocked *self)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->fd) == 0);
}

static void make_eventfd(struct blocked *self)
{
    CHECK((self->fd[0] = eventfd(0, EFD_CLOEXEC)) >= 0);
}

static void make_epoll(struct blocked *self)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = self->index};

    make_pipe(self);
    CHECK((self->fd[2] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    CHECK(epoll_ctl(self->fd[2], EPOLL_CTL_ADD, self->fd[0], &event) == 0);
}

static void write_byte(struct blocked *self, unsigned round)
{
    char byte = (char)round;

    CHECK(write(self->fd[1], &byte, 1) == 1);
}

static void take_byte(struct blocked *self, unsigned round)
{
    char byte = 0;

    EXPECT(read(self->fd[0], &byte, 1), 1);
    EXPECT(byte, (char)round);
}

/* SysV objects survive in the kernel; the driver removes what a killed program leaves. */
static int ipc_log = -1;

static int make_queue(void)
{
    int id = msgget(IPC_PRIVATE, 0600);

    CHECK(id >= 0);
    dprintf(ipc_log, "-q %d\n", id);
    return id;
}

static int semaphores = -1;

static void make_semaphore(struct blocked *self)
{
    if (semaphores < 0) {
        CHECK((semaphores = semget(IPC_PRIVATE, THREADS, 0600)) >= 0);
        dprintf(ipc_log, "-s %d\n", semaphores);
    }
    self->id = semaphores;
}

/* --- timed --- */

static void call_nanosleep(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms);
    EXPECT(syscall(SYS_nanosleep, &rest, &rest), 0);
}

static void call_clock_nanosleep(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL), 0);
}

static void call_clock_nanosleep_real(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms);
    EXPECT(clock_nanosleep(CLOCK_REALTIME, 0, &rest, &rest), 0);
}

static void call_clock_nanosleep_absolute(struct blocked *self, unsigned round)
{
    struct timespec then = in_ms(CLOCK_MONOTONIC, self->timeout_ms);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL), 0);
}

static void call_usleep(struct blocked *self, unsigned round)
{
    EXPECT(usleep(self->timeout_ms * 1000), 0);
}

static void call_poll_nothing(struct blocked *self, unsigned round)
{
    EXPECT(poll(NULL, 0, (int)self->timeout_ms), 0);
}

static void call_poll_timed(struct blocked *self, unsigned round)
{
    struct pollfd set = {.fd = self->fd[0], .events = POLLIN, .revents = 99};
    EXPECT(poll(&set, 1, (int)self->timeout_ms), 0);
    EXPECT(set.revents, 0);
}

static void call_ppoll_timed(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms), before = rest;
    sigset_t none;
    sigemptyset(&none);
    EXPECT(ppoll(NULL, 0, &rest, &none), 0);
    EXPECT(memcmp(&rest, &before, sizeof rest), 0); /* glibc's does not change it */
}

static void call_select_nothing(struct blocked *self, unsigned round)
{
    struct timeval rest = {self->timeout_ms / 1000, (self->timeout_ms % 1000) * 1000};
    EXPECT(select(0, NULL, NULL, NULL, &rest), 0);
    EXPECT(rest.tv_sec, 0);
    EXPECT(rest.tv_usec, 0);
}

static void call_select_timed(struct blocked *self, unsigned round)
{
    struct timeval rest = {self->timeout_ms / 1000, (self->timeout_ms % 1000) * 1000};
    fd_set *set = calloc(1, 4096 / 8);
    FD_ZERO(set);
    ((uint64_t *)(void *)set)[self->fd[0] / 64] |= 1ul << self->fd[0] % 64;
    EXPECT(select(self->fd[0] + 1, set, NULL, NULL, &rest), 0);
    EXPECT(((uint64_t *)(void *)set)[self->fd[0] / 64], 0);
    free(set);
}

static void call_pselect_timed(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms);
    sigset_t none;
    sigemptyset(&none);
    EXPECT(pselect(0, NULL, NULL, NULL, &rest, &none), 0);
}

static void call_epoll_timed(struct blocked *self, unsigned round)
{
    struct epoll_event event;
    EXPECT(epoll_wait(self->fd[2], &event, 1, (int)self->timeout_ms), 0);
}

static void call_epoll_pwait_timed(struct blocked *self, unsigned round)
{
    struct epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    EXPECT(epoll_pwait(self->fd[2], &event, 1, (int)self->timeout_ms, &none), 0);
}

static void call_epoll_pwait2_timed(struct blocked *self, unsigned round)
{
    struct epoll_event event;
    struct timespec rest = span(self->timeout_ms);
    EXPECT(syscall(SYS_epoll_pwait2, self->fd[2], &event, 1, &rest, NULL, 0), 0);
}

static void call_futex_timed(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms);
    expect_error(self, syscall(SYS_futex, &self->word, FUTEX_WAIT_PRIVATE, self->word, &rest, NULL, 0), ETIMEDOUT);
}

static void call_futex_absolute(struct blocked *self, unsigned round)
{
    struct timespec then = in_ms(CLOCK_MONOTONIC, self->timeout_ms);
    expect_error(self,
                 syscall(SYS_futex, &self->word, FUTEX_WAIT_BITSET_PRIVATE, self->word, &then, NULL, FUTEX_BITSET_MATCH_ANY),
                 ETIMEDOUT);
}

static void make_condition(struct blocked *self)
{
    ZERO(pthread_mutex_init(&self->mutex, NULL));
    ZERO(pthread_cond_init(&self->condition, NULL));
}

static void call_condition_timed(struct blocked *self, unsigned round)
{
    struct timespec then = in_ms(CLOCK_REALTIME, self->timeout_ms);
    int result;

    ZERO(pthread_mutex_lock(&self->mutex));
    while ((result = pthread_cond_timedwait(&self->condition, &self->mutex, &then)) == 0)
        ;
    EXPECT(result, ETIMEDOUT);
    ZERO(pthread_mutex_unlock(&self->mutex));
}

static void make_posix_semaphore(struct blocked *self)
{
    CHECK(sem_init(&self->semaphore, 0, 0) == 0);
}

static void call_sem_timed(struct blocked *self, unsigned round)
{
    struct timespec then = in_ms(CLOCK_REALTIME, self->timeout_ms);
    expect_error(self, sem_timedwait(&self->semaphore, &then), ETIMEDOUT);
}

static void call_semop_timed(struct blocked *self, unsigned round)
{
    struct sembuf operation = {.sem_num = (unsigned short)self->index, .sem_op = -1};
    struct timespec rest = span(self->timeout_ms);
    expect_error(self, semtimedop(self->id, &operation, 1, &rest), EAGAIN);
}

static void call_sigtimedwait(struct blocked *self, unsigned round)
{
    struct timespec rest = span(self->timeout_ms);
    sigset_t set;
    siginfo_t info;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    expect_error(self, sigtimedwait(&set, &info, &rest), EAGAIN);
}

static void make_pair_timeouts(struct blocked *self)
{
    struct timeval rest = {self->timeout_ms / 1000, (self->timeout_ms % 1000) * 1000};
    static char junk[BIG];

    make_pair(self);
    CHECK(setsockopt(self->fd[0], SOL_SOCKET, SO_RCVTIMEO, &rest, sizeof rest) == 0);
    CHECK(setsockopt(self->fd[0], SOL_SOCKET, SO_SNDTIMEO, &rest, sizeof rest) == 0);
    while (send(self->fd[0], junk, sizeof junk, MSG_DONTWAIT) > 0 || send(self->fd[0], junk, 1, MSG_DONTWAIT) > 0)
        ;
}

static void call_recv_timed(struct blocked *self, unsigned round)
{
    char byte;
    expect_error(self, recv(self->fd[0], &byte, 1, 0), EAGAIN);
}

static void call_send_timed(struct blocked *self, unsigned round)
{
    static char junk[4096];
    expect_error(self, send(self->fd[0], junk, sizeof junk, 0), EAGAIN);
}

static void make_aio(struct blocked *self)
{
    aio_context_t context = 0;
    CHECK(syscall(SYS_io_setup, 4, &context) == 0);
    self->word = (int)(context >> 12); /* a page address below 2^43 shifted; the top is kept in let_go */
    self->let_go = (unsigned)(context >> 44);
}

static void call_io_getevents(struct blocked *self, unsigned round)
{
    aio_context_t context = ((aio_context_t)self->let_go << 44) | ((aio_context_t)(unsigned)self->word << 12);
    struct timespec rest = span(self->timeout_ms);
    struct io_event event;
    EXPECT(syscall(SYS_io_getevents, context, 1, 1, &event, &rest), 0);
}

static void make_mq(struct blocked *self)
{
    struct mq_attr attribute = {.mq_maxmsg = 1, .mq_msgsize = 16};
    char name[64];

    snprintf(name, sizeof name, "/dmtcp-blocked-%d-%u", getpid(), self->index);
    CHECK((self->fd[0] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attribute)) >= 0);
    CHECK(mq_unlink(name) == 0);
}

static void call_mq_timed(struct blocked *self, unsigned round)
{
    struct timespec then = in_ms(CLOCK_REALTIME, self->timeout_ms);
    char message[16];
    expect_error(self, mq_timedreceive(self->fd[0], message, sizeof message, NULL, &then), ETIMEDOUT);
}

static void make_timerfd(struct blocked *self)
{
    CHECK((self->fd[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) >= 0);
}

static void call_timerfd(struct blocked *self, unsigned round)
{
    struct itimerspec once = {.it_value = span(self->timeout_ms)};
    uint64_t count = 0;
    CHECK(timerfd_settime(self->fd[0], 0, &once, NULL) == 0);
    EXPECT(read(self->fd[0], &count, sizeof count), sizeof count);
    EXPECT(count, 1);
}

/* --- released --- */

static void call_readv(struct blocked *self, unsigned round)
{
    char a = 0, b = 0;
    struct iovec vector[] = {{&a, 1}, {&b, 1}};
    EXPECT(readv(self->fd[0], vector, 2), 2);
    EXPECT(a, (char)round);
    EXPECT(b, 'b');
}

static void release_readv(struct blocked *self, unsigned round)
{
    char two[] = {(char)round, 'b'};
    CHECK(write(self->fd[1], two, 2) == 2);
}

static void call_recvmsg(struct blocked *self, unsigned round)
{
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    EXPECT(recvmsg(self->fd[0], &header, 0), 1);
    EXPECT(byte, (char)round);
}

/* A receive that has part of what it waits for. */
static void call_recv_all(struct blocked *self, unsigned round)
{
    char text[8];
    EXPECT(recv(self->fd[0], text, 8, MSG_WAITALL), 8);
    EXPECT(memcmp(text, "firsthal", 5) == 0 && text[7] == (char)round, true);
}

static void make_pair_half(struct blocked *self)
{
    make_pair(self);
    CHECK(write(self->fd[1], "first", 5) == 5);
}

static void release_recv_all(struct blocked *self, unsigned round)
{
    char rest[] = {'r', 's', (char)round, 'f', 'i', 'r', 's', 't'};
    CHECK(write(self->fd[1], rest, sizeof rest) == sizeof rest);
}

static void fill(char *data, unsigned round)
{
    for (size_t i = 0; i < BIG; i++)
        data[i] = (char)(i * 7 + i / 1000 + round);
}

/* A write of which the kernel has taken a part. */
static void call_write_big(struct blocked *self, unsigned round)
{
    char *data = malloc(BIG);
    fill(data, round);
    EXPECT(write(self->fd[1], data, BIG), BIG);
    free(data);
}

static void call_writev_big(struct blocked *self, unsigned round)
{
    char *data = malloc(BIG);
    struct iovec vector[3] = {{data, 1000}, {data + 1000, 100000}, {data + 101000, BIG - 101000}};
    fill(data, round);
    EXPECT(writev(self->fd[1], vector, 3), BIG);
    free(data);
}

static void call_send_big(struct blocked *self, unsigned round)
{
    char *data = malloc(BIG);
    fill(data, round);
    EXPECT(send(self->fd[1], data, BIG, MSG_NOSIGNAL), BIG);
    free(data);
}

static void call_sendmsg_big(struct blocked *self, unsigned round)
{
    char *data = malloc(BIG);
    struct iovec vector[2] = {{data, 7777}, {data + 7777, BIG - 7777}};
    struct msghdr header = {.msg_iov = vector, .msg_iovlen = 2};
    fill(data, round);
    EXPECT(sendmsg(self->fd[1], &header, MSG_NOSIGNAL), BIG);
    free(data);
}

static void release_read_big(struct blocked *self, unsigned round)
{
    static char data[BIG], expected[BIG];
    size_t got = 0;

    while (got < BIG) {
        ssize_t n = read(self->fd[0], data + got, BIG - got);
        CHECK(n > 0);
        got += (size_t)n;
    }
    fill(expected, round);
    CHECK(memcmp(data, expected, BIG) == 0);
}

static void address_of(struct blocked *self, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "dmtcp-blocked-%d-%u", getpid(), self->index);
}

static void make_listener(struct blocked *self)
{
    struct sockaddr_un address;

    address_of(self, &address);
    CHECK((self->fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(bind(self->fd[0], (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(self->fd[0], 0) == 0);
}

static int connect_to(struct blocked *self)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address_of(self, &address);
    CHECK(fd >= 0);
    EXPECT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void call_accept(struct blocked *self, unsigned round)
{
    int fd = accept4(self->fd[0], NULL, NULL, SOCK_CLOEXEC);
    EXPECT(fd >= 0, true);
    close(fd);
}

static void release_accept(struct blocked *self, unsigned round)
{
    close(connect_to(self));
}

/* A listener whose backlog is full: connect() blocks. */
static void make_full_listener(struct blocked *self)
{
    make_listener(self);
    self->fd[1] = connect_to(self);
}

static void call_connect(struct blocked *self, unsigned round)
{
    int fd = connect_to(self), old = self->fd[1];
    self->fd[1] = fd;
    close(old);
}

static void release_connect(struct blocked *self, unsigned round)
{
    int fd = accept4(self->fd[0], NULL, NULL, SOCK_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
}

static void make_fifo(struct blocked *self)
{
    char name[64];
    snprintf(name, sizeof name, "fifo-%u", self->index);
    CHECK(mkfifo(name, 0600) == 0 || errno == EEXIST);
}

static void call_open_fifo(struct blocked *self, unsigned round)
{
    char name[64];
    snprintf(name, sizeof name, "fifo-%u", self->index);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0, true);
    char byte;
    EXPECT(read(fd, &byte, 1), 0);
    close(fd);
}

static void release_open_fifo(struct blocked *self, unsigned round)
{
    char name[64];
    snprintf(name, sizeof name, "fifo-%u", self->index);
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
}

static void call_eventfd(struct blocked *self, unsigned round)
{
    uint64_t value;
    EXPECT(read(self->fd[0], &value, sizeof value), sizeof value);
    EXPECT(value, round);
}

static void release_eventfd(struct blocked *self, unsigned round)
{
    uint64_t value = round;
    CHECK(write(self->fd[0], &value, sizeof value) == sizeof value);
}

static void call_poll(struct blocked *self, unsigned round)
{
    struct pollfd set = {.fd = self->fd[0], .events = POLLIN};
    EXPECT(poll(&set, 1, -1), 1);
    EXPECT(set.revents, POLLIN);
    take_byte(self, round);
}

static void call_select(struct blocked *self, unsigned round)
{
    fd_set *set = calloc(1, 4096 / 8);
    ((uint64_t *)(void *)set)[self->fd[0] / 64] |= 1ul << self->fd[0] % 64;
    EXPECT(select(self->fd[0] + 1, set, NULL, NULL, NULL), 1);
    free(set);
    take_byte(self, round);
}

static void call_epoll(struct blocked *self, unsigned round)
{
    struct epoll_event event;
    EXPECT(epoll_wait(self->fd[2], &event, 1, -1), 1);
    EXPECT(event.data.u32, self->index);
    take_byte(self, round);
}

static void make_child(struct blocked *self)
{
    char byte = 0;

    if (self->fd[0])
        close(self->fd[0]), close(self->fd[1]);
    make_pipe(self);
    self->child = fork();
    CHECK(self->child >= 0);
    if (self->child == 0) {
        /* Two that are forked at the same moment must not hold each other's pipe open. */
        if (dup2(self->fd[0], 0) == 0 && close_range(3, ~0u, 0) == 0)
            (void)!read(0, &byte, 1);
        _exit(byte);
    }
}

static void call_wait4(struct blocked *self, unsigned round)
{
    int status = 0;
    pid_t child = self->child;
    EXPECT(wait4(child, &status, 0, NULL), child);
    EXPECT(WEXITSTATUS(status), round);
    make_child(self);
}

static void call_waitid(struct blocked *self, unsigned round)
{
    siginfo_t info;
    EXPECT(waitid(P_PID, (id_t)self->child, &info, WEXITED), 0);
    EXPECT(info.si_status, round);
    make_child(self);
}

static void release_child(struct blocked *self, unsigned round)
{
    write_byte(self, round);
}

/* The other description of the same file has the lock; main gives it up and takes it again. */
static void make_lock(struct blocked *self)
{
    char name[64];
    snprintf(name, sizeof name, "lock-%u", self->index);
    CHECK((self->fd[0] = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) >= 0);
    CHECK((self->fd[1] = open(name, O_RDWR | O_CLOEXEC)) >= 0);
}

static void make_flock(struct blocked *self)
{
    make_lock(self);
    CHECK(flock(self->fd[1], LOCK_EX) == 0);
}

static void call_flock(struct blocked *self, unsigned round)
{
    EXPECT(flock(self->fd[0], LOCK_EX), 0);
    CHECK(flock(self->fd[0], LOCK_UN) == 0);
    self->word = (int)round;
    UNTIL(self->let_go == round);
}

static void release_flock(struct blocked *self, unsigned round)
{
    CHECK(flock(self->fd[1], LOCK_UN) == 0);
    UNTIL(self->word == (int)round);
    CHECK(flock(self->fd[1], LOCK_EX) == 0);
    self->let_go = round;
}

static void make_record_lock(struct blocked *self)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 10};
    make_lock(self);
    CHECK(fcntl(self->fd[1], F_OFD_SETLKW, &lock) == 0);
}

static void call_record_lock(struct blocked *self, unsigned round)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 5};
    EXPECT(fcntl(self->fd[0], F_OFD_SETLKW, &lock), 0);
    lock.l_type = F_UNLCK;
    CHECK(fcntl(self->fd[0], F_OFD_SETLKW, &lock) == 0);
    self->word = (int)round;
    UNTIL(self->let_go == round);
}

static void release_record_lock(struct blocked *self, unsigned round)
{
    struct flock lock = {.l_type = F_UNLCK, .l_len = 10};
    CHECK(fcntl(self->fd[1], F_OFD_SETLKW, &lock) == 0);
    UNTIL(self->word == (int)round);
    lock.l_type = F_WRLCK;
    CHECK(fcntl(self->fd[1], F_OFD_SETLKW, &lock) == 0);
    self->let_go = round;
}

static void call_mq_receive(struct blocked *self, unsigned round)
{
    char message[16] = "";
    EXPECT(mq_receive(self->fd[0], message, sizeof message, NULL), 3);
    EXPECT(message[0], (char)round);
}

static void release_mq(struct blocked *self, unsigned round)
{
    char message[] = {(char)round, 2, 3};
    CHECK(mq_send(self->fd[0], message, sizeof message, 0) == 0);
}

static void call_condition(struct blocked *self, unsigned round)
{
    ZERO(pthread_mutex_lock(&self->mutex));
    while (self->let_go < round)
        EXPECT(pthread_cond_wait(&self->condition, &self->mutex), 0);
    ZERO(pthread_mutex_unlock(&self->mutex));
}

static void release_condition(struct blocked *self, unsigned round)
{
    ZERO(pthread_mutex_lock(&self->mutex));
    self->let_go = round;
    ZERO(pthread_cond_signal(&self->condition));
    ZERO(pthread_mutex_unlock(&self->mutex));
}

static void call_futex(struct blocked *self, unsigned round)
{
    long result = syscall(SYS_futex, &self->word, FUTEX_WAIT_PRIVATE, (int)round - 1, NULL, NULL, 0);
    if (result != 0)
        expect_error(self, result, EAGAIN); /* woken before it slept */
    EXPECT(self->word, (int)round);
}

static void release_futex(struct blocked *self, unsigned round)
{
    self->word = (int)round;
    CHECK(syscall(SYS_futex, &self->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
}

static void call_sem_wait(struct blocked *self, unsigned round)
{
    EXPECT(sem_wait(&self->semaphore), 0);
}

static void release_sem(struct blocked *self, unsigned round)
{
    CHECK(sem_post(&self->semaphore) == 0);
}

static void make_locked_mutex(struct blocked *self)
{
    ZERO(pthread_mutex_init(&self->mutex, NULL));
    ZERO(pthread_mutex_lock(&self->mutex)); /* by main */
}

static void call_mutex(struct blocked *self, unsigned round)
{
    ZERO(pthread_mutex_lock(&self->mutex));
    ZERO(pthread_mutex_unlock(&self->mutex));
    self->word = (int)round;
    UNTIL(self->let_go == round);
}

static void release_mutex(struct blocked *self, unsigned round)
{
    ZERO(pthread_mutex_unlock(&self->mutex));
    UNTIL(self->word == (int)round);
    ZERO(pthread_mutex_lock(&self->mutex));
    self->let_go = round;
}

static void call_semop(struct blocked *self, unsigned round)
{
    struct sembuf operation = {.sem_num = (unsigned short)self->index, .sem_op = -1};
    EXPECT(semop(self->id, &operation, 1), 0);
}

static void release_semop(struct blocked *self, unsigned round)
{
    struct sembuf operation = {.sem_num = (unsigned short)self->index, .sem_op = 1};
    CHECK(semop(self->id, &operation, 1) == 0);
}

struct message {
    long type;
    char text[1000];
};

static void make_empty_queue(struct blocked *self)
{
    self->id = make_queue();
}

static void call_msgrcv(struct blocked *self, unsigned round)
{
    struct message message;
    EXPECT(msgrcv(self->id, &message, sizeof message.text, (long)round, 0), 5);
    EXPECT(memcmp(message.text, "text", 5), 0);
}

static void release_msgrcv(struct blocked *self, unsigned round)
{
    struct message message = {.type = (long)round, .text = "text"};
    CHECK(msgsnd(self->id, &message, 5, 0) == 0);
}

static void make_full_queue(struct blocked *self)
{
    struct message message = {.type = 1000, .text = "old"};
    struct msqid_ds state;

    self->id = make_queue();
    CHECK(msgctl(self->id, IPC_STAT, &state) == 0);
    state.msg_qbytes = 1000;
    CHECK(msgctl(self->id, IPC_SET, &state) == 0);
    CHECK(msgsnd(self->id, &message, 900, IPC_NOWAIT) == 0);
}

static void call_msgsnd(struct blocked *self, unsigned round)
{
    struct message message = {.type = (long)round};
    EXPECT(msgsnd(self->id, &message, 900, 0), 0);
}

static void release_msgsnd(struct blocked *self, unsigned round)
{
    struct message message;
    CHECK(msgrcv(self->id, &message, sizeof message.text, round == 1 ? 1000 : (long)round - 1, 0) == 900);
}

static void call_sigwaitinfo(struct blocked *self, unsigned round)
{
    sigset_t set;
    siginfo_t info;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 6); /* blocked in all threads */
    EXPECT(sigwaitinfo(&set, &info), SIGRTMIN + 6);
    EXPECT(info.si_value.sival_int, (int)round);
}

static void release_sigwaitinfo(struct blocked *self, unsigned round)
{
    ZERO(pthread_sigqueue(self->thread, SIGRTMIN + 6, (union sigval){.sival_int = (int)round}));
}

static void call_sigsuspend(struct blocked *self, unsigned round)
{
    sigset_t set;
    unsigned before = handled;

    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &set));
    sigdelset(&set, SIGUSR1); /* blocked in all threads */
    expect_error(self, sigsuspend(&set), EINTR);
    EXPECT(handled, before + 1);
}

static void call_ppoll_signal(struct blocked *self, unsigned round)
{
    sigset_t set;
    unsigned before = handled;

    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &set));
    sigdelset(&set, SIGUSR1);
    expect_error(self, ppoll(NULL, 0, NULL, &set), EINTR);
    EXPECT(handled, before + 1);
}

static void release_sigsuspend(struct blocked *self, unsigned round)
{
    ZERO(pthread_kill(self->thread, SIGUSR1));
}

/* --- interruptible: main sends SIGUSR2, whose handler has no SA_RESTART --- */

static void interrupted(struct blocked *self, long result, unsigned before)
{
    expect_error(self, result, EINTR);
    if (handled == before)
        FAIL("%s gave EINTR although no signal of the program's came", self->kind->name);
}

static void call_pause(struct blocked *self, unsigned round)
{
    unsigned before = handled;
    interrupted(self, pause(), before);
}

static void call_long_sleep(struct blocked *self, unsigned round)
{
    struct timespec rest = {.tv_sec = 100000}, left = {0};
    unsigned before = handled;
    interrupted(self, nanosleep(&rest, &left), before);
    /* Interrupted at once, the kernel has more left than was asked for: it counts the timer slack (50 us, prctl(2)) in. */
    if (left.tv_sec < 90000 || left.tv_sec > 100000 || (left.tv_sec == 100000 && left.tv_nsec > 1000000))
        FAIL("%s left %ld.%09ld s of 100000", self->kind->name, (long)left.tv_sec, left.tv_nsec);
}

static void call_long_read(struct blocked *self, unsigned round)
{
    char byte;
    unsigned before = handled;
    interrupted(self, read(self->fd[0], &byte, 1), before);
}

static void call_long_poll(struct blocked *self, unsigned round)
{
    unsigned before = handled;
    interrupted(self, poll(NULL, 0, -1), before);
}

static void call_long_select(struct blocked *self, unsigned round)
{
    struct timeval rest = {.tv_sec = 100000};
    unsigned before = handled;
    interrupted(self, select(0, NULL, NULL, NULL, &rest), before);
}

static void call_long_semop(struct blocked *self, unsigned round)
{
    struct sembuf operation = {.sem_num = (unsigned short)self->index, .sem_op = -1};
    unsigned before = handled;
    interrupted(self, semop(self->id, &operation, 1), before);
}

static void call_long_sem_wait(struct blocked *self, unsigned round)
{
    unsigned before = handled;
    interrupted(self, sem_wait(&self->semaphore), before);
}

/* A write that had moved something gives the count, not EINTR. */
static void call_partial_write(struct blocked *self, unsigned round)
{
    static char junk[BIG];
    char drain[4096];
    unsigned before = handled;

    while (recv(self->fd[0], drain, sizeof drain, MSG_DONTWAIT) > 0)
        ;
    ssize_t n = send(self->fd[1], junk, BIG, 0);
    if (n <= 0 || n >= BIG)
        FAIL("%s returned %zd instead of a part", self->kind->name, n);
    if (handled == before)
        FAIL("%s was cut short although no signal of the program's came", self->kind->name);
}

static const struct kind kinds[] = {
    {"nanosleep", TIMED, 0, NULL, call_nanosleep, NULL},
    {"clock_nanosleep(MONOTONIC)", TIMED, 0, NULL, call_clock_nanosleep, NULL},
    {"clock_nanosleep(REALTIME)", TIMED, 0, NULL, call_clock_nanosleep_real, NULL},
    {"clock_nanosleep(ABSTIME)", TIMED, 0, NULL, call_clock_nanosleep_absolute, NULL},
    {"usleep", TIMED, 0, NULL, call_usleep, NULL},
    {"poll(nothing, T)", TIMED, 0, NULL, call_poll_nothing, NULL},
    {"poll(pipe, T)", TIMED, PIPES, make_pipe, call_poll_timed, NULL},
    {"ppoll(T)", TIMED, 0, NULL, call_ppoll_timed, NULL},
    {"select(nothing, T)", TIMED, 0, NULL, call_select_nothing, NULL},
    {"select(pipe, T)", TIMED, PIPES, make_pipe, call_select_timed, NULL},
    {"pselect(T)", TIMED, 0, NULL, call_pselect_timed, NULL},
    {"epoll_wait(T)", TIMED, PIPES, make_epoll, call_epoll_timed, NULL},
    {"epoll_pwait(T)", TIMED, PIPES, make_epoll, call_epoll_pwait_timed, NULL},
    {"epoll_pwait2(T)", TIMED, PIPES, make_epoll, call_epoll_pwait2_timed, NULL},
    {"futex(WAIT, T)", TIMED, 0, NULL, call_futex_timed, NULL},
    {"futex(WAIT_BITSET, T)", TIMED, 0, NULL, call_futex_absolute, NULL},
    {"pthread_cond_timedwait", TIMED, 0, make_condition, call_condition_timed, NULL},
    {"sem_timedwait", TIMED, 0, make_posix_semaphore, call_sem_timed, NULL},
    {"semtimedop", TIMED, 0, make_semaphore, call_semop_timed, NULL},
    {"sigtimedwait", TIMED, 0, NULL, call_sigtimedwait, NULL},
    {"recv(SO_RCVTIMEO)", TIMED, SOCKETS | SOCKET_TIMEOUTS, make_pair_timeouts, call_recv_timed, NULL},
    {"send(SO_SNDTIMEO)", TIMED, SOCKETS | SOCKET_TIMEOUTS, make_pair_timeouts, call_send_timed, NULL},
    {"io_getevents", TIMED, AIO, make_aio, call_io_getevents, NULL},
    {"mq_timedreceive", TIMED, QUEUES, make_mq, call_mq_timed, NULL},
    {"read(timerfd)", TIMED, TIMERS, make_timerfd, call_timerfd, NULL},

    {"read(pipe)", RELEASED, PIPES, make_pipe, take_byte, write_byte},
    {"readv", RELEASED, PIPES, make_pipe, call_readv, release_readv},
    {"read(socket)", RELEASED, SOCKETS, make_pair, take_byte, write_byte},
    {"recvmsg", RELEASED, SOCKETS, make_pair, call_recvmsg, write_byte},
    {"recv(MSG_WAITALL)", RELEASED, SOCKETS, make_pair_half, call_recv_all, release_recv_all},
    {"write(pipe, much)", RELEASED, PIPES, make_pipe, call_write_big, release_read_big},
    {"writev(pipe, much)", RELEASED, PIPES, make_pipe, call_writev_big, release_read_big},
    {"write(socket, much)", RELEASED, SOCKETS, make_pair, call_write_big, release_read_big},
    {"send(much)", RELEASED, SOCKETS, make_pair, call_send_big, release_read_big},
    {"sendmsg(much)", RELEASED, SOCKETS, make_pair, call_sendmsg_big, release_read_big},
    {"accept4", RELEASED, LISTENERS, make_listener, call_accept, release_accept},
    {"connect", RELEASED, LISTENERS, make_full_listener, call_connect, release_connect},
    {"open(FIFO)", RELEASED, PIPES, make_fifo, call_open_fifo, release_open_fifo},
    {"read(eventfd)", RELEASED, PIPES, make_eventfd, call_eventfd, release_eventfd},
    {"poll", RELEASED, PIPES, make_pipe, call_poll, write_byte},
    {"select", RELEASED, PIPES, make_pipe, call_select, write_byte},
    {"epoll_wait", RELEASED, PIPES, make_epoll, call_epoll, write_byte},
    {"wait4", RELEASED, PIPES | CHILDREN, make_child, call_wait4, release_child},
    {"waitid", RELEASED, PIPES | CHILDREN, make_child, call_waitid, release_child},
    {"flock", RELEASED, LOCKS, make_flock, call_flock, release_flock},
    {"fcntl(F_OFD_SETLKW)", RELEASED, LOCKS, make_record_lock, call_record_lock, release_record_lock},
    {"mq_receive", RELEASED, QUEUES, make_mq, call_mq_receive, release_mq},
    {"pthread_cond_wait", RELEASED, 0, make_condition, call_condition, release_condition},
    {"futex(WAIT)", RELEASED, 0, NULL, call_futex, release_futex},
    {"sem_wait", RELEASED, 0, make_posix_semaphore, call_sem_wait, release_sem},
    {"pthread_mutex_lock", RELEASED, 0, make_locked_mutex, call_mutex, release_mutex},
    {"semop", RELEASED, 0, make_semaphore, call_semop, release_semop},
    {"msgrcv", RELEASED, 0, make_empty_queue, call_msgrcv, release_msgrcv},
    {"msgsnd", RELEASED, 0, make_full_queue, call_msgsnd, release_msgsnd},
    {"sigwaitinfo", RELEASED, 0, NULL, call_sigwaitinfo, release_sigwaitinfo},
    {"sigsuspend", RELEASED, 0, NULL, call_sigsuspend, release_sigsuspend},
    {"ppoll(mask)", RELEASED, 0, NULL, call_ppoll_signal, release_sigsuspend},

    {"pause", INTERRUPTIBLE, 0, NULL, call_pause, NULL},
    {"nanosleep(long)", INTERRUPTIBLE, 0, NULL, call_long_sleep, NULL},
    {"read(pipe, interrupted)", INTERRUPTIBLE, PIPES, make_pipe, call_long_read, NULL},
    {"poll(interrupted)", INTERRUPTIBLE, 0, NULL, call_long_poll, NULL},
    {"select(interrupted)", INTERRUPTIBLE, 0, NULL, call_long_select, NULL},
    {"semop(interrupted)", INTERRUPTIBLE, 0, make_semaphore, call_long_semop, NULL},
    {"sem_wait(interrupted)", INTERRUPTIBLE, 0, make_posix_semaphore, call_long_sem_wait, NULL},
    {"send(interrupted)", INTERRUPTIBLE, SOCKETS, make_pair, call_partial_write, NULL},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static struct blocked blocked[THREADS];

static void *run(void *argument)
{
    struct blocked *self = argument;

    for (unsigned round = 1;; round++) {
        long start = now_ms(), elapsed;

        self->entered = true;
        self->kind->call(self, round);
        elapsed = now_ms() - start;
        if (self->kind->group == TIMED && elapsed + EARLY_MS < (long)self->timeout_ms)
            FAIL("%s ended after %ld ms instead of %u", self->kind->name, elapsed, self->timeout_ms);
        self->calls = round;
    }
    return NULL;
}

/* Tells the driver how many timeouts each thread has had at least, and which call is the last. */
static void *report(void *unused)
{
    const struct blocked *said = NULL;
    unsigned calls = 0;
    char from[512], to[512];

    for (;; step_nap_()) {
        const struct blocked *last = NULL;

        for (unsigned i = 0; i < THREADS; i++)
            if (blocked[i].kind && blocked[i].kind->group == TIMED && (!last || blocked[i].calls < last->calls))
                last = &blocked[i];
        if (last->calls == calls && last == said)
            continue;
        said = last;
        calls = last->calls;
        int fd = open(step_path_(from, sizeof from, "timeouts.new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        CHECK(fd >= 0 && dprintf(fd, "%u %s\n", calls, last->kind->name) > 0 && close(fd) == 0);
        CHECK(rename(from, step_path_(to, sizeof to, "timeouts")) == 0);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    pthread_attr_t attribute;
    pthread_t reporter;
    sigset_t set;
    struct rlimit limit;
    unsigned kind = 0, round = 0, without = 0;

    for (int i = 1; i < argc; i++) {
        unsigned n = 0;
        while (n < sizeof needs_text / sizeof *needs_text && strcmp(argv[i], needs_text[n]))
            n++;
        CHECK(n < sizeof needs_text / sizeof *needs_text);
        without |= 1u << n;
    }
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 4000 ? limit.rlim_max : 4000;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK((ipc_log = open("ipc", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) >= 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 6);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    ZERO(pthread_attr_init(&attribute));
    ZERO(pthread_attr_setstacksize(&attribute, 65536));

    for (unsigned i = 0; i < THREADS; i++, kind = (kind + 1) % KINDS) {
        while (kinds[kind].needs & without)
            kind = (kind + 1) % KINDS;
        blocked[i].kind = &kinds[kind];
        blocked[i].index = i;
        blocked[i].timeout_ms = SHORTEST_MS + i * 37 % 300;
        if (kinds[kind].prepare)
            kinds[kind].prepare(&blocked[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) /* after all forks: the children have one thread to look after */
        ZERO(pthread_create(&blocked[i].thread, &attribute, run, &blocked[i]));
    ZERO(pthread_create(&reporter, &attribute, report, NULL));
    for (unsigned i = 0; i < THREADS; i++)
        UNTIL(blocked[i].entered);

    while (step()) {
        round++;
        for (unsigned i = 0; i < THREADS; i++) {
            struct blocked *self = &blocked[i];
            unsigned before = self->calls;

            if (self->kind->group == RELEASED) {
                if (before != round - 1)
                    FAIL("%s came back by itself", self->kind->name);
                self->kind->release(self, round);
            }
            if (self->kind->group == INTERRUPTIBLE) {
                int patience = 20000;
                for (; self->calls == before && patience; patience--) { /* it may not have blocked yet */
                    ZERO(pthread_kill(self->thread, SIGUSR2));
                    step_nap_();
                }
                if (!patience)
                    FAIL("%s is not interrupted by the program's own signal", self->kind->name);
            }
        }
        for (unsigned i = 0; i < THREADS; i++)
            if (blocked[i].kind->group == RELEASED) {
                int patience = 20000;
                for (; blocked[i].calls != round && patience; patience--)
                    step_nap_();
                if (!patience)
                    FAIL("step %u: %s did not come back", round, blocked[i].kind->name);
            }
    }
    printf("%u threads saw nothing\n", THREADS);
    fflush(stdout);
    _exit(0); /* with all of them still blocked */
}
