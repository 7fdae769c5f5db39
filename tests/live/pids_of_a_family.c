/* Processes that know each other by number: a parent; children in its group, as leader of a group, as leader of a session; a grandchild; one that
 * has ended and is not reaped. They talk by signals, and every one checks at every step what it is told. */
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "step.h"

enum { PLAIN, GROUP, SESSION, GRANDCHILD, MEMBERS };

static pid_t pid, parent, group, session, top;
static volatile int asked, answered[MEMBERS];
static volatile pid_t asker, answerer[MEMBERS], from[MEMBERS];

static void on_question(int number, siginfo_t *info, void *context)
{
    asker = info->si_pid;
    asked++;
}

/* The value of an answer: who it is, and the number it goes by. */
static void on_answer(int number, siginfo_t *info, void *context)
{
    int who = info->si_value.sival_int % 8;

    from[who] = info->si_pid;
    answerer[who] = info->si_value.sival_int / 8;
    answered[who]++;
}

static void answer(int who)
{
    CHECK(sigqueue(top, SIGRTMIN + 1, (union sigval){.sival_int = (int)(getpid() * 8 + who)}) == 0);
}

static void take_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
}

static _Noreturn void member(int who);

static void make_grandchild(void)
{
    pid_t made = fork();

    CHECK(made >= 0);
    if (!made)
        member(GRANDCHILD);
}

static _Noreturn void member(int who)
{
    sigset_t question, old;
    int seen = 0, lock = -1;

    sigemptyset(&question);
    sigaddset(&question, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &question, &old) == 0);
    sigdelset(&old, SIGUSR1);
    asked = 0;
    parent = pid;
    pid = getpid();
    if (who == GROUP)
        CHECK(setpgid(0, 0) == 0 && getpgrp() == pid);
    if (who == SESSION)
        CHECK(setsid() == pid && getsid(0) == pid && getpgrp() == pid);
    if (who == PLAIN) {
        lock = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        CHECK(lock >= 0);
    }
    group = getpgrp();
    session = getsid(0);
    if (who == GROUP)
        make_grandchild();
    if (who == GRANDCHILD)
        CHECK(getpgrp() == parent);
    answer(who);
    for (;;) {
        while (asked == seen)
            sigsuspend(&old);
        seen++;
        CHECK(asker == top);
        CHECK(getpid() == pid && gettid() == pid && getppid() == parent);
        CHECK(getpgrp() == group && getpgid(pid) == group && getpgid(parent) >= 0);
        CHECK(getsid(0) == session && getsid(pid) == session);
        if (lock >= 0)
            take_lock(lock);
        answer(who);
    }
}

static pid_t make(int who)
{
    pid_t made = fork();

    CHECK(made >= 0);
    if (!made)
        member(who);
    UNTIL(answered[who] == 1);
    CHECK(answerer[who] == made && from[who] == made);
    return made;
}

static void ask(pid_t whom, int who, int round)
{
    CHECK(kill(whom, SIGUSR1) == 0);
    UNTIL(answered[who] == round);
    CHECK(answerer[who] == whom && from[who] == whom);
}

static void look_at(pid_t other)
{
    char path[64];
    struct stat status;
    struct rlimit limit;
    cpu_set_t set;
    pid_t theirs = 0;
    struct iovec local = {&theirs, sizeof theirs}, remote = {&pid, sizeof pid};

    CHECK(kill(other, 0) == 0);
    CHECK(sched_getaffinity(other, sizeof set, &set) == 0);
    CHECK(prlimit(other, RLIMIT_NOFILE, NULL, &limit) == 0);
    errno = 0;
    CHECK(getpriority(PRIO_PROCESS, (id_t)other) == 0 && !errno);
    CHECK(process_vm_readv(other, &local, 1, &remote, 1, 0) == sizeof theirs && theirs == other);
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", other, other);
    CHECK(stat(path, &status) == 0);
}

/* Where this is permitted, the kernel's next number is one by which the program knows a process: after a restart with other numbers it is free. */
static void provoke_clash(pid_t number)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        dprintf(fd, "%d", number - 1);
        close(fd);
    }
}

static void expect_end(pid_t whom, int signal)
{
    int status;

    CHECK(waitpid(whom, &status, 0) == whom && WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

int main(void)
{
    struct sigaction question = {.sa_sigaction = on_question, .sa_flags = SA_SIGINFO};
    struct sigaction reply = {.sa_sigaction = on_answer, .sa_flags = SA_SIGINFO | SA_RESTART};
    pid_t child[MEMBERS], zombie;
    siginfo_t info;
    int status, round = 1, lock;

    pid = top = getpid();
    CHECK(sigaction(SIGUSR1, &question, NULL) == 0 && sigaction(SIGRTMIN + 1, &reply, NULL) == 0);
    lock = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK(lock >= 0);
    for (int i = 0; i < GRANDCHILD; i++)
        child[i] = make(i);
    UNTIL(answered[GRANDCHILD] == 1);
    child[GRANDCHILD] = answerer[GRANDCHILD];
    zombie = fork();
    CHECK(zombie >= 0);
    if (!zombie)
        _exit(9);
    CHECK(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT) == 0);
    while (step()) {
        struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

        round++;
        CHECK(getpid() == top);
        for (int i = 0; i < MEMBERS; i++)
            ask(child[i], i, round);
        CHECK(killpg(child[GROUP], SIGUSR1) == 0);
        round++;
        UNTIL(answered[GROUP] == round && answered[GRANDCHILD] == round);
        ask(child[PLAIN], PLAIN, round);
        ask(child[SESSION], SESSION, round);
        for (int i = 0; i < MEMBERS; i++)
            look_at(child[i]);
        CHECK(getpgid(child[PLAIN]) == getpgrp() && getsid(child[PLAIN]) == getsid(0));
        CHECK(getpgid(child[GROUP]) == child[GROUP] && getpgid(child[GRANDCHILD]) == child[GROUP]);
        CHECK(getsid(child[SESSION]) == child[SESSION] && getpgid(child[SESSION]) == child[SESSION]);
        CHECK(fcntl(lock, F_GETLK, &held) == 0 && held.l_type == F_WRLCK && held.l_pid == child[PLAIN]);
        errno = 0;
        CHECK(getpriority(PRIO_PGRP, (id_t)child[GROUP]) == 0 && !errno);
        CHECK(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == zombie && info.si_status == 9);
        CHECK(waitpid(child[GROUP], &status, WNOHANG) == 0 && waitpid(-child[GROUP], &status, WNOHANG) == 0);
        provoke_clash(child[PLAIN]);
        pid_t made = fork();
        CHECK(made >= 0);
        if (!made)
            _exit(getppid() == top ? 5 : 6);
        for (int i = 0; i < MEMBERS; i++)
            CHECK(made != child[i]);
        CHECK(waitpid(made, &status, 0) == made && WEXITSTATUS(status) == 5);
    }
    CHECK(waitpid(zombie, &status, 0) == zombie && WIFEXITED(status) && WEXITSTATUS(status) == 9);
    CHECK(kill(child[PLAIN], SIGTERM) == 0);
    expect_end(child[PLAIN], SIGTERM);
    CHECK(kill(-child[GROUP], SIGKILL) == 0);
    CHECK(waitid(P_PGID, (id_t)child[GROUP], &info, WEXITED) == 0 && info.si_pid == child[GROUP] && info.si_status == SIGKILL);
    CHECK(kill(child[SESSION], SIGTERM) == 0);
    expect_end(child[SESSION], SIGTERM);
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    puts("they know each other");
    return 0;
}
