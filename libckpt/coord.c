#include "coord.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "fmt.h"
#include "library.h"
#include "log.h"
#include "msg.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "coord"

#define CONNECT_NS 10000000000ull

static int socket_fd = -1;
static unsigned char *buffer;

long coord_init(void)
{
    socket_fd = -1;
    buffer = scratch_map(PROTO_MAX_PAYLOAD + 4096, false);
    return buffer ? 0 : -ENOMEM;
}

bool coord_connected(void)
{
    return socket_fd >= 0;
}

int coord_descriptor(void)
{
    return socket_fd;
}

void coord_close(void)
{
    if (socket_fd >= 0)
        sys_close(socket_fd);
    socket_fd = -1;
}

static long join(unsigned flags, uint64_t deadline, char *problem, size_t problem_size)
{
    struct proto_join join = {
        .process = lib.process,
        .computation = lib.computation,
        .flags = flags,
        .real_pid = (uint32_t)lib.real_pid,
        .virtual_pid = (uint32_t)lib.pid,
        .generation = lib.generation,
    };
    struct proto_header header;
    char tail[512];
    size_t host = fmt(tail, 256, "%s", lib.conf.host_name) + 1;
    size_t tail_size = host + fmt(tail + host, 256, "%s", lib.program) + 1;
    long error = msg_send(socket_fd, PROTO_JOIN, &join, sizeof join, tail, tail_size, deadline);

    if (!error)
        error = msg_receive(socket_fd, &header, buffer, PROTO_MAX_PAYLOAD + 1, deadline);
    if (error)
        return error;
    if (header.type == PROTO_REFUSE) {
        str_copy(problem, problem_size, (const char *)buffer);
        return -ECONNABORTED;
    }
    if (header.type != PROTO_WELCOME)
        return -EPROTO;
    const struct proto_welcome *welcome = (const void *)buffer;
    lib.computation = welcome->computation;
    if (welcome->generation > lib.generation)
        lib.generation = welcome->generation;
    return 0;
}

/* A host that is gone says nothing: found out after a minute, rather than never. tcp(7) */
static void keep_alive(void)
{
    static const int options[][3] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 30}, {IPPROTO_TCP, TCP_KEEPINTVL, 10}, {IPPROTO_TCP, TCP_KEEPCNT, 3}};

    for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
        sys_setsockopt(socket_fd, options[i][0], options[i][1], &options[i][2], sizeof options[i][2]);
}

long coord_join(unsigned flags, char *problem, size_t problem_size)
{
    const char *step = "connect to";
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + CONNECT_NS;
    uint8_t secret[PROTO_SECRET_SIZE];
    long error = msg_connect(lib.conf.coord_address, lib.conf.coord_port, deadline);

    problem[0] = 0;
    if (error >= 0) {
        socket_fd = (int)error;
        keep_alive();
        step = "read the secret file for";
        error = secret_read(lib.conf.secret_path, secret);
    }
    if (!error) {
        step = "prove the secret to";
        error = msg_open(socket_fd, PROTO_ROLE_WORKER, secret, deadline);
        memset(secret, 0, sizeof secret);
    }
    if (!error) {
        step = "join";
        error = join(flags, deadline, problem, problem_size);
    }
    if (error < 0) {
        if (!problem[0])
            fmt(problem, problem_size, "can't %s the coordinator at %s port %u: %e", step, lib.conf.coord_host, lib.conf.coord_port,
                (int)error);
        coord_close();
        return error;
    }
    return 0;
}

long coord_send(unsigned type, const void *body, size_t body_size, const char *tail)
{
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + CONNECT_NS;
    long error = socket_fd < 0 ? -ENOTCONN : msg_send(socket_fd, type, body, body_size, tail, tail ? strlen(tail) : 0, deadline);

    if (error)
        coord_close();
    return error;
}

int coord_receive(struct coord_message *message, uint64_t deadline_ns)
{
    struct pollfd poll = {.fd = socket_fd, .events = POLLIN};
    long error;

    if (socket_fd < 0)
        return -ENOTCONN;
    for (;;) {
        struct timespec wait = {0};
        uint64_t now = deadline_ns > 1 ? sys_now_ns(CLOCK_MONOTONIC) : 0;

        if (deadline_ns > now) {
            wait.tv_sec = (time_t)((deadline_ns - now) / 1000000000u);
            wait.tv_nsec = (long)((deadline_ns - now) % 1000000000u);
        }
        if (deadline_ns == 1)
            wait.tv_sec = wait.tv_nsec = 0;
        error = sys_ppoll(&poll, 1, deadline_ns ? &wait : NULL);
        if (error == -EINTR)
            continue;
        if (error == 0)
            return 0;
        if (error < 0)
            break;
        error = msg_receive(socket_fd, &message->header, buffer, PROTO_MAX_PAYLOAD + 1, sys_now_ns(CLOCK_MONOTONIC) + CONNECT_NS);
        if (error)
            break;
        message->payload = buffer;
        if (message->header.type == PROTO_KILL)
            sys_kill(sys_getpid(), SIGKILL);
        return 1;
    }
    log_trace("connection lost: %e", (int)error);
    coord_close();
    return (int)error;
}
