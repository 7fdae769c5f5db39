#include "msg.h"

#include <netinet/tcp.h>

#include "address.h"
#include "fmt.h"
#include "hmac.h"
#include "str.h"
#include "sys.h"

int msg_payload_min(unsigned type)
{
    /* One more than the size, so that 0 marks a number that is no type. */
    static const uint16_t size[] = {
        [PROTO_HELLO] = 1 + sizeof(struct proto_hello),
        [PROTO_CHALLENGE] = 1 + sizeof(struct proto_challenge),
        [PROTO_PROOF] = 1 + sizeof(struct proto_proof),
        [PROTO_REFUSE] = 1,
        [PROTO_JOIN] = 1 + sizeof(struct proto_join),
        [PROTO_WELCOME] = 1 + sizeof(struct proto_welcome),
        [PROTO_RESTART_BEGIN] = 1 + sizeof(struct proto_restart_begin),
        [PROTO_RESTART_DONE] = 1,
        [PROTO_COMMAND] = 1 + sizeof(struct proto_command),
        [PROTO_PROGRESS] = 1 + sizeof(struct proto_progress),
        [PROTO_REPLY] = 1 + sizeof(struct proto_reply),
        [PROTO_CKPT_BEGIN] = 1 + sizeof(struct proto_ckpt_begin),
        [PROTO_PHASE_DONE] = 1 + sizeof(struct proto_phase_done),
        [PROTO_PHASE_GO] = 1 + sizeof(struct proto_phase_go),
        [PROTO_CKPT_FAILED] = 1 + sizeof(struct proto_ckpt_failed),
        [PROTO_CKPT_ABORT] = 1 + sizeof(struct proto_ckpt_abort),
        [PROTO_WRITTEN] = 1 + sizeof(struct proto_written),
        [PROTO_COMMIT] = 1 + sizeof(struct proto_commit),
        [PROTO_COMMITTED] = 1 + sizeof(struct proto_committed),
        [PROTO_WRITE_PROGRESS] = 1 + sizeof(struct proto_write_progress),
        [PROTO_KILL] = 1,
        [PROTO_LEAVE] = 1,
        [PROTO_KV_SET] = 1 + sizeof(struct proto_kv),
        [PROTO_KV_GET] = 1 + sizeof(struct proto_kv),
        [PROTO_KV_VALUE] = 1 + sizeof(struct proto_kv),
        [PROTO_STATE] = 1,
        [PROTO_CKPT_REQUEST] = 1,
        [PROTO_TEXT] = 1,
        [PROTO_IMAGE] = 1,
    };

    return type < sizeof size / sizeof *size ? size[type] - 1 : -1;
}

long msg_check(const struct proto_header *header)
{
    int least = msg_payload_min(header->type);

    if (header->magic != PROTO_MAGIC || header->version != PROTO_VERSION || least < 0 || header->length < (unsigned)least ||
        header->length > PROTO_MAX_PAYLOAD)
        return -EPROTO;
    return 0;
}

/* Until the socket is ready (or broken, which the next call on it tells). A signal does not lengthen the wait: the time left is worked
 * out anew. */
static long wait_ready(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd poll = {.fd = fd, .events = events};
        struct timespec left = {0};
        long n;

        if (deadline_ns) {
            uint64_t now = sys_now_ns(CLOCK_MONOTONIC);
            if (now < deadline_ns) {
                left.tv_sec = (time_t)((deadline_ns - now) / 1000000000u);
                left.tv_nsec = (long)((deadline_ns - now) % 1000000000u);
            }
        }
        n = sys_ppoll(&poll, 1, deadline_ns ? &left : NULL);
        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (n != -EINTR)
            return n;
    }
}

long msg_send(int fd, unsigned type, const void *body, size_t body_size, const void *tail, size_t tail_size, uint64_t deadline_ns)
{
    struct proto_header header = {.magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = (uint16_t)type};
    struct iovec part[3] = {
        {&header, sizeof header}, {(void *)(uintptr_t)body, body_size}, {(void *)(uintptr_t)tail, tail_size}};
    struct msghdr message = {.msg_iov = part, .msg_iovlen = 3};

    if (body_size > PROTO_MAX_PAYLOAD || tail_size > PROTO_MAX_PAYLOAD - body_size)
        return -EMSGSIZE;
    header.length = (uint32_t)(body_size + tail_size);
    for (;;) {
        long n = sys_sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            n = wait_ready(fd, POLLOUT, deadline_ns);
            if (n)
                return n;
            continue;
        }
        if (n < 0)
            return n == -EPIPE ? -ECONNRESET : n;
        while (message.msg_iovlen && (size_t)n >= message.msg_iov->iov_len) {
            n -= (long)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (!message.msg_iovlen)
            return 0;
        message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
        message.msg_iov->iov_len -= (size_t)n;
    }
}

