/* Threads blocked in every kind of system call that a signal ends, interrupted again and again: none sees EINTR, a short count, a timeout
 * that comes early, or one that starts over (it would never come: the interruptions are much closer than the timeouts are long).
 *
 * redo_calls [hold N] [restarted] [rounds N] [only NAME] */
#include "redo_harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#define T_MS 250
#define T_NS (T_MS * 1000000ull)
static const struct timespec T = {.tv_nsec = (long)T_NS};

struct test {
    const char *name;
    void (*run)(struct test *test); /* in its thread; returns when the call has done what it should */
    void (*feed)(struct test *test); /* main thread, after each interruption; NULL: the call ends by its timeout */
    unsigned after; /* rounds to wait before the first feed */
    int fd[2];
    uint64_t moved; /* by feed */
    uint32_t word;
    volatile bool done;
    struct held *held;
};

static unsigned rounds;

/* --- data whose every byte is known by its place --- */

static unsigned char pattern(uint64_t at)
{
    return (unsigned char)(at * 31 + (at >> 8) * 7);
}

static unsigned char *pattern_make(size_t size)
{
    unsigned char *data = malloc(size);

    CHECK(data != NULL, "memory");
    for (size_t i = 0; i < size; i++)
        data[i] = pattern(i);
    return data;
}

static void pattern_check(const void *raw, size_t size, uint64_t at, const char *name)
{
    const unsigned char *data = raw;

    for (size_t i = 0; i < size; i++)
        CHECK(data[i] == pattern(at + i), "%s: byte %llu", name, (unsigned long long)(at + i));
}

static void nonblocking(int fd)
{
    CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "O_NONBLOCK");
}

/* Takes up to 48 KiB out of the other end. (The descriptor's other end has a description of its own.) */
static void feed_drain(struct test *test)
{
    static unsigned char buffer[49152];
    ssize_t n = read(test->fd[0], buffer, sizeof buffer);

    if (n > 0) {
        pattern_check(buffer, (size_t)n, test->moved, test->name);
        test->moved += (uint64_t)n;
    }
}

static void drain_rest(struct test *test, uint64_t size)
{
    while (test->moved < size)
        feed_drain(test);
}

/* Puts a few bytes in. */
static void feed_drip(struct test *test)
{
    unsigned char data[100];

    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = pattern(test->moved + i);
    ssize_t n = send(test->fd[1], data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        test->moved += (uint64_t)n;
}

/* --- sockets --- */

static void tcp_pair(int fd[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(bind(listener, (void *)&address, size) == 0 && listen(listener, 1) == 0, "listen");
    CHECK(getsockname(listener, (void *)&address, &size) == 0, "name");
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd[1], (void *)&address, size) == 0, "connect");
    fd[0] = accept(listener, NULL, NULL);
    CHECK(fd[0] >= 0, "accept");
    close(listener);
}

static void timeout_option(int fd, int option)
{
    struct timeval tv = {.tv_usec = T_MS * 1000};

    CHECK(setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv) == 0, "timeout");
}

/* --- System V objects: they would outlive a failed test --- */

static int semaphores[8], queues[8];
static unsigned semaphore_count, queue_count;

static int new_semaphore(void)
{
    return semaphores[__atomic_fetch_add(&semaphore_count, 1, __ATOMIC_SEQ_CST)] = semget(IPC_PRIVATE, 1, 0600);
}

static int new_queue(void)
{
    return queues[__atomic_fetch_add(&queue_count, 1, __ATOMIC_SEQ_CST)] = msgget(IPC_PRIVATE, 0600);
}

static void remove_objects(void)
{
    for (unsigned i = 0; i < semaphore_count; i++)
        semctl(semaphores[i], 0, IPC_RMID);
    for (unsigned i = 0; i < queue_count; i++)
        msgctl(queues[i], IPC_RMID, NULL);
}

/* --- calls that end by their timeout --- */

static uint64_t begin_ns(void)
{
    return harness_now();
}

/* How late the latest was is told, but no reason to fail: the machine may be busy. */
static uint64_t latest_ns;
static const char *latest;

static void took(const struct test *test, uint64_t ns)
{
    CHECK(ns >= T_NS, "%s: early by %llu ns", test->name, (unsigned long long)(T_NS - ns));
    if (ns > latest_ns) {
        latest_ns = ns;
        latest = test->name;
    }
}

#define TIMED(id, before, condition)                                                                                                     \
    static void run_##id(struct test *test)                                                                                              \
    {                                                                                                                                      \
        before;                                                                                                                            \
        for (int turn = 0; turn < 2; turn++) {                                                                                             \
            uint64_t begin = begin_ns();                                                                                                   \
            errno = 0;                                                                                                                     \
            CHECK(condition, "%s", test->name);                                                                                            \
            took(test, harness_now() - begin);                                                                                             \
        }                                                                                                                                  \
    }

#define COMMA ,
#define FAILS(call, error) ((call) == -1 && errno == (error))

