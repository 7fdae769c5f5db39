/* Framing, deadlines and the opening, over socket pairs and loopback. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "msg.h"
#include "sys.h"

static int pair[2];
static char buffer[PROTO_MAX_PAYLOAD + 1];

static int set_up(void **state)
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
    close(pair[0]);
    return close(pair[1]);
}

static uint64_t soon(void)
{
    return sys_now_ns(CLOCK_MONOTONIC) + 20000000000u;
}

/* A deadline that is over: the call does what it can without waiting. */
static uint64_t over(void)
{
    return sys_now_ns(CLOCK_MONOTONIC) - 1;
}

static void header_rules(void **state)
{
    for (unsigned type = 0; type < 300; type++) {
        int least = msg_payload_min(type);
        struct proto_header header = {
            .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = (uint16_t)type, .length = least < 0 ? 0 : (uint32_t)least};

        assert_int_equal(msg_check(&header), least < 0 ? -EPROTO : 0);
        if (least < 0)
            continue;
        header.length = PROTO_MAX_PAYLOAD;
        assert_int_equal(msg_check(&header), 0);
        header.length++;
        assert_int_equal(msg_check(&header), -EPROTO);
        header.length = UINT32_MAX;
        assert_int_equal(msg_check(&header), -EPROTO);
        if (least) {
            header.length = (uint32_t)least - 1;
            assert_int_equal(msg_check(&header), -EPROTO);
        }
        header.length = (uint32_t)least;
        header.magic ^= 1;
        assert_int_equal(msg_check(&header), -EPROTO);
        header.magic ^= 1;
        header.version++;
        assert_int_equal(msg_check(&header), -EPROTO);
    }
    assert_int_equal(msg_payload_min(PROTO_JOIN), sizeof(struct proto_join));
    assert_int_equal(msg_payload_min(PROTO_KILL), 0);
    assert_int_equal(msg_payload_min(UINT32_MAX), -1);
}

static void body_and_tail(void **state)
{
    struct proto_ckpt_failed failed = {.generation = 7, .phase = 3}, got;
    struct proto_header header;

    assert_int_equal(msg_send(pair[0], PROTO_CKPT_FAILED, &failed, sizeof failed, "reason", 6, soon()), 0);
    assert_int_equal(msg_send(pair[0], PROTO_KILL, NULL, 0, NULL, 0, 0), 0);
    memset(buffer, 'x', sizeof buffer);
    assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof buffer, soon()), 0);
    assert_int_equal(header.type, PROTO_CKPT_FAILED);
    assert_int_equal(header.length, sizeof failed + 6);
    memcpy(&got, buffer, sizeof got);
    assert_int_equal(got.generation, 7);
    assert_string_equal(buffer + sizeof got, "reason");
    assert_int_equal(msg_receive(pair[1], &header, buffer, 1, soon()), 0);
    assert_int_equal(header.type, PROTO_KILL);
    assert_int_equal(buffer[0], 0);
}

static void sizes(void **state)
{
    struct proto_ckpt_abort abort_message = {0};
    struct proto_header header;

    assert_int_equal(msg_send(pair[0], PROTO_REFUSE, buffer, PROTO_MAX_PAYLOAD + 1, NULL, 0, soon()), -EMSGSIZE);
    assert_int_equal(msg_send(pair[0], PROTO_REFUSE, buffer, PROTO_MAX_PAYLOAD, buffer, 1, soon()), -EMSGSIZE);
    assert_int_equal(msg_send(pair[0], PROTO_CKPT_ABORT, &abort_message, sizeof abort_message, "12345678", 8, soon()), 0);
    assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof abort_message + 8, soon()), -EMSGSIZE);
}

struct stream {
    unsigned messages;
    int fd;
};

