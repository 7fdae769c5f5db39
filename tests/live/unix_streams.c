/* Streams that anybody can check, both ways through unix sockets of each type, between two processes. Receivers begin when all buffers are full, and
 * are slower than senders. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "step.h"

#define PAIRS 5
#define LARGEST 40000
#define STALL (1 << 14) /* bytes from one pause of a receiver to the next: senders are mostly held up by full buffers */

static const struct {
    int type, buffer;
} kinds[PAIRS] = {{SOCK_STREAM, 0}, {SOCK_STREAM, 4 << 20}, {SOCK_SEQPACKET, 0}, {SOCK_SEQPACKET, 1 << 20}, {SOCK_DGRAM, 0}};

struct way {
    int fd, type;
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

/* The last message of those that have boundaries is one byte long. */
static size_t length_of(const struct way *way)
{
    return 2 + way->messages * 7919 % (LARGEST - 2);
}

static bool send_next(struct way *way, int flags)
{
    unsigned char bytes[LARGEST];
    size_t length = length_of(way);

    pattern(bytes, length, way->position);
    ssize_t n = send(way->fd, bytes, length, flags);
    if (n < 0) {
        CHECK(flags && errno == EAGAIN);
        return false;
    }
    CHECK(way->type == SOCK_STREAM || n == (ssize_t)length);
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
    if (way->type == SOCK_STREAM)
        CHECK(shutdown(way->fd, SHUT_WR) == 0);
    else
        CHECK(send(way->fd, "", 1, 0) == 1);
    return NULL;
}

static void *receiver(void *argument)
{
    static __thread unsigned char bytes[LARGEST], expected[LARGEST];
    struct way *way = argument;
    uint64_t pause_at = STALL;

    for (;;) {
        size_t size = way->type == SOCK_STREAM ? 1 + way->position % LARGEST : sizeof bytes;
        ssize_t n = recv(way->fd, bytes, size, 0);
        CHECK(n >= 0);
        if (way->type == SOCK_STREAM ? n == 0 : n == 1)
            break;
        CHECK(way->type == SOCK_STREAM || n == (ssize_t)length_of(way));
        pattern(expected, (size_t)n, way->position);
        CHECK(!memcmp(bytes, expected, (size_t)n));
        way->position += (uint64_t)n;
        way->messages++;
        if (way->position > pause_at) {
            step_nap_();
            pause_at = way->position + STALL;
        }
    }
    CHECK(way->position == *way->total);
    return NULL;
}

static void begin(int side, uint64_t *totals)
{
    for (int i = 0; i < PAIRS; i++) {
        out[i] = (struct way){.fd = ends[i][side], .type = kinds[i].type, .total = &totals[2 * i + side]};
        in[i] = (struct way){.fd = ends[i][side], .type = kinds[i].type, .total = &totals[2 * i + !side]};
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

int main(void)
{
    uint64_t *totals = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int full[2], begun[2], status;
    char byte;

    CHECK(totals != MAP_FAILED && pipe(full) == 0 && pipe(begun) == 0);
    for (int i = 0; i < PAIRS; i++) {
        CHECK(socketpair(AF_UNIX, kinds[i].type, 0, ends[i]) == 0);
        for (int side = 0; side < 2 && kinds[i].buffer; side++)
            CHECK(setsockopt(ends[i][side], SOL_SOCKET, SO_SNDBUF, &kinds[i].buffer, sizeof(int)) == 0);
    }
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
