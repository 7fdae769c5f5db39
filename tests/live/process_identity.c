/* What the program knows about itself and may have stored: pid, thread ids, user, umask, directory, limits, name. */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "step.h"

static volatile int signals;
static volatile pid_t sender;

static void on_signal(int number, siginfo_t *info, void *context)
{
    sender = info->si_pid;
    signals++;
}

static volatile int wanted, checked;
static volatile bool end;

static void *run(void *unused)
{
    pid_t tid = gettid();

    while (!end) {
        CHECK(gettid() == tid);
        CHECK(syscall(SYS_gettid) == tid);
        checked = wanted;
        step_nap_();
    }
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    pid_t pid = getpid(), group = getpgrp(), session = getsid(0);
    char directory[4096], name[16];
    struct rlimit limit = {512, 1000}, now;
    pthread_t thread;

    CHECK(mkdir("below", 0755) == 0 || errno == EEXIST);
    CHECK(chdir("below") == 0);
    CHECK(getcwd(directory, sizeof directory));
    umask(0137);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(prctl(PR_SET_NAME, "named (by) me") == 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(setpriority(PRIO_PROCESS, 0, 3) == 0);
    ZERO(pthread_create(&thread, NULL, run, NULL));
    while (step()) {
        char here[4096];
        int before = signals;

        CHECK(getpid() == pid && gettid() == pid && syscall(SYS_getpid) == pid);
        if (getpgrp() != group || getpgid(pid) != group || getpgid(0) != group || getsid(0) != session)
            FAIL("step %d: group %d, by pid %d, by 0 %d; session %d; they were %d and %d", step_number_, getpgrp(), getpgid(pid),
                 getpgid(0), getsid(0), group, session);
        CHECK(kill(pid, SIGUSR1) == 0);
        UNTIL(signals == before + 1);
        CHECK(sender == pid);
        CHECK(getcwd(here, sizeof here) && strcmp(here, directory) == 0);
        CHECK(umask(0137) == 0137);
        CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "named (by) me") == 0);
        CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 512 && now.rlim_max == 1000);
        CHECK(getpriority(PRIO_PROCESS, 0) == 3);
        wanted++;
        UNTIL(checked == wanted);
    }
    end = true;
    ZERO(pthread_join(thread, NULL));
    puts("identity kept");
    return 0;
}
