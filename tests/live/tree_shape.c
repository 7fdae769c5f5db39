/* A tree with every relation that a restart must make again: children, a session begun before and after children were made, groups with living
 * and dead leaders, a session whose leader is gone, orphans, a subreaper's adopted child, zombies. Each process says who it is when asked
 * (the number of the round, in a file), and must be the same as at first. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "step.h"

enum { NAMES = 32 };
static char names[NAMES][24];
static char first[NAMES][96];
static int count;

static void put(const char *name, const char *text)
{
    char from[600], to[600], temporary[64];
    int fd;

    snprintf(temporary, sizeof temporary, "%s.new.%d", name, (int)getpid());
    fd = open(step_path_(from, sizeof from, temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) || rename(from, step_path_(to, sizeof to, name)))
        FAIL("writing %s: %s", name, strerror(errno));
}

static bool get(const char *name, char *text, size_t size)
{
    char path[600];
    int fd = open(step_path_(path, sizeof path, name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = 0;
    return n > 0;
}

static void identity(char *text, size_t size)
{
    snprintf(text, size, "%d %d %d %d", (int)getpid(), (int)getppid(), (int)getpgrp(), (int)getsid(0));
}

/* A process other than the root: until the end is asked for. */
static _Noreturn void serve(const char *name)
{
    char said[32] = "", round[32], text[96], file[900];

    for (;;) {
        if (get("round", round, sizeof round)) {
            if (!strcmp(round, "end"))
                _exit(0);
            if (strcmp(round, said)) {
                strcpy(said, round);
                identity(text, sizeof text);
                snprintf(file, sizeof file, "id.%s.%s", name, round);
                put(file, text);
            }
        }
        step_nap_();
    }
}

static void expect_name(const char *name)
{
    snprintf(names[count++], sizeof *names, "%s", name);
}

static pid_t made;

static bool in_child(void)
{
    made = fork();
    CHECK(made >= 0);
    return !made;
}

static void reap_made(void)
{
    CHECK(waitpid(made, NULL, 0) == made);
}

/* In the child, what follows the name, and then serve. */
#define CHILD(name, ...)                                                                                                                   \
    do {                                                                                                                                   \
        if (in_child()) {                                                                                                                  \
            __VA_ARGS__                                                                                                                    \
            serve(name);                                                                                                                   \
        }                                                                                                                                  \
    } while (0)

/* The child does that and ends, and is reaped. */
#define PASSING(...)                                                                                                                       \
    do {                                                                                                                                   \
        if (in_child()) {                                                                                                                  \
            __VA_ARGS__                                                                                                                    \
            _exit(0);                                                                                                                      \
        }                                                                                                                                  \
        reap_made();                                                                                                                       \
    } while (0)

static void build(void)
{
    CHILD("plain", { CHILD("grandchild", {}); });
    CHILD("leader", {
        CHILD("before", {});
        CHECK(setsid() > 0);
        CHILD("after", {});
        CHILD("job", {
            CHECK(!setpgid(0, 0));
            CHILD("member", {});
        });
    });
    CHILD("group", {
        CHECK(!setpgid(0, 0));
        PASSING({
            CHECK(!setpgid(0, 0));
            CHILD("left", {}); /* an orphan in a group whose leader is dead */
        });
    });
    PASSING({
        CHECK(setsid() > 0);
        CHILD("daemon", {}); /* in a session whose leader is dead */
    });
    PASSING({ CHILD("orphan", {}); });
    CHILD("reaper", {
        CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
        PASSING({
            CHECK(setsid() > 0);
            CHILD("adopted", {});
        });
    });
    static const char *const all[] = {"plain", "grandchild", "leader", "before", "after",   "job", "member",
                                      "group", "left",       "daemon", "orphan", "reaper", "adopted"};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        expect_name(all[i]);
}

static bool said(int i, const char *round, char *text, size_t size)
{
    char file[900];

    snprintf(file, sizeof file, "id.%s.%s", names[i], round);
    return get(file, text, size);
}

static void ask(int number)
{
    char round[32], text[96];

    snprintf(round, sizeof round, "%d", number);
    put("round", round);
    for (int i = 0; i < count; i++) {
        UNTIL(said(i, round, text, sizeof text));
        if (!number)
            strcpy(first[i], text);
        if (strcmp(text, first[i]))
            FAIL("step %d: %s was (pid ppid pgid sid) %s and is now %s", step_number_, names[i], first[i], text);
    }
}

/* Orphans are adopted a moment after they were made. */
static bool settled(void)
{
    static int attempt;
    char round[32], text[96];
    int pid, parent;
    bool all = true;

    snprintf(round, sizeof round, "settle%d", ++attempt);
    put("round", round);
    for (int i = 0; i < count; i++) {
        UNTIL(said(i, round, text, sizeof text));
        sscanf(text, "%d %d", &pid, &parent);
        all &= !kill(parent, 0) || errno == EPERM; /* init, of another user */
    }
    return all;
}

static pid_t zombie(int code, int signal)
{
    siginfo_t info;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (!pid) {
        if (signal)
            kill(getpid(), signal);
        _exit(code);
    }
    CHECK(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    return pid;
}

static bool is_zombie(pid_t pid, int code, int status)
{
    siginfo_t info = {0};

    return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) && info.si_pid == pid && info.si_code == code &&
           info.si_status == status;
}

static bool nobody_left(void)
{
    char text[96];
    int pid;

    for (int i = 0; i < count; i++)
        if (sscanf(first[i], "%d", &pid) == 1 && (snprintf(text, sizeof text, "/proc/%d", pid), access(text, F_OK) == 0))
            return false;
    return true;
}

int main(void)
{
    char own[96], now[96];
    pid_t ended, killed, last;
    int status;

    build();
    UNTIL(settled());
    ask(0);
    identity(own, sizeof own);
    ended = zombie(7, 0);
    killed = zombie(0, SIGKILL);
    for (int round = 1; step(); round++) {
        identity(now, sizeof now);
        if (strcmp(own, now))
            FAIL("step %d: the root was %s and is now %s", step_number_, own, now);
        ask(round);
        CHECK(is_zombie(ended, CLD_EXITED, 7));
        CHECK(is_zombie(killed, CLD_KILLED, SIGKILL));
    }
    CHECK(waitpid(ended, &status, 0) == ended && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    put("round", "end");
    while ((last = waitpid(-1, &status, 0)) > 0)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)last;
    UNTIL(nobody_left());
    return 0;
}
