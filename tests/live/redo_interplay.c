/* Continued system calls and the application's own doings: its signals still end a call, pthread_cancel and backtrace find their way out of
 * the stub, no register is lost, handlers may block or jump away.
 *
 * redo_interplay [only NAME] */
#include "redo_harness.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LONG_MS 1000000
static const struct timespec long_time = {LONG_MS / 1000, 0};

static int fds[2];
static volatile int handled;
static volatile bool came_back;

static void on_usr1(int number)
{
    handled++;
}

static void install(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "SIGUSR1");
    handled = 0;
    came_back = false;
}

/* --- calls, and what each returns when a signal of the application ends it --- */

static struct timespec remainder_of_sleep;

static long call_poll(void)
{
    return poll(NULL, 0, LONG_MS);
}
static long call_poll_ever(void)
{
    return poll(NULL, 0, -1);
}
static long call_nanosleep(void)
{
    return nanosleep(&long_time, &remainder_of_sleep);
}
static long call_ppoll(void)
{
    return ppoll(NULL, 0, &long_time, NULL);
}
static long call_epoll(void)
{
    struct epoll_event event;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    long result = epoll_wait(fd, &event, 1, LONG_MS);
    int saved = errno;

    close(fd);
    errno = saved;
    return result;
}
static long call_futex(void)
{
    uint32_t word = 0;

    return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &long_time, NULL, 0);
}
static long call_recv_timeout(void)
{
    struct timeval tv = {.tv_sec = LONG_MS / 1000};
    char b[8];

    setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    return recv(fds[0], b, sizeof b, 0);
}
static long call_recv(void)
{
    char b[8];

    return recv(fds[0], b, sizeof b, 0);
}
static long call_read(void)
{
    char b[8];

    return read(fds[0], b, sizeof b);
}
static long call_wait(void)
{
    pid_t pid = fork();

    if (!pid)
        for (;;)
            pause();
    long result = waitpid(pid, NULL, 0);
    int saved = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    errno = saved;
    return result;
}
static long call_recv_all(void) /* 10 bytes of 20 come */
{
    char b[20];

    CHECK(send(fds[1], "0123456789", 10, 0) == 10, "send");
    return recv(fds[0], b, sizeof b, MSG_WAITALL);
}
static long call_send_all(void) /* as much as fits */
{
    static char zeros[4 << 20];

    return send(fds[0], zeros, sizeof zeros, 0);
}
static long call_pselect(void) /* SIGUSR1 only inside */
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&set);
    return pselect(0, NULL, NULL, NULL, &long_time, &set);
}
static long call_sigsuspend(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&set);
    return sigsuspend(&set);
}

static const struct call {
    const char *name;
    long (*call)(void);
    long number; /* as it is seen to wait first */
    long result; /* -1: EINTR; -2: a short count */
    bool stub; /* continues in a stub; else the kernel restarts it */
} calls[] = {
    {"poll", call_poll, SYS_poll, -1, true},
    {"poll_ever", call_poll_ever, SYS_poll, -1, true},
    {"nanosleep", call_nanosleep, SYS_clock_nanosleep, -1, true},
    {"ppoll", call_ppoll, SYS_ppoll, -1, true},
    {"epoll", call_epoll, SYS_epoll_wait, -1, true},
    {"futex", call_futex, SYS_futex, -1, true},
    {"recv_timeout", call_recv_timeout, SYS_recvfrom, -1, true},
    {"recv", call_recv, SYS_recvfrom, -1, false},
    {"read", call_read, SYS_read, -1, false},
    {"wait", call_wait, SYS_wait4, -1, false},
    {"recv_all", call_recv_all, SYS_recvfrom, 10, true},
    {"send_all", call_send_all, SYS_sendto, -2, true},
    {"pselect", call_pselect, SYS_pselect6, -1, true},
    {"sigsuspend", call_sigsuspend, SYS_rt_sigsuspend, -1, true},
};
#define CALLS (sizeof calls / sizeof *calls)