TIMED(nanosleep, , nanosleep(&T, NULL) == 0)
TIMED(nanosleep_rem, struct timespec rem, (rem = T, nanosleep(&rem, &rem) == 0))
TIMED(clock_nanosleep, , clock_nanosleep(CLOCK_MONOTONIC, 0, &T, NULL) == 0)
TIMED(clock_nanosleep_realtime, struct timespec rem, clock_nanosleep(CLOCK_REALTIME, 0, &T, &rem) == 0)
TIMED(poll, int p[2]; CHECK(pipe(p) == 0, "pipe"); struct pollfd fds = {.fd = p[0] COMMA.events = POLLIN}, poll(&fds, 1, T_MS) == 0)
TIMED(usleep, , usleep(T_MS * 1000) == 0)
TIMED(ppoll, , ppoll(NULL, 0, &T, NULL) == 0)
TIMED(ppoll_raw, struct timespec left, (left = T, syscall(SYS_ppoll, NULL, 0, &left, NULL, 8) == 0 && !left.tv_sec && !left.tv_nsec))
TIMED(select, struct timeval tv, (tv = (struct timeval){0, T_MS * 1000}, select(0, NULL, NULL, NULL, &tv) == 0 && !tv.tv_usec))
TIMED(select_raw, struct timeval tv, (tv = (struct timeval){0, T_MS * 1000}, syscall(SYS_select, 0, NULL, NULL, NULL, &tv) == 0 && !tv.tv_usec))
TIMED(pselect, sigset_t none; sigemptyset(&none), pselect(0, NULL, NULL, NULL, &T, &none) == 0)
TIMED(epoll_wait, struct epoll_event e; int fd = epoll_create1(0), epoll_wait(fd, &e, 1, T_MS) == 0)
TIMED(epoll_pwait, struct epoll_event e; sigset_t none; sigemptyset(&none); int fd = epoll_create1(0), epoll_pwait(fd, &e, 1, T_MS, &none) == 0)
TIMED(epoll_pwait2, struct epoll_event e; int fd = epoll_create1(0), epoll_pwait2(fd, &e, 1, &T, NULL) == 0)
TIMED(futex, uint32_t word = 0, FAILS(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &T, NULL, 0), ETIMEDOUT))
TIMED(semtimedop, struct sembuf op = {0 COMMA - 1 COMMA 0}; int id = new_semaphore(), FAILS(semtimedop(id, &op, 1, &T), EAGAIN) &&
      (turn == 0 || semctl(id, 0, IPC_RMID) == 0))
TIMED(sigtimedwait, sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2); pthread_sigmask(SIG_BLOCK, &set, NULL), FAILS(sigtimedwait(&set, NULL, &T), EAGAIN))

static struct timespec absolute(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    ts.tv_nsec += T.tv_nsec;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }
    return ts;
}

TIMED(clock_nanosleep_absolute, , ({ struct timespec ts = absolute(CLOCK_MONOTONIC); clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0; }))
TIMED(futex_bitset, uint32_t word = 0, ({ struct timespec ts = absolute(CLOCK_MONOTONIC);
       FAILS(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &ts, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT); }))
TIMED(cond_timedwait, pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t c = PTHREAD_COND_INITIALIZER; pthread_mutex_lock(&m),
      ({ struct timespec ts = absolute(CLOCK_REALTIME); int r; while ((r = pthread_cond_timedwait(&c, &m, &ts)) == 0) {} r == ETIMEDOUT; }))
TIMED(sem_timedwait, sem_t s; sem_init(&s, 0, 0), ({ struct timespec ts = absolute(CLOCK_REALTIME); FAILS(sem_timedwait(&s, &ts), ETIMEDOUT); }))
TIMED(mq_timedreceive, struct mq_attr a = {.mq_maxmsg = 1 COMMA.mq_msgsize = 8}; char name[64]; char buffer[8];
      snprintf(name, sizeof name, "/redo_calls.%d", getpid()); mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &a); mq_unlink(name);
      CHECK(q >= 0, "mq_open"), ({ struct timespec ts = absolute(CLOCK_REALTIME); FAILS(mq_timedreceive(q, buffer, 8, NULL, &ts), ETIMEDOUT); }))
TIMED(io_getevents, aio_context_t aio = 0; struct io_event e[2]; CHECK(syscall(SYS_io_setup, 4, &aio) == 0, "io_setup"),
      syscall(SYS_io_getevents, aio, 1, 2, e, &T) == 0)

#define SOCKET_PAIR(domain, type, option)                                                                                                  \
    char b[16];                                                                                                                            \
    (void)b;                                                                                                                               \
    CHECK(socketpair(domain, type, 0, test->fd) == 0, "pair");                                                                             \
    timeout_option(test->fd[0], option)
#define TCP_PAIR(option)                                                                                                                   \
    char b[16];                                                                                                                            \
    (void)b;                                                                                                                               \
    tcp_pair(test->fd);                                                                                                                    \
    timeout_option(test->fd[0], option)