static void *send_many(void *argument)
{
    struct stream *stream = argument;
    char *tail = malloc(PROTO_MAX_PAYLOAD);

    for (unsigned i = 0; i < stream->messages; i++) {
        memset(tail, (int)i, PROTO_MAX_PAYLOAD);
        if (msg_send(stream->fd, PROTO_TEXT, &i, sizeof i, tail, PROTO_MAX_PAYLOAD - 4 - i, soon()))
            break;
    }
    free(tail);
    return NULL;
}

static void interrupted(int signal_number)
{
}

/* Large messages through a small socket buffer: each is sent and received in pieces, while a timer interrupts every call. */
static void in_pieces_with_signals(void **state)
{
    struct itimerval timer = {.it_interval.tv_usec = 300, .it_value.tv_usec = 300};
    struct sigaction action = {.sa_handler = interrupted}; /* no SA_RESTART */
    struct stream stream = {.messages = 200, .fd = pair[0]};
    struct proto_header header;
    pthread_t thread;
    int size = 4096;

    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_many, &stream), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    for (unsigned i = 0; i < stream.messages; i++) {
        unsigned number;

        assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof buffer, soon()), 0);
        assert_int_equal(header.length, PROTO_MAX_PAYLOAD - i);
        memcpy(&number, buffer, sizeof number);
        assert_int_equal(number, i);
        assert_int_equal((unsigned char)buffer[4], i & 255);
        assert_int_equal((unsigned char)buffer[header.length - 1], i & 255);
    }
    memset(&timer, 0, sizeof timer);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void deadlines(void **state)
{
    struct proto_header header = {.magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = PROTO_KILL};
    long error = 0;

    assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof buffer, over()), -ETIMEDOUT);
    /* Half a message is no message. */
    assert_int_equal(write(pair[0], &header, 8), 8);
    assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof buffer, over()), -ETIMEDOUT);
    /* Nobody reads. */
    for (int i = 0; i < 1000 && !error; i++)
        error = msg_send(pair[0], PROTO_TEXT, NULL, 0, buffer, PROTO_MAX_PAYLOAD, over());
    assert_int_equal(error, -ETIMEDOUT);
}

static void peer_gone(void **state)
{
    struct proto_header header = {.magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = PROTO_KILL};

    signal(SIGPIPE, SIG_DFL); /* would end the test */
    assert_int_equal(write(pair[0], &header, 8), 8);
    close(pair[0]);
    assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof buffer, soon()), -ECONNRESET);
    assert_int_equal(msg_send(pair[1], PROTO_KILL, NULL, 0, NULL, 0, soon()), -ECONNRESET);
    pair[0] = open("/dev/null", O_RDONLY);
}

static void garbage(void **state)
{
    struct proto_header header;

    memset(buffer, 'g', 64);
    assert_int_equal(write(pair[0], buffer, 64), 64);
    assert_int_equal(msg_receive(pair[1], &header, buffer, sizeof buffer, soon()), -EPROTO);
}

static void proofs_differ(void **state)
{
    uint8_t secret[PROTO_SECRET_SIZE] = {1}, other[PROTO_SECRET_SIZE] = {2}, a[PROTO_NONCE_SIZE] = {3}, b[PROTO_NONCE_SIZE] = {4};
    uint8_t proof[5][PROTO_PROOF_SIZE];

    msg_proof(proof[0], secret, 1, a, b);
    msg_proof(proof[1], secret, 0, a, b);
    msg_proof(proof[2], secret, 1, b, a);
    msg_proof(proof[3], other, 1, a, b);
    msg_proof(proof[4], secret, 1, a, b);
    for (int i = 0; i < 4; i++)
        for (int k = i + 1; k < 4; k++)
            assert_memory_not_equal(proof[i], proof[k], PROTO_PROOF_SIZE);
    assert_memory_equal(proof[0], proof[4], PROTO_PROOF_SIZE);
}

struct server {
    uint8_t secret[PROTO_SECRET_SIZE];
    unsigned answer; /* type of the message that answers HELLO */
    int proof_right;
};