static void *expect_end(void *raw)
{
    const struct call *call = raw;

    remainder_of_sleep = (struct timespec){0, 0};
    errno = 0;
    long result = call->call();
    if (call->result == -2)
        CHECK(result > 0, "%s: %ld", call->name, result);
    else
        CHECK(result == call->result, "%s: %ld", call->name, result);
    if (call->result == -1)
        CHECK(errno == EINTR, "%s", call->name);
    CHECK(handled == 1, "%s: handler ran %d times", call->name, handled);
    if (call->call == call_nanosleep)
        CHECK(remainder_of_sleep.tv_sec > LONG_MS / 2000 && remainder_of_sleep.tv_sec <= LONG_MS / 1000, "remainder");
    came_back = true;
    return NULL;
}

static void open_sockets(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
}

static void close_sockets(void)
{
    close(fds[0]);
    close(fds[1]);
}

static struct held *begin(const char *name, void *(*function)(void *), const void *argument, long number)
{
    struct held *me;

    held_count = 0;
    open_sockets();
    me = harness_create(name, function, (void *)(uintptr_t)argument);
    harness_await_call(me, number);
    return me;
}

static void end(struct held *me)
{
    CHECK(pthread_join(me->pthread, NULL) == 0, "join");
    redo_release(&me->thread);
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        CHECK(redo_slots[i].owner == 0, "%s: slot %u is still claimed", me->name, i);
    close_sockets();
}

static void interrupt_times(int times)
{
    for (int i = 0; i < times; i++) {
        harness_interrupt(0);
        harness_pause(2);
    }
}

/* Until it waits again, in a stub if that is where it goes on. */
static void await_waiting(struct held *me, bool stub)
{
    struct syscall_sample sample;

    do
        sched_yield();
    while (stub ? !harness_in_stub(me) : !harness_sample(me->thread.real_tid, &sample) || !sample.in_syscall);
}

static void test_signal_in_stub(void)
{
    install(on_usr1, 0);
    for (unsigned i = 0; i < CALLS; i++) {
        struct held *me;
        handled = 0;
        me = begin(calls[i].name, expect_end, &calls[i], calls[i].number);
        interrupt_times(3);
        await_waiting(me, calls[i].stub);
        pthread_kill(me->pthread, SIGUSR1);
        end(me);
    }
}

/* It arrives while the thread is held: first interruption, and later ones. */
static void test_signal_while_held(void)
{
    install(on_usr1, 0);
    for (unsigned i = 0; i < CALLS; i++)
        for (int before = 0; before < 2; before++) {
            struct held *me;
            handled = 0;
            me = begin(calls[i].name, expect_end, &calls[i], calls[i].number);
            interrupt_times(before * 2);
            await_waiting(me, before && calls[i].stub);
            harness_suspend();
            pthread_kill(me->pthread, SIGUSR1);
            harness_resume();
            end(me);
        }
}

/* With SA_RESTART the kernel's rules hold: these calls go on. */
static void *expect_byte(void *raw)
{
    const struct call *call = raw;

    CHECK(call->call() == 1, "%s", call->name);
    CHECK(handled == 1, "%s: handler ran %d times", call->name, handled);
    return NULL;
}

static void test_restarting_handler(void)
{
    install(on_usr1, SA_RESTART);
    for (unsigned i = 0; i < CALLS; i++) {
        struct held *me;
        if (calls[i].call != call_recv && calls[i].call != call_read)
            continue;
        handled = 0;
        me = begin(calls[i].name, expect_byte, &calls[i], calls[i].number);
        harness_suspend();
        pthread_kill(me->pthread, SIGUSR1);
        harness_resume();
        while (!handled)
            sched_yield();
        await_waiting(me, false);
        interrupt_times(2);
        CHECK(write(fds[1], "x", 1) == 1, "write");
        end(me);
    }
}

/* Signals that run no handler here end nothing. */
static void *expect_ready(void *raw)
{
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    CHECK(poll(&p, 1, LONG_MS) == 1, "poll");
    CHECK(handled == 0, "blocked");
    return NULL;
}