TIMED(recv_unix, SOCKET_PAIR(AF_UNIX, SOCK_STREAM, SO_RCVTIMEO), FAILS(recv(test->fd[0], b, 16, 0), EAGAIN))
TIMED(recv_dgram, SOCKET_PAIR(AF_UNIX, SOCK_DGRAM, SO_RCVTIMEO), FAILS(recv(test->fd[0], b, 16, 0), EAGAIN))
TIMED(recv_tcp, TCP_PAIR(SO_RCVTIMEO), FAILS(recv(test->fd[0], b, 16, 0), EAGAIN))
TIMED(read_tcp, TCP_PAIR(SO_RCVTIMEO), FAILS(read(test->fd[0], b, 16), EAGAIN))
TIMED(readv_tcp, TCP_PAIR(SO_RCVTIMEO), FAILS(readv(test->fd[0], (&(struct iovec){b COMMA 16}), 1), EAGAIN))
TIMED(recvmsg_tcp, TCP_PAIR(SO_RCVTIMEO), FAILS(recvmsg(test->fd[0], (&(struct msghdr){.msg_iov = &(struct iovec){b COMMA 16} COMMA.msg_iovlen = 1}), 0), EAGAIN))
TIMED(recv_udp, char b[16]; test->fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
      struct sockaddr_in a = {.sin_family = AF_INET COMMA.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
      bind(test->fd[0], (void *)&a, sizeof a); timeout_option(test->fd[0], SO_RCVTIMEO), FAILS(recv(test->fd[0], b, 16, 0), EAGAIN))
TIMED(accept_tcp, int fd = socket(AF_INET, SOCK_STREAM, 0); CHECK(listen(fd, 1) == 0, "listen"); timeout_option(fd, SO_RCVTIMEO),
      FAILS(accept(fd, NULL, NULL), EAGAIN))

/* A full buffer: send waits for SO_SNDTIMEO. TCP finds more room for a while, when the peer's window grows. */
static void fill(int fd)
{
    static char zeros[4096];

    for (int unchanged = 0; unchanged < 4; unchanged++) {
        while (send(fd, zeros, sizeof zeros, MSG_DONTWAIT) > 0)
            unchanged = 0;
        while (send(fd, zeros, 1, MSG_DONTWAIT) > 0)
            unchanged = 0;
        harness_pause(100);
    }
}

TIMED(send_unix, SOCKET_PAIR(AF_UNIX, SOCK_STREAM, SO_SNDTIMEO); fill(test->fd[0]), FAILS(send(test->fd[0], b, 16, 0), EAGAIN))
TIMED(send_tcp, TCP_PAIR(SO_SNDTIMEO); fill(test->fd[0]), FAILS(send(test->fd[0], b, 16, 0), EAGAIN))
TIMED(write_tcp, TCP_PAIR(SO_SNDTIMEO); fill(test->fd[0]), FAILS(write(test->fd[0], b, 16), EAGAIN))

/* A part arrives, the rest never does. (Each turn gets its own part.) */
TIMED(recv_all_timeout, TCP_PAIR(SO_RCVTIMEO), (send(test->fd[1], "hello", 5, 0) == 5 && recv(test->fd[0], b, 16, MSG_WAITALL) == 5))

/* Listening sockets whose queue is full. */
TIMED(connect_tcp, struct sockaddr_in a = {.sin_family = AF_INET COMMA.sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; socklen_t n = sizeof a;
      int l = socket(AF_INET, SOCK_STREAM, 0); bind(l, (void *)&a, n); listen(l, 0); getsockname(l, (void *)&a, &n);
      for (int i = 0; i < 8; i++) connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&a, n),
      ({ int fd = socket(AF_INET, SOCK_STREAM, 0); timeout_option(fd, SO_SNDTIMEO); FAILS(connect(fd, (void *)&a, n), EINPROGRESS); }))
TIMED(connect_unix, struct sockaddr_un a = {.sun_family = AF_UNIX}; socklen_t n = sizeof(sa_family_t); int l = socket(AF_UNIX, SOCK_STREAM, 0);
      bind(l, (void *)&a, n); listen(l, 0); n = sizeof a; getsockname(l, (void *)&a, &n);
      while (connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&a, n) == 0) {},
      ({ int fd = socket(AF_UNIX, SOCK_STREAM, 0); timeout_option(fd, SO_SNDTIMEO); FAILS(connect(fd, (void *)&a, n), EAGAIN); }))

/* --- calls that end by an event, after many interruptions --- */

#define BIG (768 * 1024)

static void feed_byte(struct test *test)
{
    if (!test->moved && write(test->fd[1], "x", 1) == 1)
        test->moved = 1;
}

static void feed_signal(struct test *test)
{
    if (!test->moved++)
        pthread_kill(test->held->pthread, SIGUSR1);
}

static void feed_queued(struct test *test)
{
    if (!test->moved++)
        pthread_kill(test->held->pthread, SIGUSR2);
}