/* The coordinator's side of an opening. */
static void *serve(void *argument)
{
    static char payload[4096];
    struct server *server = argument;
    struct proto_challenge challenge = {.nonce = {9}};
    struct proto_header header;
    struct proto_hello hello;
    uint8_t expected[PROTO_PROOF_SIZE];

    if (msg_receive(pair[1], &header, payload, sizeof payload, soon()) || header.type != PROTO_HELLO)
        return NULL;
    memcpy(&hello, payload, sizeof hello);
    msg_proof(challenge.proof, server->secret, 1, hello.nonce, challenge.nonce);
    msg_send(pair[1], server->answer, &challenge, sizeof challenge, NULL, 0, soon());
    if (msg_receive(pair[1], &header, payload, sizeof payload, soon()) || header.type != PROTO_PROOF)
        return NULL;
    msg_proof(expected, server->secret, 0, hello.nonce, challenge.nonce);
    server->proof_right = !memcmp(expected, payload, sizeof expected);
    return NULL;
}

static void opening(void **state)
{
    static const struct {
        uint8_t coordinators, ours;
        unsigned answer;
        long result;
    } cases[] = {{7, 7, PROTO_CHALLENGE, 0},
                 {7, 8, PROTO_CHALLENGE, -EACCES},
                 {7, 7, PROTO_REFUSE, -ECONNREFUSED},
                 {7, 7, PROTO_WELCOME, -EPROTO}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t secret[PROTO_SECRET_SIZE] = {cases[i].ours};
        struct server server = {.secret = {cases[i].coordinators}, .answer = cases[i].answer};
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
        assert_int_equal(msg_open(pair[0], PROTO_ROLE_WORKER, secret, soon()), cases[i].result);
        shutdown(pair[0], SHUT_WR);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(server.proof_right, cases[i].result == 0);
        tear_down(state);
        set_up(state);
    }
}

static void connects(void **state)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long fd;

    assert_int_equal(bind(listener, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&own, &size), 0);
    fd = msg_connect("127.0.0.1", ntohs(own.sin_port), soon());
    assert_true(fd >= 0);
    assert_true(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl((int)fd, F_GETFL) & O_NONBLOCK);
    close((int)fd);
    close(listener);
    assert_int_equal(msg_connect("127.0.0.1", ntohs(own.sin_port), soon()), -ECONNREFUSED);
    assert_int_equal(msg_connect("localhost", 1, soon()), -EINVAL);
    assert_int_equal(msg_connect("127.0.0.1", 65536, soon()), -EINVAL);
}

/* Nobody listens at a port of the ephemeral range: sooner or later the kernel gives the very port to the connecting socket. It prefers even
 * ones for connect(2), odd ones for bind(2), so that the port is one beside what bind gives. */
static void never_connects_to_itself(void **state)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(probe, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&own, &size), 0);
    close(probe);
    for (int i = 0; i < 30000; i++) {
        long fd = msg_connect("127.0.0.1", ntohs(own.sin_port) ^ 1u, soon());

        if (fd >= 0)
            close((int)fd);
        assert_int_equal(fd, -ECONNREFUSED);
    }
}

static void names(void **state)
{
    struct upid upid = {.host = 0xabcdef0123456789u, .time = 0x65000000, .pid = 4711};
    char text[UPID_TEXT_MAX];

    upid_text(&upid, text);
    assert_string_equal(text, "abcdef0123456789-4711-65000000");
    memset(&upid, 0xff, sizeof upid);
    upid_text(&upid, text);
    assert_string_equal(text, "ffffffffffffffff-4294967295-ffffffffffffffff");
}

int main(void)
{
#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_rules),      WITH_PAIR(body_and_tail),   WITH_PAIR(sizes),
        WITH_PAIR(in_pieces_with_signals),   WITH_PAIR(deadlines),       WITH_PAIR(peer_gone),
        WITH_PAIR(garbage),                  cmocka_unit_test(proofs_differ), WITH_PAIR(opening),
        cmocka_unit_test(connects),          cmocka_unit_test(never_connects_to_itself), cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
