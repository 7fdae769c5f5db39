/* Signals about input and output, of each kind of description that sends them: to the process, to its group, to a thread, to another process. */
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "shared.h"

enum { PIPE, SOCKET, PACKETS, GROUP, THREAD, CHILD, SILENT, KINDS };

static int ends[KINDS][2];
static struct f_owner_ex owners[KINDS];
static int signals[KINDS];
static volatile int thread_number, thread_heard;

static void *listen_in_thread(void *unused)
{
    sigset_t set;
    siginfo_t info;

    thread_number = (int)syscall(SYS_gettid);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + THREAD);
    while (sigwaitinfo(&set, &info) == SIGRTMIN + THREAD) {
        CHECK(info.si_fd == ends[THREAD][0]);
        thread_heard++;
    }
    return NULL;
}

static int hear(int kind)
{
    struct timespec patience = {.tv_sec = 20};
    sigset_t set;
    siginfo_t info;

    sigemptyset(&set);
    sigaddset(&set, signals[kind] ? signals[kind] : SIGIO);
    CHECK(sigtimedwait(&set, &info, &patience) == (signals[kind] ? signals[kind] : SIGIO));
    CHECK(!signals[kind] || (info.si_fd == ends[kind][0] && (info.si_band & 1)));
    return kind;
}

static int child_work(int round, void *unused)
{
    return round ? hear(CHILD) : CHILD;
}

static void own(int kind, int type, int pid, int signal)
{
    owners[kind] = (struct f_owner_ex){type, pid};
    signals[kind] = signal;
    CHECK(fcntl(ends[kind][0], F_SETOWN_EX, &owners[kind]) == 0);
    CHECK(fcntl(ends[kind][0], F_SETSIG, signal) == 0);
    CHECK(fcntl(ends[kind][0], F_SETFL, O_NONBLOCK | (kind == SILENT ? 0 : O_ASYNC)) == 0);
}

int main(void)
{
    struct f_owner_ex owner;
    pthread_t thread;
    char byte;
    int on = 1;
    sigset_t all, pending;

    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(kind == SOCKET || kind == PACKETS ? socketpair(AF_UNIX, kind == SOCKET ? SOCK_STREAM : SOCK_SEQPACKET, 0, ends[kind]) == 0
                                                : pipe(ends[kind]) == 0);
    signals[CHILD] = SIGRTMIN + CHILD;
    struct child child = child_start(child_work, NULL);
    ZERO(pthread_create(&thread, NULL, listen_in_thread, NULL));
    UNTIL(thread_number);
    own(PIPE, F_OWNER_PID, getpid(), SIGRTMIN + PIPE);
    own(SOCKET, F_OWNER_PID, getpid(), SIGRTMIN + SOCKET);
    own(PACKETS, F_OWNER_PID, getpid(), SIGUSR1);
    CHECK(setpgid(0, 0) == 0 || getpgrp() == getpid());
    own(GROUP, F_OWNER_PGRP, getpgrp(), 0);
    own(THREAD, F_OWNER_TID, thread_number, SIGRTMIN + THREAD);
    own(CHILD, F_OWNER_PID, child.pid, SIGRTMIN + CHILD);
    own(SILENT, F_OWNER_PID, getpid(), SIGRTMIN + SILENT);
    CHECK(ioctl(ends[GROUP][0], FIOASYNC, &on) == 0);
    CHECK(child_ask(&child) == CHILD);
    while (step()) {
        int heard = thread_heard;
        sigpending(&pending);
        for (int kind = 0; kind < KINDS; kind++) {
            CHECK(fcntl(ends[kind][0], F_GETOWN_EX, &owner) == 0);
            CHECK(owner.type == owners[kind].type && owner.pid == owners[kind].pid);
            CHECK(fcntl(ends[kind][0], F_GETSIG) == signals[kind]);
            CHECK(((fcntl(ends[kind][0], F_GETFL) & O_ASYNC) != 0) == (kind != SILENT));
            CHECK(!sigismember(&pending, signals[kind] ? signals[kind] : SIGIO)); /* not sent by whoever filled it */
            CHECK(write(ends[kind][1], "x", 1) == 1);
            if (kind != SILENT && kind != THREAD && kind != CHILD)
                CHECK(hear(kind) == kind);
            CHECK(read(ends[kind][0], &byte, 1) == 1);
        }
        UNTIL(thread_heard == heard + 1);
        CHECK(child_ask(&child) == CHILD);
        sigpending(&pending);
        CHECK(!sigismember(&pending, SIGRTMIN + SILENT));
    }
    child_end(&child);
    puts("all heard");
    return 0;
}