static void feed_wake(struct test *test)
{
    test->word = 1;
    syscall(SYS_futex, &test->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#define PIPE() CHECK(pipe(test->fd) == 0, "pipe")
#define ENDS(id, before, condition)                                                                                                      \
    static void run_##id(struct test *test)                                                                                              \
    {                                                                                                                                      \
        before;                                                                                                                            \
        errno = 0;                                                                                                                         \
        CHECK(condition, "%s", test->name);                                                                                                \
    }

ENDS(poll_event, PIPE(); struct pollfd p = {.fd = test->fd[0] COMMA.events = POLLIN}, poll(&p, 1, -1) == 1 && p.revents == POLLIN)
ENDS(poll_event_long, PIPE(); struct pollfd p = {.fd = test->fd[0] COMMA.events = POLLIN}, poll(&p, 1, 1000000) == 1)
ENDS(ppoll_event, PIPE(); struct pollfd p = {.fd = test->fd[0] COMMA.events = POLLIN}, ppoll(&p, 1, NULL, NULL) == 1)
ENDS(select_event, PIPE(); fd_set s; FD_ZERO(&s); FD_SET(test->fd[0], &s), select(test->fd[0] + 1, &s, NULL, NULL, NULL) == 1)
ENDS(pselect_event, PIPE(); fd_set s; FD_ZERO(&s); FD_SET(test->fd[0], &s), pselect(test->fd[0] + 1, &s, NULL, NULL, NULL, NULL) == 1)
ENDS(epoll_event, PIPE(); int fd = epoll_create1(0); struct epoll_event e = {.events = EPOLLIN}; epoll_ctl(fd, EPOLL_CTL_ADD, test->fd[0], &e),
     epoll_wait(fd, &e, 1, -1) == 1)
ENDS(epoll_pwait2_event, PIPE(); int fd = epoll_create1(0); struct epoll_event e = {.events = EPOLLIN};
     epoll_ctl(fd, EPOLL_CTL_ADD, test->fd[0], &e), epoll_pwait2(fd, &e, 1, NULL, NULL) == 1)
ENDS(read_pipe, PIPE(); char b[4], read(test->fd[0], b, 4) == 1)
ENDS(read_eventfd, test->fd[0] = test->fd[1] = eventfd(0, 0); uint64_t v, read(test->fd[0], &v, 8) == 8 && v == 5)
static void feed_eventfd(struct test *test)
{
    uint64_t v = 5;

    if (!test->moved++)
        CHECK(write(test->fd[1], &v, 8) == 8, "eventfd");
}
ENDS(accept_event, struct sockaddr_in a = {.sin_family = AF_INET COMMA.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
     int fd = socket(AF_INET, SOCK_STREAM, 0); bind(fd, (void *)&a, sizeof a); listen(fd, 1); test->fd[0] = fd, accept(fd, NULL, NULL) >= 0)
static void feed_connect(struct test *test)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    if (test->moved++)
        return;
    getsockname(test->fd[0], (void *)&address, &size);
    CHECK(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, size) == 0, "connect");
}
ENDS(futex_wake, , syscall(SYS_futex, &test->word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 || errno == EAGAIN)
ENDS(futex_wake_timeout, struct timespec hour = {3600 COMMA 0}, syscall(SYS_futex, &test->word, FUTEX_WAIT, 0, &hour, NULL, 0) == 0 || errno == EAGAIN)
ENDS(pause, , pause() == -1 && errno == EINTR && test->moved)
ENDS(sigsuspend, sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); pthread_sigmask(SIG_BLOCK, &s, NULL); sigemptyset(&s),
     sigsuspend(&s) == -1 && errno == EINTR && test->moved)
ENDS(pselect_signal, sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); pthread_sigmask(SIG_BLOCK, &s, NULL); sigemptyset(&s),
     pselect(0, NULL, NULL, NULL, NULL, &s) == -1 && errno == EINTR && test->moved)
ENDS(sigwaitinfo, sigset_t s; siginfo_t i; sigemptyset(&s); sigaddset(&s, SIGUSR2); pthread_sigmask(SIG_BLOCK, &s, NULL), sigwaitinfo(&s, &i) == SIGUSR2)
ENDS(sigwait, sigset_t s; int n; sigemptyset(&s); sigaddset(&s, SIGUSR2); pthread_sigmask(SIG_BLOCK, &s, NULL), sigwait(&s, &n) == 0 && n == SIGUSR2)
ENDS(semop, struct sembuf op = {0 COMMA - 1 COMMA 0}; test->fd[0] = new_semaphore(), semop(test->fd[0], &op, 1) == 0 && semctl(test->fd[0], 0, IPC_RMID) == 0)
static void feed_sem(struct test *test)
{
    struct sembuf op = {0, 1, 0};

    if (!test->moved++)
        CHECK(semop(test->fd[0], &op, 1) == 0, "semop");
}
struct message {
    long type;
    char text[64];
};
ENDS(msgrcv, struct message m; test->fd[0] = new_queue(), msgrcv(test->fd[0], &m, 64, 0, 0) == 64 && msgctl(test->fd[0], IPC_RMID, NULL) == 0)
static void feed_msgsnd(struct test *test)
{
    struct message m = {.type = 1};

    if (!test->moved++)
        CHECK(msgsnd(test->fd[0], &m, 64, 0) == 0, "msgsnd");
}
ENDS(msgsnd, struct message m = {.type = 1}; test->fd[0] = new_queue();
     while (msgsnd(test->fd[0], &m, 64, IPC_NOWAIT) == 0) {},
     msgsnd(test->fd[0], &m, 64, 0) == 0 && msgctl(test->fd[0], IPC_RMID, NULL) == 0)