static void test_signals_without_handler(void)
{
    struct held *me;

    install(on_usr1, 0);
    me = begin("poll", expect_ready, NULL, SYS_poll);
    for (int i = 0; i < 3; i++) {
        harness_suspend();
        pthread_kill(me->pthread, SIGUSR1);
        pthread_kill(me->pthread, SIGURG);
        harness_resume();
        await_waiting(me, true);
    }
    CHECK(write(fds[1], "x", 1) == 1, "write");
    end(me);
}

/* --- cancellation --- */

static volatile int cleaned;

static void cleanup(void *raw)
{
    cleaned++;
}

static void *cancelled(void *raw)
{
    const struct call *call = raw;

    pthread_cleanup_push(cleanup, NULL);
    call->call();
    CHECK(false, "%s: not cancelled", call->name);
    pthread_cleanup_pop(0);
    return NULL;
}

static void test_cancel(void)
{
    for (unsigned i = 0; i < CALLS; i++)
        for (int while_held = 0; while_held < 2; while_held++) {
            struct held *me;
            void *result;

            if (calls[i].call == call_futex || calls[i].call == call_wait) /* no cancellation point; leaves a child */
                continue;
            me = begin(calls[i].name, cancelled, &calls[i], calls[i].number);
            cleaned = 0;
            interrupt_times(2);
            await_waiting(me, calls[i].stub);
            if (while_held)
                harness_suspend();
            CHECK(pthread_cancel(me->pthread) == 0, "cancel");
            if (while_held)
                harness_resume();
            CHECK(pthread_join(me->pthread, &result) == 0 && result == PTHREAD_CANCELED, "%s", calls[i].name);
            CHECK(cleaned == 1, "%s: cleanup handlers ran %d times", calls[i].name, cleaned);
            redo_release(&me->thread);
            for (unsigned s = 0; s < REDO_SLOTS; s++)
                CHECK(redo_slots[s].owner == 0, "%s: slot %u is still claimed", me->name, s);
            close_sockets();
        }
}

/* --- unwinding --- */

static volatile bool seen_caller, seen_start;

void on_backtrace(int number);
void *waits_for_backtrace(void *raw);

void on_backtrace(int number)
{
    void *frames[64];
    int count = backtrace(frames, 64);
    Dl_info info;

    for (int i = 0; i < count; i++) {
        if (!dladdr(frames[i], &info) || !info.dli_sname)
            continue;
        if (!strcmp(info.dli_sname, "waits_for_backtrace"))
            seen_caller = true, seen_start = i + 1 < count; /* and what called it */
    }
    handled++;
}

__attribute__((noinline)) void *waits_for_backtrace(void *raw)
{
    const struct call *call = raw;
    volatile long result = call->call();

    return result ? NULL : raw;
}

static void test_backtrace(void)
{
    void *warm[4];

    backtrace(warm, 4); /* loads libgcc_s now, not in the handler */
    install(on_backtrace, 0);
    for (unsigned i = 0; i < CALLS; i++) {
        struct held *me = begin(calls[i].name, waits_for_backtrace, &calls[i], calls[i].number);

        seen_caller = seen_start = false;
        interrupt_times(2);
        await_waiting(me, calls[i].stub);
        pthread_kill(me->pthread, SIGUSR1);
        end(me);
        CHECK(seen_caller && seen_start, "%s: the backtrace ends early", calls[i].name);
    }
}

/* --- handlers that block or jump --- */

static void on_usr1_sleeping(int number)
{
    struct timespec ts = {.tv_nsec = 100000000};

    CHECK(nanosleep(&ts, NULL) == 0, "nanosleep in a handler");
    handled++;
}

static void test_handler_blocks(void)
{
    install(on_usr1_sleeping, 0);
    for (unsigned i = 0; i < CALLS; i++) {
        struct held *me;
        handled = 0;
        me = begin(calls[i].name, expect_end, &calls[i], calls[i].number);
        interrupt_times(2);
        await_waiting(me, calls[i].stub);
        pthread_kill(me->pthread, SIGUSR1);
        while (!came_back)
            interrupt_times(1);
        came_back = false;
        end(me);
    }
}

