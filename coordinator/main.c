/* dmtcp_coordinator: leads the checkpoints and restarts of one computation (dmtcp_coordinator(1)). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ckpt.h"
#include "client.h"
#include "command.h"
#include "end.h"
#include "files.h"
#include "kv.h"
#include "listen.h"
#include "loop.h"
#include "options.h"
#include "report.h"
#include "script.h"
#include "set.h"
#include "tmpdir.h"
#include "traces.h"

/* --- background --- */

/* Returns in the child, with the descriptor that it must write one byte to when it listens. The parent waits for that and exits: with 0, or
 * as the child did, which has said why on our standard error. */
static int go_to_background(void)
{
    int ready[2], status;
    char byte = 0;
    pid_t child;

    if (pipe2(ready, O_CLOEXEC))
        die("pipe: %m");
    child = fork();
    if (child < 0)
        die("fork: %m");
    if (!child) {
        close(ready[0]);
        setsid();
        return ready[1];
    }
    close(ready[1]);
    while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
        ;
    if (byte == 'r')
        _exit(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 99);
}

/* Whoever started us must not wait for our end because we hold its pipes, nor a file system be busy because we stand in it. */
static void leave_surroundings(int ready)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        die("/dev/null: %m");
    if (chdir("/"))
        die("/: %m");
    if (write(ready, "r", 1) != 1)
        exit(1); /* the parent is gone, and with it who wanted us */
    report_detach();
    dup2(null, 2);
    close(null);
    close(ready);
}

/* Descriptors that a parent left open, all but those that we need. */
static void close_inherited(void)
{
    close_range(3, ~0U, 0);
}

/* --- signals --- */

static void signalled(struct source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    if (read(source->fd, &info, sizeof info) != sizeof info)
        return;
    note("signal %u (%s): programs run on without a coordinator", info.ssi_signo, strsignal((int)info.ssi_signo));
    end_quit(false, NULL);
}

static void watch_signals(void)
{
    static struct source source = {.ready = signalled};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, NULL); /* not SIG_BLOCK: a parent may have left us others blocked */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (source.fd < 0 || loop_add(&source, EPOLLIN))
        die("signalfd: %m");
}

/* --- files --- */

/* Proves to clients that we are the coordinator which they were told of, and to us that they are the same user's. */
static void publish_secret(const char *tmpdir_option)
{
    const struct passwd *user = getpwuid(geteuid());
    char directory[PATH_MAX], path[PATH_MAX];
    uint8_t secret[PROTO_SECRET_SIZE];
    long error = tmpdir_path(directory, sizeof directory, tmpdir_option, NULL, getenv("TMPDIR"), user ? user->pw_name : NULL);

    if (error)
        die("the directory for scratch: %s", strerror((int)-error));
    error = tmpdir_make(directory);
    if (error == -ENOTDIR || error == -ELOOP)
        die("%s is not a directory of ours but something else: remove it, or give another --tmpdir", directory);
    if (error == -EPERM)
        die("%s belongs to another user: give another --tmpdir", directory);
    if (error)
        die("can't make the directory %s: %s; give another --tmpdir", directory, strerror((int)-error));
    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        die("getrandom: %m");
    if (secret_file_path(path, sizeof path, directory, listen_port()))
        die("%s: the name is too long; give another --tmpdir", directory);
    error = file_publish(path, secret, sizeof secret, 0600);
    if (error)
        die("write %s: %s", path, strerror((int)error));
    traces_set_directory(directory);
    client_set_secret(secret);
}

static void publish(const char *option, const char *path, const char *text)
{
    char *absolute;
    int error;

    if (!path)
        return;
    absolute = path_absolute(path);
    error = file_publish(absolute, text, strlen(text), 0644);
    if (error)
        die("%s %s: %s", option, path, strerror(error));
    free(absolute);
}

static void publish_place(const struct options *options)
{
    char port[16], status[512];

    snprintf(port, sizeof port, "%u", listen_port());
    snprintf(status, sizeof status, "Coordinator:\n  Host: %s\n  Port: %u\n  PID: %d\n", listen_host(), listen_port(), (int)getpid());
    publish("--status-file", options->status_file, status);
    publish("--port-file", options->port_file, port); /* last: who waits for it finds the rest */
}

static void choose_directory(const struct options *options)
{
    char *directory = path_absolute(options->ckpt_dir ? options->ckpt_dir : "."), *kv;

    script_set_directory(directory);
    if (!options->write_kv_data)
        return;
    if (asprintf(&kv, "%s/dmtcp_kv_data.json", directory) < 0)
        die("no memory");
    kv_set_file(kv);
}

/* --- the whole --- */

static void allow_many_clients(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void after_round(void)
{
    client_reap();
    end_check();
}

int main(int count, char **arguments)
{
    struct options options;
    int ready = -1, error;

    options_parse(&options, count, arguments);
    close_inherited();
    if (options.daemon)
        ready = go_to_background();
    choose_directory(&options);
    error = report_open(options.log_file, (int)options.quiet);
    if (error)
        die("--coord-logfile %s: %s", options.log_file, strerror(error));
    allow_many_clients();
    error = loop_init();
    if (error)
        die("epoll_create1: %s", strerror(error));
    watch_signals();
    atexit(files_withdraw);
    listen_open(options.host, options.port);
    publish_secret(options.tmpdir);
    set_deadline_seconds(options.deadline);
    ckpt_options.always_kill = options.kill_after_ckpt;
    ckpt_set_interval(options.interval);
    listen_start();
    publish_place(&options);
    end_start(&(struct end_options){
        .exit_on_last = options.exit_on_last, .timeout = options.timeout, .stale_timeout = options.stale_timeout});
    note("DMTCP coordinator " DMTCP_VERSION " listens on %s port %u", listen_host(), listen_port());
    if (options.daemon)
        leave_surroundings(ready);
    else
        console_start();
    loop_run(after_round);
    note("DMTCP coordinator exiting");
    return 0;
}