static void feed_msgrcv(struct test *test)
{
    struct message m;

    if (!test->moved++)
        CHECK(msgrcv(test->fd[0], &m, 64, 0, 0) == 64, "msgrcv");
}
ENDS(wait4, PIPE(); pid_t pid = fork(); if (!pid) { char b; close(test->fd[1]); _exit(read(test->fd[0], &b, 1) == 1 ? 7 : 8); } int status,
     wait4(pid, &status, 0, NULL) == pid && WEXITSTATUS(status) == 7)
ENDS(waitid, PIPE(); pid_t pid = fork(); if (!pid) { char b; close(test->fd[1]); _exit(read(test->fd[0], &b, 1) == 1 ? 7 : 8); } siginfo_t i,
     waitid(P_PID, (id_t)pid, &i, WEXITED) == 0 && i.si_status == 7)

/* It keeps its name in TEST_TMP, which the runner removes: to be opened again by /proc/self/fd. */
static int temporary_file(void)
{
    const char *directory = getenv("TEST_TMP");
    char path[4096];

    snprintf(path, sizeof path, "%s/redo_calls.XXXXXX", directory ? directory : "/tmp");
    int fd = mkstemp(path);
    CHECK(fd >= 0, "%s", path);
    return fd;
}
ENDS(flock, char p[64]; test->fd[0] = temporary_file(); flock(test->fd[0], LOCK_EX); snprintf(p, sizeof p, "/proc/self/fd/%d", test->fd[0]);
     int fd = open(p, O_RDWR), flock(fd, LOCK_EX) == 0)
static void feed_unlock(struct test *test)
{
    flock(test->fd[0], LOCK_UN);
}
ENDS(ofd_lock, char p[64]; test->fd[0] = temporary_file(); struct flock l = {.l_type = F_WRLCK}; fcntl(test->fd[0], F_OFD_SETLK, &l);
     snprintf(p, sizeof p, "/proc/self/fd/%d", test->fd[0]); int fd = open(p, O_RDWR), fcntl(fd, F_OFD_SETLKW, &l) == 0)
static void feed_ofd_unlock(struct test *test)
{
    struct flock l = {.l_type = F_UNLCK};

    fcntl(test->fd[0], F_OFD_SETLK, &l);
}
ENDS(io_getevents_event, PIPE(); aio_context_t aio = 0; struct io_event e[3]; CHECK(syscall(SYS_io_setup, 4, &aio) == 0, "io_setup");
     struct iocb c[2]; struct iocb *cs[2]; memset(c, 0, sizeof c); for (int i = 0; i < 2; i++) {
         c[i].aio_lio_opcode = IOCB_CMD_POLL; c[i].aio_fildes = (unsigned)test->fd[i]; c[i].aio_buf = i ? POLLOUT : POLLIN; cs[i] = &c[i];
     } CHECK(syscall(SYS_io_submit, aio, 2, cs) == 2, "io_submit"),
     syscall(SYS_io_getevents, aio, 2, 3, e, NULL) == 2 && e[0].obj == (uint64_t)&c[1] && e[1].obj == (uint64_t)&c[0])

/* --- transfers --- */

#define TRANSFER(id, before, condition)                                                                                                  \
    static void run_##id(struct test *test)                                                                                              \
    {                                                                                                                                      \
        unsigned char *data = pattern_make(BIG);                                                                                           \
        before;                                                                                                                            \
        errno = 0;                                                                                                                         \
        CHECK((condition) == BIG, "%s", test->name);                                                                                       \
        test->word = 1;                                                                                                                    \
        free(data);                                                                                                                        \
    }

#define DRAINED_PIPE() PIPE(); nonblocking(test->fd[0])
#define DRAINED_PAIR() CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, test->fd) == 0, "pair"); nonblocking(test->fd[0])
#define DRAINED_TCP() tcp_pair(test->fd); nonblocking(test->fd[0])

static int split(struct iovec *vector, unsigned char *data, int pieces)
{
    size_t at = 0;

    for (int i = 0; i < pieces; i++) {
        size_t end = (size_t)BIG * (unsigned)(i + 1) / (unsigned)pieces;
        vector[i] = (struct iovec){data + at, end - at};
        at = end;
    }
    return pieces;
}

