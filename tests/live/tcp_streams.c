/* Streams that anybody can check, both ways through TCP connections between two processes. Receivers begin when all buffers are full, and are slower
 * than senders, those of the first connection very much so: its buffers stay full. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "step.h"

#define PAIRS 3
#define LARGEST 40000

static const struct {
    int buffer; /* 0: the kernel's */
    size_t stall; /* bytes from one pause of a receiver to the next */
    size_t piece; /* of a sender, at most */
    int at_once;
} kinds[PAIRS] = {{4 << 20, 1 << 14, LARGEST, 0}, {30000, 1 << 16, 700, 1}, {0, 1 << 20, LARGEST, 0}};

struct way {
    int fd, kind;
    uint64_t position; /* bytes sent */
    uint64_t messages;
    uint64_t *total; /* shared: all bytes, when the sender has ended */
    pthread_t thread;
};

static int ends[PAIRS][2];
static struct way out[PAIRS], in[PAIRS];

static void pattern(unsigned char *bytes, size_t size, uint64_t position)
{
    for (size_t i = 0; i < size; i++, position++)
        bytes[i] = (unsigned char)((position >> 3) * 0x9e3779b97f4a7c15ull >> (8 * (position & 7)));
}

static bool send_next(struct way *way, int flags)
{
    unsigned char bytes[LARGEST];
    size_t length = 1 + way->messages * 7919 % (kinds[way->kind].piece - 1);

    pattern(bytes, length, way->position);
    ssize_t n = send(way->fd, bytes, length, flags);
    if (n < 0) {
        CHECK(flags && errno == EAGAIN);
        return false;
    }
    way->position += (uint64_t)n;
    way->messages++;
    return true;
}

static void *sender(void *argument)
{
    struct way *way = argument;
    char end[512];

    step_path_(end, sizeof end, "end");
    while (access(end, F_OK) != 0)
        send_next(way, 0);
    *way->total = way->position;
    CHECK(shutdown(way->fd, SHUT_WR) == 0);
    return NULL;
}

static void *receiver(void *argument)
{
    static __thread unsigned char bytes[LARGEST], expected[LARGEST];
    struct way *way = argument;
    uint64_t pause_at = 0;
    char end[512];

    step_path_(end, sizeof end, "end");
    for (;;) {
        ssize_t n = recv(way->fd, bytes, 1 + way->position % LARGEST, 0);
        CHECK(n >= 0);
        if (n == 0)
            break;
        pattern(expected, (size_t)n, way->position);
        CHECK(!memcmp(bytes, expected, (size_t)n));
        way->position += (uint64_t)n;
        if (way->position > pause_at && access(end, F_OK) != 0) {
            step_nap_();
            pause_at = way->position + kinds[way->kind].stall;
        }
    }
    CHECK(way->position == *way->total);
    return NULL;
}

static void begin(int side, uint64_t *totals)
{
    for (int i = 0; i < PAIRS; i++) {
        out[i] = (struct way){.fd = ends[i][side], .kind = i, .total = &totals[2 * i + side]};
        in[i] = (struct way){.fd = ends[i][side], .kind = i, .total = &totals[2 * i + !side]};
        close(ends[i][!side]);
        while (send_next(&out[i], MSG_DONTWAIT))
            ;
    }
}

static void flow(void)
{
    for (int i = 0; i < PAIRS; i++) {
        ZERO(pthread_create(&out[i].thread, NULL, sender, &out[i]));
        ZERO(pthread_create(&in[i].thread, NULL, receiver, &in[i]));
    }
    for (int i = 0; i < PAIRS; i++) {
        ZERO(pthread_join(out[i].thread, NULL));
        ZERO(pthread_join(in[i].thread, NULL));
    }
}

static void connect_pair(int listener, const struct sockaddr_in *address, int kind)
{
    ends[kind][0] = socket(AF_INET, SOCK_STREAM, 0);
    for (int side = 0; side < 2; side++) {
        if (side)
            ends[kind][1] = accept(listener, NULL, NULL);
        for (int name = 0; name < 2 && kinds[kind].buffer; name++)
            CHECK(setsockopt(ends[kind][side], SOL_SOCKET, name ? SO_SNDBUF : SO_RCVBUF, &kinds[kind].buffer, sizeof(int)) == 0);
        CHECK(setsockopt(ends[kind][side], IPPROTO_TCP, TCP_NODELAY, &kinds[kind].at_once, sizeof(int)) == 0);
        if (!side)
            CHECK(connect(ends[kind][0], (const void *)address, sizeof *address) == 0);
    }
}

int main(void)
{
    uint64_t *totals = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int full[2], begun[2], status, listener = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    CHECK(totals != MAP_FAILED && pipe(full) == 0 && pipe(begun) == 0);
    CHECK(bind(listener, (void *)&address, size) == 0 && listen(listener, 9) == 0 && getsockname(listener, (void *)&address, &size) == 0);
    for (int i = 0; i < PAIRS; i++)
        connect_pair(listener, &address, i);
    pid_t child = fork();
    CHECK(child >= 0);
    begin(child == 0, totals);
    if (!child) {
        close(begun[1]);
        CHECK(write(full[1], "", 1) == 1 && read(begun[0], &byte, 1) == 0);
        flow();
        _exit(0);
    }
    CHECK(read(full[0], &byte, 1) == 1);
    if (step()) {
        close(begun[1]);
        flow();
    } else {
        FAIL("told to end before it began");
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}
