/* workers PORT SECRET N: N connections that speak the protocol of include/proto.h and are done with each phase at once, so that what a checkpoint
 * takes is the coordinator's share (and this program's, which is about the same: as many messages). Says "joined" when all are in; ends when the
 * coordinator closes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host.h"
#include "msg.h"
#include "phase.h"
#include "sys.h"

struct worker {
    int fd;
    uint32_t generation;
    char image[128];
};

static uint64_t deadline(void)
{
    return sys_now_ns(CLOCK_MONOTONIC) + 120 * UINT64_C(1000000000);
}

static void check(long result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "workers: %s: %s\n", what, strerror((int)-result));
    exit(1);
}

static void join(struct worker *worker, unsigned port, const uint8_t *secret, const char *host, uint32_t pid)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_join message = {
        .process = {.host = 1, .time = 1, .pid = pid}, .real_pid = pid, .virtual_pid = pid};
    struct proto_header header;
    char tail[300];
    int size = snprintf(tail, sizeof tail, "%s%cworkers", host, 0) + 1;

    worker->fd = (int)msg_connect("127.0.0.1", port, deadline());
    check(worker->fd, "connect");
    check(msg_open(worker->fd, PROTO_ROLE_WORKER, secret, deadline()), "opening");
    check(msg_send(worker->fd, PROTO_JOIN, &message, sizeof message, tail, (size_t)size, deadline()), "join");
    check(msg_receive(worker->fd, &header, payload, sizeof payload, deadline()), "welcome");
    if (header.type != PROTO_WELCOME)
        check(-EACCES, payload);
    snprintf(worker->image, sizeof worker->image, "/nowhere/ckpt_workers_1-%u-1.dmtcp", pid);
}

static void done(struct worker *worker, uint32_t phase)
{
    struct proto_phase_done message = {.generation = worker->generation, .phase = phase};

    check(msg_send(worker->fd, PROTO_PHASE_DONE, &message, sizeof message, NULL, 0, deadline()), "send");
}

/* False: the coordinator has closed. */
static bool take(struct worker *worker)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_header header;

    if (msg_receive(worker->fd, &header, payload, sizeof payload, deadline()))
        return false;
    if (header.type == PROTO_CKPT_BEGIN) {
        memcpy(&worker->generation, payload + offsetof(struct proto_ckpt_begin, generation), sizeof worker->generation);
        check(msg_send(worker->fd, PROTO_IMAGE, NULL, 0, worker->image, strlen(worker->image), deadline()), "send");
        done(worker, PHASE_SUSPEND);
    } else if (header.type == PROTO_PHASE_GO) {
        struct proto_phase_go go;
        memcpy(&go, payload, sizeof go);
        done(worker, go.phase);
        if (go.phase == PHASE_RESUME) {
            struct proto_written written = {.memory_bytes = 4096, .file_bytes = 4096, .generation = worker->generation};
            check(msg_send(worker->fd, PROTO_WRITTEN, &written, sizeof written, worker->image, strlen(worker->image), deadline()), "send");
        }
    } else if (header.type == PROTO_COMMIT) {
        struct proto_committed committed = {.generation = worker->generation};
        check(msg_send(worker->fd, PROTO_COMMITTED, &committed, sizeof committed, NULL, 0, deadline()), "send");
    } else if (header.type == PROTO_KILL) {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    uint8_t secret[PROTO_SECRET_SIZE];
    char host[256];
    unsigned count = argc == 4 ? (unsigned)atoi(argv[3]) : 0, alive = count;
    struct worker *workers = calloc(count ? count : 1, sizeof *workers);
    int events = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ready[256];

    if (!count || !workers) {
        fprintf(stderr, "usage: workers PORT SECRET N\n");
        return 1;
    }
    check(secret_read(argv[2], secret), argv[2]);
    host_name(host, sizeof host);
    strcat(host, "-elsewhere"); /* the pids are made up */
    for (unsigned i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &workers[i]};
        join(&workers[i], (unsigned)atoi(argv[1]), secret, host, 100000 + i);
        if (epoll_ctl(events, EPOLL_CTL_ADD, workers[i].fd, &event))
            check(-errno, "epoll_ctl");
    }
    puts("joined");
    fflush(stdout);
    while (alive) {
        int n = epoll_wait(events, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            struct worker *worker = ready[i].data.ptr;
            if (!take(worker)) {
                close(worker->fd);
                alive--;
            }
        }
    }
    return 0;
}