TRANSFER(write_pipe, DRAINED_PIPE(), write(test->fd[1], data, BIG))
TRANSFER(write_unix, DRAINED_PAIR(), write(test->fd[1], data, BIG))
TRANSFER(write_tcp_big, DRAINED_TCP(), write(test->fd[1], data, BIG))
TRANSFER(send_tcp_big, DRAINED_TCP(), send(test->fd[1], data, BIG, 0))
TRANSFER(send_timeout, DRAINED_PAIR(); struct timeval tv = {.tv_sec = 100}; setsockopt(test->fd[1], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv),
         send(test->fd[1], data, BIG, 0))
TRANSFER(writev_pipe, DRAINED_PIPE(); struct iovec v[3], writev(test->fd[1], v, split(v, data, 3)))
TRANSFER(writev_pipe_many, DRAINED_PIPE(); struct iovec v[1000], writev(test->fd[1], v, split(v, data, 1000)))
TRANSFER(writev_tcp, DRAINED_TCP(); struct iovec v[30], writev(test->fd[1], v, split(v, data, 30)))
TRANSFER(sendmsg_unix, DRAINED_PAIR(); struct iovec v[10]; struct msghdr m = {.msg_iov = v COMMA.msg_iovlen = (size_t)split(v, data, 10)},
         sendmsg(test->fd[1], &m, 0))
TRANSFER(sendfile, DRAINED_PAIR(); int fd = temporary_file(); CHECK(write(fd, data, BIG) == BIG, "file"); off_t at = 0,
         sendfile(test->fd[1], fd, &at, BIG))
#define RECEIVED 9000
#define RECEIVE(id, before, condition)                                                                                                   \
    static void run_##id(struct test *test)                                                                                              \
    {                                                                                                                                      \
        unsigned char data[RECEIVED];                                                                                                      \
        before;                                                                                                                            \
        errno = 0;                                                                                                                         \
        CHECK((condition) == RECEIVED, "%s", test->name);                                                                                  \
        pattern_check(data, RECEIVED, 0, test->name);                                                                                      \
    }
#define PAIR() CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, test->fd) == 0, "pair")

RECEIVE(recv_all_unix, PAIR(), recv(test->fd[0], data, RECEIVED, MSG_WAITALL))
RECEIVE(recv_all_tcp, tcp_pair(test->fd), recv(test->fd[0], data, RECEIVED, MSG_WAITALL))
RECEIVE(recv_all_long_timeout, tcp_pair(test->fd); struct timeval tv = {.tv_sec = 100}; setsockopt(test->fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv),
        recv(test->fd[0], data, RECEIVED, MSG_WAITALL))
RECEIVE(recvmsg_all, tcp_pair(test->fd); struct iovec v[20]; for (int i = 0; i < 20; i++) v[i] = (struct iovec){data + i * 450 COMMA 450};
        struct msghdr m = {.msg_iov = v COMMA.msg_iovlen = 20}, recvmsg(test->fd[0], &m, MSG_WAITALL))

static void run_recv_all_peek(struct test *test)
{
    unsigned char data[RECEIVED];

    tcp_pair(test->fd);
    CHECK(recv(test->fd[0], data, 2000, MSG_WAITALL | MSG_PEEK) == 2000, "%s", test->name);
    pattern_check(data, 2000, 0, test->name);
    CHECK(recv(test->fd[0], data, 2000, MSG_WAITALL) == 2000, "%s", test->name);
    pattern_check(data, 2000, 0, test->name);
}

/* MSG_WAITALL means nothing for datagrams. */
static void run_recv_all_dgram(struct test *test)
{
    char data[1000];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, test->fd) == 0, "pair");
    CHECK(recv(test->fd[0], data, sizeof data, MSG_WAITALL) == 100, "%s", test->name);
}

#define MESSAGES 60
static void run_recvmmsg(struct test *test)
{
    static unsigned char data[MESSAGES][200];
    struct mmsghdr m[MESSAGES];
    struct iovec v[MESSAGES];

    memset(m, 0, sizeof m);
    for (int i = 0; i < MESSAGES; i++) {
        v[i] = (struct iovec){data[i], 200};
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, test->fd) == 0, "pair");
    CHECK(recvmmsg(test->fd[0], m, MESSAGES, 0, NULL) == MESSAGES, "%s", test->name);
    for (int i = 0; i < MESSAGES; i++) {
        CHECK(m[i].msg_len == 100, "%s: message %d", test->name, i);
        pattern_check(data[i], 100, (uint64_t)i * 100, test->name);
    }
}

static void run_sendmmsg(struct test *test)
{
    unsigned char *data = pattern_make(BIG);
    struct mmsghdr m[96];
    struct iovec v[96];

    split(v, data, 96);
    memset(m, 0, sizeof m);
    for (int i = 0; i < 96; i++) {
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, test->fd) == 0, "pair");
    nonblocking(test->fd[0]);
    CHECK(sendmmsg(test->fd[1], m, 96, 0) == 96, "%s", test->name);
    test->word = 1;
    free(data);
}

