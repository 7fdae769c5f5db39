/* posix_spawn, and what libc builds on its own private version of it: system, popen, wordexp. */
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#include "fmt.h"
#include "follow.h"
#include "proc_path.h"
#include "processes.h"
#include "region.h"
#include "wrap.h"

extern char **environ;

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *);

static int spawn_followed(spawn_function *real, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    char **with = follow_environment(environment, alloca(follow_environment_size(environment)));
    pid_t made = 0;

    /* libc blocks all signals for most of it, and waits for no lock. */
    follow_section(FOLLOW_AFTER);
    int error = real(&made, path, actions, attributes, arguments, with);
    while (!error && processes_clash(made)) { /* the new program waits for this before it begins: init.c */
        sys_kill(made, SIGKILL);
        while (syscall6(__NR_wait4, made, 0, 0, 0, 0, 0) == -EINTR)
            ;
        processes_release(processes_find(made));
        error = real(&made, path, actions, attributes, arguments, with);
    }
    int entry = error ? -1 : processes_find(made);
    if (!error && entry < 0) { /* its constructor has not run yet */
        entry = processes_reserve();
        processes_started(entry, made);
    }
    follow_section(FOLLOW_NONE);
    if (pid)
        *pid = made;
    return error;
}

/* It runs outside of the computation, which should know of it. */
static void spawned_apart(int error, pid_t pid, enum ptable_reason reason)
{
    int entry = error ? -1 : processes_reserve();

    processes_started(entry, pid);
    processes_leaves(error ? -1 : processes_find(pid), reason);
}

WRAP(int, posix_spawn,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const arguments[],
      char *const environment[]))
{
    struct proc_path room;

    path = proc_path(path, &room);
    if (!follow_active())
        return REAL(posix_spawn)(pid, path, actions, attributes, arguments, environment);
    enum ptable_reason reason = follow_refusal(path);
    if (reason) {
        pid_t made = 0;
        int error = REAL(posix_spawn)(&made, path, actions, attributes, arguments, environment);
        spawned_apart(error, made, reason);
        if (pid && !error)
            *pid = made;
        return error;
    }
    return spawn_followed(REAL(posix_spawn), pid, path, actions, attributes, arguments, environment);
}

/* The file that a search would run, if it is found; the real function searches by itself. */
static const char *found_in_path(const char *file, char *path, size_t size)
{
    const char *search = NULL;

    if (strchr(file, '/'))
        return file;
    for (char **entry = environ; entry && *entry; entry++)
        if (!strncmp(*entry, "PATH=", 5))
            search = *entry + 5;
    for (const char *end = search ? search : "/bin:/usr/bin"; end; end = *end ? end + 1 : NULL) {
        search = end;
        end = strchrnul(search, ':');
        fmt(path, size, "%.*s/%s", (int)(end - search), search, file);
        if (!access(path, X_OK))
            return path;
    }
    return file;
}

WRAP(int, posix_spawnp,
     (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const arguments[],
      char *const environment[]))
{
    char path[PATH_MAX];
    struct proc_path room;

    file = proc_path(file, &room);
    if (!follow_active())
        return REAL(posix_spawnp)(pid, file, actions, attributes, arguments, environment);
    enum ptable_reason reason = follow_refusal(found_in_path(file, path, sizeof path));
    if (reason) {
        pid_t made = 0;
        int error = REAL(posix_spawnp)(&made, file, actions, attributes, arguments, environment);
        spawned_apart(error, made, reason);
        if (pid && !error)
            *pid = made;
        return error;
    }
    return spawn_followed(REAL(posix_spawnp), pid, file, actions, attributes, arguments, environment);
}

/* --- system(3) --- */

struct waiting {
    pid_t pid;
};

