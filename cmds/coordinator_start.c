/* Two commands that start at once must not start two coordinators, nor may one of them find the port taken by a coordinator that doesn't
 * answer yet. Both look and start while they hold a lock on the scratch directory (flock(2) on the directory itself: no lock file to be
 * left behind), and `dmtcp_coordinator --daemon` returns only when it listens. */
#include "coordinator_start.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absolute.h"
#include "die.h"
#include "fmt.h"
#include "host.h"
#include "installed.h"
#include "msg.h"
#include "str.h"
#include "sys.h"
#include "tmpdir.h"

enum { ANSWER_SECONDS = 10 };

extern char **environ;

enum answer { OURS, NOBODY, STRANGER, OTHERS, UNREACHABLE };

uint64_t coordinator_deadline(void)
{
    return sys_now_ns(CLOCK_MONOTONIC) + ANSWER_SECONDS * 1000000000ull;
}

/* One address. *error: -errno for UNREACHABLE. *connection: the opened socket for OURS. */
static enum answer ask(const char *address, const struct conf *conf, unsigned role, int *connection, long *error)
{
    uint8_t secret[PROTO_SECRET_SIZE] = {0};
    /* Without a secret the opening shows at least whether a coordinator is there. */
    bool known = !secret_read(conf->secret_path, secret);
    long fd = msg_connect(address, conf->coord_port, coordinator_deadline());

    if (fd < 0) {
        *error = fd;
        return fd == -ECONNREFUSED ? NOBODY : UNREACHABLE;
    }
    *error = msg_open((int)fd, role, secret, coordinator_deadline());
    if (!*error && known) {
        *connection = (int)fd;
        return OURS;
    }
    close((int)fd);
    return *error == -EACCES || !*error ? OTHERS : STRANGER;
}

/* As base/address.h reads it: getnameinfo(3) would write a scope as the interface's name. */
static bool numeric(const struct addrinfo *info, char *text, size_t size)
{
    const struct sockaddr_in6 *v6 = (const void *)info->ai_addr;
    const struct sockaddr_in *v4 = (const void *)info->ai_addr;

    if (info->ai_family == AF_INET)
        return inet_ntop(AF_INET, &v4->sin_addr, text, (socklen_t)size);
    if (info->ai_family != AF_INET6 || !inet_ntop(AF_INET6, &v6->sin6_addr, text, (socklen_t)size))
        return false;
    if (v6->sin6_scope_id)
        fmt(text + strlen(text), size - strlen(text), "%%%u", v6->sin6_scope_id);
    return true;
}

/* All addresses of the host, until one has a coordinator of ours. */
static enum answer probe(struct conf *conf, unsigned role, int *connection, long *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    enum answer best = NOBODY;
    int problem = getaddrinfo(conf->coord_host, NULL, &hints, &list);

    if (problem)
        die(FAIL_COORDINATOR, "coordinator's host %s: %s", conf->coord_host,
            problem == EAI_SYSTEM ? strerror(errno) : gai_strerror(problem));
    conf->coord_address[0] = 0;
    for (struct addrinfo *at = list; at; at = at->ai_next) {
        char address[64];
        long why = 0;
        enum answer answer;

        if (!numeric(at, address, sizeof address))
            continue;
        answer = ask(address, conf, role, connection, &why);
        /* Of several answers the one that says most counts: `localhost` often has two addresses and a coordinator on one of them. */
        if (!conf->coord_address[0] || answer == OURS || (best == NOBODY && answer != UNREACHABLE) || best == UNREACHABLE) {
            best = answer;
            *error = why;
            str_copy(conf->coord_address, sizeof conf->coord_address, address);
        }
        if (answer == OURS)
            break;
    }
    freeaddrinfo(list);
    return best;
}

static _Noreturn void die_of(enum answer answer, const struct conf *conf, long error, const char *way_out)
{
    const char *host = conf->coord_host;
    unsigned port = conf->coord_port;

    switch (answer) {
    case OURS:
    case NOBODY: die(FAIL_COORDINATOR, "no coordinator runs at %s port %u; %s", host, port, way_out);
    case STRANGER:
        die(FAIL_COORDINATOR, "port %u of %s is in use by something that is no DMTCP coordinator; choose another port with -p", port, host);
    case OTHERS:
        die(FAIL_COORDINATOR,
            "the coordinator at %s port %u is another user's or was started with another --tmpdir (its secret is not in %s); choose "
            "another port with -p",
            host, port, conf->tmp_dir);
    case UNREACHABLE: break;
    }
    die(FAIL_COORDINATOR, "can't reach the coordinator at %s port %u: %s", host, port, fmt_error((int)error));
}