static sigjmp_buf jump;

static void on_usr1_jumping(int number)
{
    siglongjmp(jump, 1);
}

static void *jumps(void *raw)
{
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    volatile int times = 0;

    if (sigsetjmp(jump, 1))
        times++;
    if (times < 5) {
        poll(NULL, 0, LONG_MS);
        CHECK(false, "poll ended");
    }
    CHECK(poll(&p, 1, LONG_MS) == 1, "poll");
    return NULL;
}

/* Slots that are left by a jump are given back when the thread ends. */
static void test_handler_jumps(void)
{
    struct held *me;

    install(on_usr1_jumping, 0);
    me = begin("poll", jumps, NULL, SYS_poll);
    for (int i = 0; i < 5; i++) {
        interrupt_times(2);
        await_waiting(me, true);
        pthread_kill(me->pthread, SIGUSR1);
        harness_await_call(me, SYS_poll);
    }
    interrupt_times(2);
    await_waiting(me, true);
    CHECK(write(fds[1], "x", 1) == 1, "write");
    end(me);
}

/* No slot left: EINTR is the truth, then. A slot that the thread itself jumped out of is taken again. */
static void test_no_slots(void)
{
    struct held *me;

    install(on_usr1, 0);
    handled = 1;
    me = begin("poll", expect_end, &calls[0], SYS_poll);
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        redo_slots[i].owner = 1;
    harness_interrupt(0);
    CHECK(pthread_join(me->pthread, NULL) == 0, "join");
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        redo_slots[i].owner = 0;
    close_sockets();

    install(on_usr1_jumping, 0);
    me = begin("poll", jumps, NULL, SYS_poll);
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        redo_slots[i].owner = i == 7 ? 0 : 1;
    for (int i = 0; i < 5; i++) {
        interrupt_times(2);
        await_waiting(me, true);
        CHECK(redo_slots[7].owner == (uint32_t)me->thread.tid, "the only slot");
        pthread_kill(me->pthread, SIGUSR1);
        harness_await_call(me, SYS_poll);
    }
    interrupt_times(2);
    await_waiting(me, true);
    CHECK(write(fds[1], "x", 1) == 1, "write");
    CHECK(pthread_join(me->pthread, NULL) == 0, "join");
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        redo_slots[i].owner = 0;
    close_sockets();
}

/* --- registers --- */

struct registers {
    uint64_t rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15, red1, red2;
    uint64_t unused;
    uint64_t xmm[16][2];
};

void registers_call(struct registers *registers);
__asm__(".text\n"
        ".type registers_call, @function\n"
        "registers_call:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rdi\n"
        "mov %rdi, %rcx\n"
        ".set i, 0\n .irp x, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movups 128+16*i(%rcx), %xmm\\x\n .set i, i+1\n .endr\n"
        "mov 104(%rcx), %rax\n mov %rax, -8(%rsp)\n mov 112(%rcx), %rax\n mov %rax, -120(%rsp)\n"
        "mov (%rcx), %rax\n mov 8(%rcx), %rdi\n mov 16(%rcx), %rsi\n mov 24(%rcx), %rdx\n mov 32(%rcx), %r10\n mov 40(%rcx), %r8\n"
        "mov 48(%rcx), %r9\n mov 56(%rcx), %rbx\n mov 64(%rcx), %rbp\n mov 72(%rcx), %r12\n mov 80(%rcx), %r13\n mov 88(%rcx), %r14\n"
        "mov 96(%rcx), %r15\n"
        "syscall\n"
        "mov (%rsp), %rcx\n"
        "mov %rax, (%rcx)\n mov %rdi, 8(%rcx)\n mov %rsi, 16(%rcx)\n mov %rdx, 24(%rcx)\n mov %r10, 32(%rcx)\n mov %r8, 40(%rcx)\n"
        "mov %r9, 48(%rcx)\n mov %rbx, 56(%rcx)\n mov %rbp, 64(%rcx)\n mov %r12, 72(%rcx)\n mov %r13, 80(%rcx)\n mov %r14, 88(%rcx)\n"
        "mov %r15, 96(%rcx)\n"
        "mov -8(%rsp), %rax\n mov %rax, 104(%rcx)\n mov -120(%rsp), %rax\n mov %rax, 112(%rcx)\n"
        ".set i, 0\n .irp x, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movups %xmm\\x, 128+16*i(%rcx)\n .set i, i+1\n .endr\n"
        "pop %rdi\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
        ".size registers_call, .-registers_call\n");