static long receive_all(int fd, void *buffer, size_t size, uint64_t deadline_ns)
{
    char *at = buffer;

    while (size) {
        long n = sys_recvfrom(fd, at, size, MSG_DONTWAIT);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            n = wait_ready(fd, POLLIN, deadline_ns);
            if (n)
                return n;
            continue;
        }
        if (n <= 0)
            return n ? n : -ECONNRESET;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

long msg_receive(int fd, struct proto_header *header, void *buffer, size_t size, uint64_t deadline_ns)
{
    long error = receive_all(fd, header, sizeof *header, deadline_ns);

    if (!error)
        error = msg_check(header);
    if (!error && header->length >= size)
        error = -EMSGSIZE;
    if (!error)
        error = receive_all(fd, buffer, header->length, deadline_ns);
    if (!error)
        ((char *)buffer)[header->length] = 0;
    return error;
}

/* A connect to a port of the ephemeral range where nobody listens may by chance get that very port as its own, and TCP then connects the
 * socket to itself (simultaneous open). Programs that look for their coordinator again and again would meet that. */
static bool connected_to_itself(int fd, const union address *peer)
{
    union address own;
    unsigned size = sizeof own;

    if (sys_getsockname(fd, &own, &size) || own.any.sa_family != peer->any.sa_family)
        return false;
    if (own.any.sa_family == AF_INET)
        return own.v4.sin_port == peer->v4.sin_port && own.v4.sin_addr.s_addr == peer->v4.sin_addr.s_addr;
    return own.v6.sin6_port == peer->v6.sin6_port && !memcmp(&own.v6.sin6_addr, &peer->v6.sin6_addr, sizeof own.v6.sin6_addr);
}

static long finish_connect(int fd, const union address *peer, unsigned peer_size, uint64_t deadline_ns)
{
    int on = 1, problem = 0;
    unsigned size = sizeof problem;
    long result = sys_connect(fd, peer, peer_size);

    if (result == -EINPROGRESS || result == -EINTR) { /* after a signal it goes on in the background as well: connect(2) */
        result = wait_ready(fd, POLLOUT, deadline_ns);
        if (!result)
            result = sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
        if (!result)
            result = -problem;
    }
    if (!result && connected_to_itself(fd, peer))
        result = -ECONNREFUSED;
    if (!result)
        result = sys_fcntl(fd, F_SETFL, O_RDWR);
    if (!result) /* barriers are many small messages, each of which somebody waits for */
        result = sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return result;
}

long msg_connect(const char *address, unsigned port, uint64_t deadline_ns)
{
    union address peer;
    long size = address_parse(address, port, &peer), fd, error;

    if (size < 0)
        return size;
    fd = sys_socket(peer.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    error = finish_connect((int)fd, &peer, (unsigned)size, deadline_ns);
    if (error) {
        sys_close((int)fd);
        return error;
    }
    return fd;
}

void msg_proof(uint8_t proof[PROTO_PROOF_SIZE], const uint8_t *secret, int coordinator, const uint8_t *client_nonce,
               const uint8_t *server_nonce)
{
    const char *who = coordinator ? "dmtcp coordinator" : "dmtcp client";
    const struct hmac_part parts[] = {
        {who, strlen(who)}, {client_nonce, PROTO_NONCE_SIZE}, {server_nonce, PROTO_NONCE_SIZE}};

    hmac_sha256(proof, secret, PROTO_SECRET_SIZE, parts, 3);
}

long msg_open(int fd, unsigned role, const uint8_t *secret, uint64_t deadline_ns)
{
    struct proto_hello hello = {.role = role};
    struct proto_challenge challenge;
    struct proto_proof proof;
    struct proto_header header;
    uint8_t payload[512], expected[PROTO_PROOF_SIZE];
    long error;

    do
        error = sys_getrandom(hello.nonce, sizeof hello.nonce, 0);
    while (error == -EINTR);
    if (error != sizeof hello.nonce)
        return error < 0 ? error : -EIO;
    error = msg_send(fd, PROTO_HELLO, &hello, sizeof hello, NULL, 0, deadline_ns);
    if (!error)
        error = msg_receive(fd, &header, payload, sizeof payload, deadline_ns);
    if (error)
        return error;
    if (header.type != PROTO_CHALLENGE)
        return header.type == PROTO_REFUSE ? -ECONNREFUSED : -EPROTO;
    memcpy(&challenge, payload, sizeof challenge);
    msg_proof(expected, secret, 1, hello.nonce, challenge.nonce);
    if (!hmac_equal(expected, challenge.proof))
        return -EACCES;
    msg_proof(proof.proof, secret, 0, hello.nonce, challenge.nonce);
    return msg_send(fd, PROTO_PROOF, &proof, sizeof proof, NULL, 0, deadline_ns);
}

long secret_read(const char *path, uint8_t secret[PROTO_SECRET_SIZE])
{
    struct stat st;
    long fd, error;

    do /* NONBLOCK: a FIFO in its place must not hang us */
        fd = sys_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    while (fd == -EINTR);
    if (fd < 0)
        return fd;
    error = sys_fstat((int)fd, &st);
    if (!error && (!S_ISREG(st.st_mode) || st.st_size != PROTO_SECRET_SIZE))
        error = -EINVAL;
    if (!error && ((st.st_mode & 077) || st.st_uid != sys_geteuid()))
        error = -EPERM;
    if (!error)
        error = sys_pread_all((int)fd, secret, PROTO_SECRET_SIZE, 0);
    sys_close((int)fd);
    return error;
}

void upid_text(const struct upid *upid, char text[UPID_TEXT_MAX])
{
    fmt(text, UPID_TEXT_MAX, "%lx-%u-%lx", upid->host, upid->pid, upid->time);
}