/* Is it an address of this host, so that a coordinator can be started there? */
static bool is_local(const char *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    struct ifaddrs *interfaces = NULL;
    bool local = false;

    if (getaddrinfo(host, NULL, &hints, &list))
        return false;
    if (getifaddrs(&interfaces))
        interfaces = NULL;
    for (struct addrinfo *at = list; at && !local; at = at->ai_next) {
        const struct sockaddr_in *v4 = (const void *)at->ai_addr;
        const struct sockaddr_in6 *v6 = (const void *)at->ai_addr;
        bool is_v4 = at->ai_family == AF_INET;

        local = is_v4 ? ntohl(v4->sin_addr.s_addr) >> 24 == 127 : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        for (struct ifaddrs *i = interfaces; i && !local; i = i->ifa_next) {
            if (!i->ifa_addr || i->ifa_addr->sa_family != at->ai_family)
                continue;
            if (is_v4)
                local = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr == v4->sin_addr.s_addr;
            else
                local = IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, &v6->sin6_addr);
        }
    }
    freeifaddrs(interfaces);
    freeaddrinfo(list);
    return local;
}

/* Whole text of a small file, without the newline at its end; "" if there is none. */
static void read_text(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);

    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
}

static unsigned read_port(const char *path)
{
    char text[16] = "";
    uint64_t port = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        read_text(fd, text, sizeof text);
        close(fd);
    }
    unlink(path);
    if (!str_to_number(text, 1, 65535, &port))
        die(FAIL_COORDINATOR, "the coordinator did not say its port in %s", path);
    return (unsigned)port;
}