static void run_write_tty(struct test *test)
{
    unsigned char *data = pattern_make(BIG);
    struct termios t;
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "pty");
    test->fd[1] = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(tcgetattr(test->fd[1], &t) == 0, "termios");
    cfmakeraw(&t);
    CHECK(tcsetattr(test->fd[1], TCSANOW, &t) == 0, "termios");
    nonblocking(master);
    test->fd[0] = master;
    CHECK(write(test->fd[1], data, 64 * 1024) == 64 * 1024, "%s", test->name);
    test->word = 1;
    free(data);
}

static void run_getrandom(struct test *test)
{
    size_t size = 4 << 20;
    char *data = malloc(size);

    while (!test->moved)
        CHECK(getrandom(data, size, 0) == (ssize_t)size, "%s", test->name);
    free(data);
}

/* Calls that begin and end all the time: the signal often meets one that had not begun when the thread was looked at. */
static void run_short_waits(struct test *test)
{
    struct timespec ts = {.tv_nsec = 300000}, left;
    struct timeval tv = {.tv_usec = 300};
    struct epoll_event event;
    uint32_t word = 0;
    int pair[2], epoll = epoll_create1(EPOLL_CLOEXEC);
    char b[16];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "pair");
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0, "timeout");
    while (!test->moved) {
        CHECK(poll(NULL, 0, 1) == 0, "%s", test->name);
        CHECK(nanosleep(&ts, NULL) == 0, "%s", test->name);
        left = ts;
        CHECK(ppoll(NULL, 0, &left, NULL) == 0, "%s", test->name);
        CHECK(redo_syscall(SYS_futex, (long)&word, FUTEX_WAIT, 0, (long)&ts, 0, 0) == -ETIMEDOUT, "%s", test->name);
        CHECK(epoll_pwait(epoll, &event, 1, 1, NULL) == 0, "%s", test->name);
        CHECK(epoll_pwait2(epoll, &event, 1, &ts, NULL) == 0, "%s", test->name);
        CHECK(epoll_wait(epoll, &event, 1, 1) == 0, "%s", test->name);
        CHECK(FAILS(recv(pair[0], b, sizeof b, 0), EAGAIN), "%s", test->name);
        CHECK(FAILS(read(pair[0], b, sizeof b), EAGAIN), "%s", test->name);
        left = ts;
        CHECK(pselect(0, NULL, NULL, NULL, &ts, NULL) == 0, "%s", test->name);
        tv.tv_usec = 300;
        CHECK(select(0, NULL, NULL, NULL, &tv) == 0, "%s", test->name);
    }
    close(pair[0]);
    close(pair[1]);
    close(epoll);
}

static void feed_stop(struct test *test)
{
    test->moved = 1;
}

#define TIMED_TEST(x) {.name = #x, .run = run_##x}
#define FED_TEST(x, how) {.name = #x, .run = run_##x, .feed = how, .after = 20}
#define LONG_TEST(x, how) {.name = #x, .run = run_##x, .feed = how, .after = 60}
#define MOVED_TEST(x, how) {.name = #x, .run = run_##x, .feed = how}

