/* One process, which keeps its numbers in variables and uses every call that takes or tells one. */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "step.h"

static pid_t pid, parent, thread_tid;
static volatile bool end;

static volatile pid_t sender;
static volatile int signals;

static void on_signal(int number, siginfo_t *info, void *context)
{
    sender = info->si_pid;
    signals++;
}

static void *other_thread(void *unused)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    thread_tid = gettid();
    while (!end)
        step_nap_();
    return NULL;
}

static void identity(void)
{
    CHECK(getpid() == pid && gettid() == pid && getppid() == parent);
    CHECK(syscall(SYS_getpid) == pid && syscall(SYS_gettid) == pid && syscall(SYS_getppid) == parent);
    CHECK(kill(pid, 0) == 0 && tgkill(pid, thread_tid, 0) == 0 && syscall(SYS_tgkill, pid, thread_tid, 0) == 0);
    CHECK(getpgid(pid) == getpgrp() && getsid(pid) == getsid(0));
}

/* --- signals: handler, sigwaitinfo, signalfd, timer --- */

static void senders(void)
{
    sigset_t set, old;
    siginfo_t info;
    struct signalfd_siginfo record;
    int before = signals;

    CHECK(sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 1}) == 0);
    UNTIL(signals == before + 1);
    CHECK(sender == pid);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, &old));
    CHECK(kill(pid, SIGRTMIN + 3) == 0);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 3 && info.si_pid == pid);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(kill(pid, SIGRTMIN + 3) == 0);
    CHECK(read(fd, &record, sizeof record) == sizeof record);
    CHECK(record.ssi_pid == (uint32_t)pid);
    CHECK(close(fd) == 0);

    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3};
    event._sigev_un._tid = gettid();
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec soon = {.it_value.tv_nsec = 1000};
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 3 && info.si_code == SI_TIMER);
    CHECK(timer_delete(timer) == 0);
    ZERO(pthread_sigmask(SIG_SETMASK, &old, NULL));
}

/* --- scheduler, limits, memory, clocks --- */

static void by_number(void)
{
    cpu_set_t set;
    struct sched_param parameter;
    struct timespec time;
    struct rlimit limit, same;
    clockid_t clock;
    int here = 0, value = 4711;
    struct iovec local = {&here, sizeof here}, remote = {&value, sizeof value};

    for (int i = 0; i < 2; i++) {
        pid_t number = i ? thread_tid : pid;
        CHECK(sched_getaffinity(number, sizeof set, &set) == 0);
        CHECK(sched_setaffinity(number, sizeof set, &set) == 0);
        CHECK(sched_getscheduler(number) == SCHED_OTHER);
        CHECK(sched_getparam(number, &parameter) == 0);
        CHECK(sched_setscheduler(number, SCHED_OTHER, &parameter) == 0);
        CHECK(sched_rr_get_interval(number, &time) == 0);
        errno = 0;
        CHECK(getpriority(PRIO_PROCESS, (id_t)number) == getpriority(PRIO_PROCESS, (id_t)number) && !errno);
        CHECK(setpriority(PRIO_PROCESS, (id_t)number, getpriority(PRIO_PROCESS, (id_t)number)) == 0);
        CHECK(syscall(SYS_getpriority, PRIO_PROCESS, number) == 20 - getpriority(PRIO_PROCESS, (id_t)number));
    }
    CHECK(prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0 && getrlimit(RLIMIT_NOFILE, &same) == 0 && limit.rlim_cur == same.rlim_cur);
    CHECK(process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof here && here == 4711);
    value = 0;
    CHECK(process_vm_writev(pid, &local, 1, &remote, 1, 0) == sizeof here && value == 4711);
    CHECK(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    CHECK(fd >= 0 && close(fd) == 0);
}

/* --- owners of descriptors, credentials --- */

static void owners(void)
{
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = thread_tid};
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    int pair[2], number = pid, on = 1;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(fcntl(pair[0], F_SETOWN, pid) == 0 && fcntl(pair[0], F_GETOWN) == pid);
    CHECK(fcntl(pair[0], F_SETOWN_EX, &owner) == 0 && owner.pid == thread_tid);
    owner.pid = 0;
    CHECK(fcntl(pair[0], F_GETOWN_EX, &owner) == 0 && owner.pid == thread_tid && owner.type == F_OWNER_TID);
    CHECK(ioctl(pair[0], FIOSETOWN, &number) == 0 && number == pid);
    number = 0;
    CHECK(ioctl(pair[0], FIOGETOWN, &number) == 0 && number == pid);
    CHECK(syscall(SYS_fcntl, pair[0], F_GETOWN) == pid);
    CHECK(fcntl(pair[0], F_GETFD) == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(pair[0], F_GETFL) == (O_RDWR | O_NONBLOCK));

    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 && credentials.pid == pid);
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    struct iovec data = {&on, sizeof on};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof credentials)];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof credentials)}};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    credentials = (struct ucred){.pid = pid, .uid = getuid(), .gid = getgid()};
    memcpy(CMSG_DATA(&control.header), &credentials, sizeof credentials);
    CHECK(sendmsg(pair[0], &message, 0) == sizeof on);
    memcpy(&credentials, CMSG_DATA(&control.header), sizeof credentials);
    CHECK(credentials.pid == pid); /* the program's memory is as it was */
    memset(&control, 0, sizeof control);
    CHECK(recvmsg(pair[1], &message, 0) == sizeof on && control.header.cmsg_type == SCM_CREDENTIALS);
    memcpy(&credentials, CMSG_DATA(&control.header), sizeof credentials);
    CHECK(credentials.pid == pid);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void ipc(void)
{
    struct shmid_ds shared;
    struct msqid_ds queue;
    struct {
        long type;
        char text[4];
    } message = {1, "abc"};
    int id = shmget(IPC_PRIVATE, 4096, 0600);

    CHECK(id >= 0 && shmctl(id, IPC_STAT, &shared) == 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0 && shared.shm_cpid == pid);
    id = semget(IPC_PRIVATE, 1, 0600);
    CHECK(id >= 0 && semctl(id, 0, SETVAL, 3) == 0);
    int last = semctl(id, 0, GETPID), value = semctl(id, 0, GETVAL);
    CHECK(semctl(id, 0, IPC_RMID) == 0 && last == pid && value == 3);
    id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0 && msgsnd(id, &message, sizeof message.text, 0) == 0);
    CHECK(msgctl(id, IPC_STAT, &queue) == 0 && msgctl(id, IPC_RMID, NULL) == 0 && queue.msg_lspid == pid);
}