/* Runs the coordinator until it has put itself in the background. Its messages come back in `said`. True: it listens. */
static bool run_daemon(char *const *arguments, char *said, size_t size)
{
    struct sigaction old, usual = {.sa_handler = SIG_DFL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    int status = -1, output = memfd_create("coordinator", MFD_CLOEXEC);
    pid_t pid;

    if (output < 0)
        die(FAIL_COORDINATOR, "memfd_create: %m");
    /* It outlives us: nothing of the caller's (signal settings, pipes that somebody waits to be closed) must stay with it. */
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);

    /* Where our caller ignores SIGCHLD, the status would be lost. */
    sigaction(SIGCHLD, &usual, &old);
    errno = posix_spawn(&pid, arguments[0], &actions, &attributes, arguments, environ);
    if (errno)
        die(FAIL_COORDINATOR, "%s: %m", arguments[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGCHLD, &old, NULL);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    read_text(output, said, size);
    close(output);
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Leaves the new one's port in conf. */
static bool start(const struct options *options, struct conf *conf, char *said, size_t size)
{
    char program[PATH_MAX], port[16], seconds[24], port_file[PATH_MAX + 32], dir[PATH_MAX], log[PATH_MAX];
    char *arguments[24];
    size_t n = 0;
    bool listens;

    installed_path(program, sizeof program, "bin/dmtcp_coordinator");
    arguments[n++] = program;
    arguments[n++] = (char *)"--daemon";
    arguments[n++] = (char *)"--exit-on-last";
    snprintf(port, sizeof port, "%u", conf->coord_port);
    arguments[n++] = (char *)"-p";
    arguments[n++] = port;
    if (!conf->coord_port) {
        snprintf(port_file, sizeof port_file, "%s/port-%d", conf->tmp_dir, (int)getpid());
        unlink(port_file);
        arguments[n++] = (char *)"--port-file";
        arguments[n++] = port_file;
    }
    if (options->coord_host) { /* not loopback only, if it is another of this host's names */
        arguments[n++] = (char *)"--coord-host";
        arguments[n++] = (char *)options->coord_host;
    }
    if (options->tmp_dir) {
        arguments[n++] = (char *)"--tmpdir";
        arguments[n++] = (char *)options->tmp_dir;
    }
    if (options->ckpt_dir) {
        absolute_path(dir, sizeof dir, options->ckpt_dir);
        arguments[n++] = (char *)"--ckptdir";
        arguments[n++] = dir;
    }
    if (options->interval >= 0) {
        snprintf(seconds, sizeof seconds, "%ld", (long)options->interval);
        arguments[n++] = (char *)"-i";
        arguments[n++] = seconds;
    }
    if (options->coord_log) {
        absolute_path(log, sizeof log, options->coord_log);
        arguments[n++] = (char *)"--coord-logfile";
        arguments[n++] = log;
    }
    for (int64_t q = 0; q < options->quiet; q++)
        arguments[n++] = (char *)"-q";
    arguments[n] = NULL;
    listens = run_daemon(arguments, said, size);
    if (listens && !conf->coord_port)
        conf->coord_port = read_port(port_file);
    return listens;
}

static void write_port_file(const char *path, unsigned port)
{
    char temporary[PATH_MAX], text[16];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path), fd;

    if (n < 0 || (size_t)n >= sizeof temporary)
        die(FAIL_TOOL, "--port-file %s: the path is too long", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    n = snprintf(text, sizeof text, "%u", port);
    if (fd < 0 || write(fd, text, (size_t)n) != n || fchmod(fd, 0644) || close(fd) || rename(temporary, path)) {
        int error = errno;
        if (fd >= 0)
            unlink(temporary);
        die(FAIL_TOOL, "--port-file %s: %s", path, strerror(error));
    }
}

static void set_interval(int connection, unsigned seconds)
{
    struct proto_command command = {.op = PROTO_OP_INTERVAL, .argument = seconds};
    struct proto_header header;
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_reply reply;
    uint64_t deadline = coordinator_deadline();
    long error = msg_send(connection, PROTO_COMMAND, &command, sizeof command, NULL, 0, deadline);

    do
        error = error ? error : msg_receive(connection, &header, payload, sizeof payload, deadline);
    while (!error && header.type == PROTO_PROGRESS);
    if (!error && header.type == PROTO_REFUSE)
        die(FAIL_COORDINATOR, "the coordinator refused the interval: %s", payload);
    if (!error && (header.type != PROTO_REPLY || header.length < sizeof reply))
        error = -EPROTO;
    if (error)
        die(FAIL_COORDINATOR, "the coordinator did not take the interval: %s", fmt_error((int)error));
    memcpy(&reply, payload, sizeof reply);
    if (reply.result != PROTO_DONE && reply.result != PROTO_NOT_RUNNING)
        die(FAIL_COORDINATOR, "the coordinator refused the interval: %s", payload + sizeof reply);
}

static void fill_in_host(const struct options *options, struct conf *conf)
{
    const struct passwd *user = getpwuid(geteuid());
    long error = tmpdir_path(conf->tmp_dir, sizeof conf->tmp_dir, options->tmp_dir, getenv("DMTCP_TMPDIR"), getenv("TMPDIR"),
                             user ? user->pw_name : NULL);

    if (!error)
        error = tmpdir_make(conf->tmp_dir);
    if (error)
        die(FAIL_TOOL, "scratch directory %s: %s; choose another with --tmpdir", conf->tmp_dir,
            error == -EPERM ? "belongs to another user" : fmt_error((int)error));
    host_name(conf->host_name, sizeof conf->host_name);
    conf->host_id = host_id(conf->host_name);
}

static void name_secret(struct conf *conf)
{
    if (secret_file_path(conf->secret_path, sizeof conf->secret_path, conf->tmp_dir, conf->coord_port))
        die(FAIL_TOOL, "scratch directory %s: the path is too long; choose another with --tmpdir", conf->tmp_dir);
}

/* With the lock held. Leaves a connection; says whether the coordinator was started for it. */
static bool join_or_start(const struct options *options, struct conf *conf, unsigned role, int *connection)
{
    int64_t mode = options->mode < 0 ? COORDINATOR_ANY : options->mode;
    enum answer answer = NOBODY;
    char said[1024] = "";
    bool started = false;
    long error = 0;

    conf->coord_port = options->port >= 0 ? (uint32_t)options->port : mode == COORDINATOR_NEW ? 0 : 7779;
    if (!conf->coord_port && mode == COORDINATOR_JOIN)
        die(FAIL_TOOL, "--join-coordinator needs the port of a running coordinator, not 0");
    name_secret(conf);
    if (conf->coord_port)
        answer = probe(conf, role, connection, &error);
    if (answer == OURS && mode == COORDINATOR_NEW)
        die(FAIL_COORDINATOR, "a coordinator already runs at %s port %u; leave out --new-coordinator to join it, or choose another port",
            conf->coord_host, conf->coord_port);
    if (answer == OURS)
        return false;
    if (answer != NOBODY)
        die_of(answer, conf, error, "");
    if (mode == COORDINATOR_JOIN)
        die_of(answer, conf, error, "start dmtcp_coordinator first, or leave out --join-coordinator");
    if (!is_local(conf->coord_host))
        die_of(answer, conf, error, "start dmtcp_coordinator there first (it is started for you on this host only)");
    started = start(options, conf, said, sizeof said);
    if (!started && !conf->coord_port)
        die(FAIL_COORDINATOR, "can't start a coordinator: %s", said);
    name_secret(conf);
    /* Where the start failed, somebody else may have taken the port meanwhile: then who? */
    answer = probe(conf, role, connection, &error);
    if (answer == NOBODY)
        die(FAIL_COORDINATOR, "can't start a coordinator at %s port %u: %s", conf->coord_host, conf->coord_port,
            said[0] ? said : "it ended at once");
    if (answer != OURS)
        die_of(answer, conf, error, "");
    return started;
}

int coordinator_find(const struct options *options, struct conf *conf, unsigned role)
{
    int lock, connection = -1;
    bool started;

    fill_in_host(options, conf);
    str_copy(conf->coord_host, sizeof conf->coord_host, options->coord_host ? options->coord_host : "localhost");
    lock = open(conf->tmp_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        die(FAIL_TOOL, "scratch directory %s: %m", conf->tmp_dir);
    while (flock(lock, LOCK_EX))
        if (errno != EINTR)
            die(FAIL_TOOL, "scratch directory %s: can't be locked: %m", conf->tmp_dir);
    started = join_or_start(options, conf, role, &connection);
    close(lock);
    note("%s coordinator at %s port %u", started ? "started a" : "joined the", conf->coord_host, conf->coord_port);
    if (role == PROTO_ROLE_COMMAND && options->interval >= 0 && !started)
        set_interval(connection, (unsigned)options->interval);
    if (options->port_file)
        write_port_file(options->port_file, conf->coord_port);
    return connection;
}