/* A thread that is cancelled while it waits takes the shell with it. */
static void cancelled(void *argument)
{
    const struct waiting *waiting = argument;

    kill(waiting->pid, SIGKILL);
    while (waitpid(waiting->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Several threads may be in system() at once: the first saves what INT and QUIT did, the last puts it back. */
static pthread_mutex_t ignoring = PTHREAD_MUTEX_INITIALIZER;
static unsigned ignorers;
static struct sigaction interrupt_before, quit_before;

static void ignore_signals(bool begin)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    pthread_mutex_lock(&ignoring);
    if (begin && ignorers++ == 0) {
        sigaction(SIGINT, &ignore, &interrupt_before);
        sigaction(SIGQUIT, &ignore, &quit_before);
    }
    if (!begin && --ignorers == 0) {
        sigaction(SIGINT, &interrupt_before, NULL);
        sigaction(SIGQUIT, &quit_before, NULL);
    }
    pthread_mutex_unlock(&ignoring);
}

static int run_shell(const char *command)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    struct waiting waiting;
    posix_spawnattr_t attributes;
    sigset_t child, mask, defaults;
    int status = -1;

    ignore_signals(true);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, &mask);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &mask);
    sigemptyset(&defaults);
    if (interrupt_before.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (quit_before.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawn(&waiting.pid, "/bin/sh", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        status = W_EXITCODE(127, 0);
    } else {
        pthread_cleanup_push(cancelled, &waiting);
        while (waitpid(waiting.pid, &status, 0) < 0)
            if (errno != EINTR) {
                status = -1;
                error = errno;
                break;
            }
        pthread_cleanup_pop(0);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    ignore_signals(false);
    if (error)
        errno = error;
    return status;
}

WRAP(int, system, (const char *command))
{
    if (!follow_active())
        return REAL(system)(command);
    return command ? run_shell(command) : run_shell("exit 0") == 0;
}

/* --- popen(3), pclose(3) --- */

struct pipe_stream {
    struct pipe_stream *next;
    FILE *stream;
    pid_t pid;
};
static struct pipe_stream *streams;
static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;

static bool parse_mode(const char *mode, bool *reads, int *flags)
{
    *reads = false;
    *flags = 0;
    bool known = false;
    for (; *mode; mode++)
        switch (*mode) {
        case 'r': *reads = known = true; break;
        case 'w': known = true; break;
        case 'e': *flags = O_CLOEXEC; break;
        default: return false;
        }
    return known;
}

/* The shell must not have the ends of earlier popens: POSIX. */
static int spawn_reader_or_writer(const char *command, int child_end, int child_number, pid_t *pid)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    int error;

    posix_spawn_file_actions_init(&actions);
    if (child_end == child_number)
        fcntl(child_end, F_SETFD, 0);
    else
        posix_spawn_file_actions_adddup2(&actions, child_end, child_number);
    for (struct pipe_stream *other = streams; other; other = other->next)
        if (fileno(other->stream) != child_number)
            posix_spawn_file_actions_addclose(&actions, fileno(other->stream));
    error = posix_spawn(pid, "/bin/sh", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

WRAP(FILE *, popen, (const char *command, const char *mode))
{
    struct pipe_stream *made;
    bool reads;
    int flags, ends[2], error;

    if (!follow_active())
        return REAL(popen)(command, mode);
    if (!parse_mode(mode, &reads, &flags)) {
        errno = EINVAL;
        return NULL;
    }
    made = region_map(sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE); /* libc's malloc is out of reach: archives.c */
    if (SYS_IS_ERROR(made)) {
        errno = ENOMEM;
        return NULL;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        sys_munmap(made, sizeof *made);
        return NULL;
    }
    int mine = ends[reads ? 0 : 1], childs = ends[reads ? 1 : 0];
    made->stream = fdopen(mine, reads ? "r" : "w");
    error = made->stream ? 0 : errno;
    pthread_mutex_lock(&streams_lock);
    if (!error)
        error = spawn_reader_or_writer(command, childs, reads ? 1 : 0, &made->pid);
    if (!error) {
        made->next = streams;
        streams = made;
    }
    pthread_mutex_unlock(&streams_lock);
    close(childs);
    if (error) {
        if (made->stream)
            fclose(made->stream);
        else
            close(mine);
        sys_munmap(made, sizeof *made);
        errno = error;
        return NULL;
    }
    if (!flags)
        fcntl(mine, F_SETFD, 0);
    return made->stream;
}

WRAP(int, pclose, (FILE * stream))
{
    struct pipe_stream *found = NULL;
    int status;

    pthread_mutex_lock(&streams_lock);
    for (struct pipe_stream **at = &streams; *at; at = &(*at)->next)
        if ((*at)->stream == stream) {
            found = *at;
            *at = found->next;
            break;
        }
    pthread_mutex_unlock(&streams_lock);
    if (!found)
        return REAL(pclose)(stream);
    pid_t pid = found->pid;
    sys_munmap(found, sizeof *found);
    fclose(stream);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}