/* --- /proc --- */

static void check_name(FILE *file)
{
    char line[64];

    CHECK(file && fgets(line, sizeof line, file) && strcmp(line, "numbered\n") == 0);
    CHECK(fclose(file) == 0);
}

static void paths(void)
{
    char path[128], target[256], own[256];
    struct stat by_number, by_name;

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    check_name(fopen(path, "r"));
    check_name(fdopen(open(path, O_RDONLY), "r"));
    check_name(fdopen(openat(AT_FDCWD, path, O_RDONLY), "r"));
    check_name(fdopen((int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY), "r"));
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", pid);
    check_name(fopen(path, "r"));
    snprintf(path, sizeof path, "/proc/%d/task/%d", pid, thread_tid);
    DIR *directory = opendir(path);
    CHECK(directory && closedir(directory) == 0);
    CHECK(access(path, F_OK) == 0 && faccessat(AT_FDCWD, path, F_OK, 0) == 0);
    CHECK(stat(path, &by_number) == 0 && lstat(path, &by_number) == 0 && fstatat(AT_FDCWD, path, &by_number, 0) == 0);
    snprintf(path, sizeof path, "/proc/%d", pid);
    CHECK(stat(path, &by_number) == 0 && stat("/proc/self/", &by_name) == 0 && by_number.st_ino == by_name.st_ino);
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, target, sizeof target);
    CHECK(n > 0 && readlink("/proc/self/exe", own, sizeof own) == n && memcmp(target, own, (size_t)n) == 0);
    n = readlink("/proc/self", target, sizeof target - 1);
    CHECK(n > 0);
    target[n] = 0;
    CHECK(atoi(target) == pid);
    CHECK(open("/proc/1234567890123456789/comm", O_RDONLY) == -1 && errno == ENOENT);
}

/* --- children --- */

static pid_t child(int status)
{
    pid_t made = fork();

    CHECK(made >= 0);
    if (!made) {
        if (getppid() != pid)
            _exit(200);
        _exit(status);
    }
    return made;
}

static void children(void)
{
    struct rusage usage;
    siginfo_t info;
    int status;
    pid_t made = child(7);

    pid_t got = waitpid(made, &status, 0);
    if (got != made || status != 7 << 8)
        FAIL("step %d: waitpid for %d: %d, status %#x (%m)", step_number_, made, got, status);
    made = child(8);
    if (waitid(P_PID, (id_t)made, &info, WEXITED | WNOWAIT) || info.si_pid != made || info.si_status != 8)
        FAIL("step %d: waitid for %d: pid %d, code %d, status %d (%m)", step_number_, made, info.si_pid, info.si_code, info.si_status);
    CHECK(kill(made, 0) == 0);
    int fd = (int)syscall(SYS_pidfd_open, made, 0);
    CHECK(waitid((idtype_t)3 /* P_PIDFD */, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == made && info.si_status == 8);
    CHECK(close(fd) == 0);
    CHECK(waitpid(made, &status, 0) == -1 && errno == ECHILD);
    made = child(9);
    CHECK(wait(&status) == made && WEXITSTATUS(status) == 9);
    made = child(10);
    CHECK(wait3(&status, 0, &usage) == made && WEXITSTATUS(status) == 10);
    made = child(11);
    CHECK(wait4(made, NULL, 0, &usage) == made);
    made = child(12);
    CHECK(syscall(SYS_wait4, made, &status, 0, NULL) == made && WEXITSTATUS(status) == 12);
    made = child(13);
    CHECK(syscall(SYS_waitid, P_PID, made, &info, WEXITED, NULL) == 0 && info.si_pid == made && info.si_status == 13);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    made = vfork();
    if (!made)
        _exit(getpid() == pid);
    CHECK(waitpid(made, &status, 0) == made && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    pthread_t thread;
    FILE *name = fopen("/proc/self/comm", "w");

    CHECK(name && fputs("numbered", name) >= 0 && fclose(name) == 0);
    pid = getpid();
    parent = getppid();
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    ZERO(pthread_create(&thread, NULL, other_thread, NULL));
    UNTIL(thread_tid);
    do {
        identity();
        senders();
        by_number();
        owners();
        ipc();
        paths();
        children();
    } while (step());
    end = true;
    ZERO(pthread_join(thread, NULL));
    puts("all numbers kept");
    return 0;
}