static const struct register_call {
    long number, argument[3];
    int fd_argument; /* -1: none */
    bool feeds; /* data end it */
} register_calls[] = {
    {SYS_poll, {0, 0, 300}, -1, false},
    {SYS_nanosleep, {(long)&(const struct timespec){0, 300000000}, 0, 0}, -1, false},
    {SYS_epoll_wait, {0, (long)&(struct epoll_event){0}, 1}, 0, false},
    {SYS_recvfrom, {0, (long)&(char[400]){0}, 400}, 0, true},
};

static void *keeps_registers(void *raw)
{
    const struct register_call *call = raw;
    struct registers before, after;
    uint64_t *word = (uint64_t *)&before;

    for (unsigned i = 0; i < sizeof before / 8; i++)
        word[i] = 0x0101010101010101ull * (i + 3) + 0x8000000000000000ull * (i & 1);
    before.rax = (uint64_t)call->number;
    before.rdi = (uint64_t)call->argument[0];
    before.rsi = (uint64_t)call->argument[1];
    before.rdx = (uint64_t)call->argument[2];
    if (call->number == SYS_epoll_wait) {
        before.rdi = (uint64_t)epoll_create1(0);
        before.r10 = 300;
    }
    if (call->number == SYS_recvfrom) {
        before.rdi = (uint64_t)fds[0];
        before.r10 = MSG_WAITALL;
        before.r8 = before.r9 = 0;
    }
    after = before;
    registers_call(&after);
    before.rax = call->feeds ? 400 : 0;
    for (unsigned i = 0; i < sizeof before / 8; i++)
        CHECK(((uint64_t *)&after)[i] == word[i], "call %ld: register %u: %llx not %llx", call->number, i,
              (unsigned long long)((uint64_t *)&after)[i], (unsigned long long)word[i]);
    came_back = true;
    return NULL;
}

static void test_registers(void)
{
    for (unsigned i = 0; i < sizeof register_calls / sizeof *register_calls; i++) {
        struct held *me;

        came_back = false;
        me = begin("registers", keeps_registers, &register_calls[i], register_calls[i].number);
        while (!came_back) {
            char part[50] = "";
            if (register_calls[i].feeds && send(fds[1], part, sizeof part, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                CHECK(errno == EPIPE || errno == EAGAIN, "send");
            /* The number is no constant in this code: only the sample tells which call it is, so it must be waiting, and for good: all that was
             * sent has been taken. */
            struct syscall_sample sample;
            int queued = 0;
            while (register_calls[i].feeds && !came_back && ioctl(fds[0], FIONREAD, &queued) == 0 && queued)
                sched_yield();
            while (!came_back && !(harness_sample(me->thread.real_tid, &sample) && sample.in_syscall))
                sched_yield();
            interrupt_times(1);
        }
        end(me);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"signal_in_stub", test_signal_in_stub},
    {"signal_while_held", test_signal_while_held},
    {"restarting_handler", test_restarting_handler},
    {"signals_without_handler", test_signals_without_handler},
    {"cancel", test_cancel},
    {"backtrace", test_backtrace},
    {"handler_blocks", test_handler_blocks},
    {"handler_jumps", test_handler_jumps},
    {"no_slots", test_no_slots},
    {"registers", test_registers},
};

int main(int argc, char **argv)
{
    harness_start();
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
        if (argc < 3 || !strcmp(argv[2], tests[i].name)) {
            tests[i].run();
            puts(tests[i].name);
            fflush(stdout);
        }
    return 0;
}