static struct test tests[] = {
    TIMED_TEST(nanosleep), TIMED_TEST(nanosleep_rem), TIMED_TEST(clock_nanosleep), TIMED_TEST(clock_nanosleep_realtime),
    TIMED_TEST(clock_nanosleep_absolute), TIMED_TEST(usleep), TIMED_TEST(poll), TIMED_TEST(ppoll), TIMED_TEST(ppoll_raw),
    TIMED_TEST(select), TIMED_TEST(select_raw), TIMED_TEST(pselect), TIMED_TEST(epoll_wait), TIMED_TEST(epoll_pwait),
    TIMED_TEST(epoll_pwait2), TIMED_TEST(futex), TIMED_TEST(futex_bitset), TIMED_TEST(cond_timedwait), TIMED_TEST(sem_timedwait),
    TIMED_TEST(semtimedop), TIMED_TEST(sigtimedwait), TIMED_TEST(mq_timedreceive), TIMED_TEST(io_getevents), TIMED_TEST(recv_unix),
    TIMED_TEST(recv_dgram), TIMED_TEST(recv_tcp), TIMED_TEST(read_tcp), TIMED_TEST(readv_tcp), TIMED_TEST(recvmsg_tcp),
    TIMED_TEST(recv_udp), TIMED_TEST(accept_tcp), TIMED_TEST(send_unix), TIMED_TEST(send_tcp), TIMED_TEST(write_tcp),
    TIMED_TEST(recv_all_timeout), TIMED_TEST(connect_tcp), TIMED_TEST(connect_unix),
    FED_TEST(poll_event, feed_byte), FED_TEST(poll_event_long, feed_byte), FED_TEST(ppoll_event, feed_byte),
    FED_TEST(select_event, feed_byte), FED_TEST(pselect_event, feed_byte), FED_TEST(epoll_event, feed_byte),
    FED_TEST(epoll_pwait2_event, feed_byte), FED_TEST(read_pipe, feed_byte), FED_TEST(read_eventfd, feed_eventfd),
    FED_TEST(accept_event, feed_connect), FED_TEST(futex_wake, feed_wake), FED_TEST(futex_wake_timeout, feed_wake),
    FED_TEST(pause, feed_signal), FED_TEST(sigsuspend, feed_signal), FED_TEST(pselect_signal, feed_signal),
    FED_TEST(sigwaitinfo, feed_queued), FED_TEST(sigwait, feed_queued), FED_TEST(semop, feed_sem), FED_TEST(msgrcv, feed_msgsnd),
    FED_TEST(msgsnd, feed_msgrcv), FED_TEST(wait4, feed_byte), FED_TEST(waitid, feed_byte), FED_TEST(flock, feed_unlock),
    FED_TEST(ofd_lock, feed_ofd_unlock), FED_TEST(io_getevents_event, feed_byte), FED_TEST(getrandom, feed_stop),
    LONG_TEST(short_waits, feed_stop), LONG_TEST(short_waits, feed_stop), LONG_TEST(short_waits, feed_stop),
    LONG_TEST(short_waits, feed_stop), LONG_TEST(short_waits, feed_stop), LONG_TEST(short_waits, feed_stop),
    MOVED_TEST(write_pipe, feed_drain), MOVED_TEST(write_unix, feed_drain), MOVED_TEST(write_tcp_big, feed_drain),
    MOVED_TEST(send_tcp_big, feed_drain), MOVED_TEST(send_timeout, feed_drain), MOVED_TEST(writev_pipe, feed_drain),
    MOVED_TEST(writev_pipe_many, feed_drain), MOVED_TEST(writev_tcp, feed_drain), MOVED_TEST(sendmsg_unix, feed_drain),
    MOVED_TEST(sendfile, feed_drain), MOVED_TEST(sendmmsg, feed_drain), MOVED_TEST(write_tty, feed_drain),
    MOVED_TEST(recv_all_unix, feed_drip), MOVED_TEST(recv_all_tcp, feed_drip), MOVED_TEST(recv_all_long_timeout, feed_drip),
    MOVED_TEST(recvmsg_all, feed_drip), MOVED_TEST(recv_all_peek, feed_drip), MOVED_TEST(recv_all_dgram, feed_drip),
    MOVED_TEST(recvmmsg, feed_drip),
};
#define TESTS (sizeof tests / sizeof *tests)

static void *run(void *raw)
{
    struct test *test = raw;

    test->run(test);
    __atomic_store_n(&test->done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void on_usr1(int number)
{
    (void)number;
}

/* An event that comes before the thread waits for it would end nothing; data can be moved once there are descriptors. */
static bool may_feed(struct test *test)
{
    struct syscall_sample sample;

    if (!test->feed || rounds <= test->after)
        return false;
    if (test->feed == feed_stop)
        return true;
    if (!test->after)
        return __atomic_load_n(&test->fd[1], __ATOMIC_SEQ_CST) != 0;
    return test->held->listed && harness_sample(test->held->thread.real_tid, &sample) && sample.in_syscall;
}

int main(int argc, char **argv)
{
    struct sigaction usr1 = {.sa_handler = on_usr1};
    unsigned hold = 0, limit = 4000, left = 0;
    const char *only = NULL;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "hold"))
            hold = (unsigned)atoi(argv[++i]);
        else if (!strcmp(argv[i], "rounds"))
            limit = (unsigned)atoi(argv[++i]);
        else if (!strcmp(argv[i], "only"))
            only = argv[++i];
        else if (!strcmp(argv[i], "restarted"))
            harness_restarted = true;
    }
    sigaction(SIGUSR1, &usr1, NULL);
    harness_on_failure = remove_objects;
    harness_start();
    for (unsigned i = 0; i < TESTS; i++) {
        tests[i].done = only && strcmp(only, tests[i].name);
        if (!tests[i].done)
            tests[i].held = harness_create(tests[i].name, run, &tests[i]);
    }
    do {
        harness_interrupt(hold);
        rounds++;
        left = 0;
        for (unsigned i = 0; i < TESTS; i++) {
            if (__atomic_load_n(&tests[i].done, __ATOMIC_SEQ_CST))
                continue;
            left++;
            if (may_feed(&tests[i]))
                tests[i].feed(&tests[i]);
        }
        harness_pause(15);
    } while (left && rounds < limit);
    for (unsigned i = 0; i < TESTS; i++) {
        CHECK(tests[i].done, "%s has not ended after %u interruptions", tests[i].name, rounds);
        if (tests[i].held)
            pthread_join(tests[i].held->pthread, NULL);
        if (tests[i].held && tests[i].feed == feed_drain)
            drain_rest(&tests[i], tests[i].run == run_write_tty ? 64 * 1024 : BIG);
    }
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        CHECK(redo_slots[i].owner == 0, "slot %u is still claimed", i);
    printf("%u interruptions; %d ms were %u ms at worst, for %s\n", rounds, T_MS, (unsigned)(latest_ns / 1000000), latest ? latest : "none");
    return 0;
}
