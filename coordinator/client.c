#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hmac.h"
#include "listen.h"
#include "msg.h"
#include "report.h"
#include "restart.h"
#include "worker.h"

enum {
    OPENING_SECONDS = 30,
    MAX_HURRIED = 4096, /* connections with a deadline; one more drops the oldest */
};

struct limits {
    uint32_t payload; /* of a message that it may send */
    uint32_t output; /* bytes queued */
};

static const struct limits limits[CLIENT_STATES] = {
    [CLIENT_HELLO] = {sizeof(struct proto_hello), 4096},
    [CLIENT_PROOF] = {sizeof(struct proto_proof), 4096},
    [CLIENT_NEW_WORKER] = {8192, 4096},
    [CLIENT_NEW_RESTART] = {8192, 4096},
    [CLIENT_NEW_COMMAND] = {sizeof(struct proto_command), 4096},
    [CLIENT_WORKER] = {PROTO_MAX_PAYLOAD, 1u << 20},
    [CLIENT_RESTART] = {8192, 65536},
    [CLIENT_COMMAND] = {sizeof(struct proto_command), 16u << 20},
    [CLIENT_CLOSING] = {PROTO_MAX_PAYLOAD, 16u << 20},
};

static uint8_t secret[PROTO_SECRET_SIZE];
static struct list hurried = LIST_EMPTY(hurried); /* opening or closing: the one with the nearest deadline first */
static struct list doomed = LIST_EMPTY(doomed);
static unsigned hurried_count, per_state[CLIENT_STATES];
static uint32_t last_number;
static void hurry_expired(struct timer *timer);
static struct timer hurry_timer = {.expired = hurry_expired};

void client_set_secret(const uint8_t *bytes)
{
    memcpy(secret, bytes, sizeof secret);
}

unsigned client_opening_count(void)
{
    return per_state[CLIENT_NEW_WORKER] + per_state[CLIENT_NEW_RESTART];
}

unsigned client_closing_count(void)
{
    return per_state[CLIENT_CLOSING];
}

void text_from(char *to, size_t size, const uint8_t *from, size_t length)
{
    size_t n = 0;

    for (; n < length && n + 1 < size && from[n]; n++)
        to[n] = from[n] < ' ' || from[n] == 127 ? '?' : (char)from[n];
    to[n] = 0;
}

/* --- deadlines --- */

static void leave_hurry(struct client *client)
{
    if (list_is_empty(&client->hurry))
        return;
    list_remove(&client->hurry);
    hurried_count--;
}

static void hurry_expired(struct timer *timer)
{
    uint64_t now = loop_now_ns();
    struct client *client;

    LIST_EACH(client, &hurried, struct client, hurry) {
        if (client->deadline_ns > now) {
            timer_set(timer, client->deadline_ns);
            return;
        }
        client_doom(client, client->state == CLIENT_CLOSING ? NULL : "said nothing for too long");
    }
}

static void enter_hurry(struct client *client)
{
    leave_hurry(client);
    client->deadline_ns = loop_now_ns() + OPENING_SECONDS * SECOND_NS;
    list_append(&hurried, &client->hurry);
    if (++hurried_count > MAX_HURRIED)
        client_doom(LIST_OF(hurried.next, struct client, hurry), "gives way: too many connections that say nothing");
    if (!hurry_timer.at_ns)
        timer_set(&hurry_timer, client->deadline_ns);
}

void client_set_state(struct client *client, enum client_state state)
{
    per_state[client->state]--;
    per_state[state]++;
    client->state = (uint8_t)state;
    if (state >= CLIENT_WORKER && state != CLIENT_CLOSING)
        leave_hurry(client);
}

/* --- ends --- */

/* Anybody on the machine can connect and send garbage; that must not fill the disk with log lines. */
static void log_doom(const struct client *client, const char *why)
{
    static uint64_t last;
    static unsigned silent;
    uint64_t now = loop_now_ns();
    bool proven = client->state > CLIENT_PROOF;

    if (!proven && last && now < last + SECOND_NS) {
        silent++;
        return;
    }
    if (silent)
        warn("%u more connections of strangers were closed", silent);
    if (!proven) {
        last = now;
        silent = 0;
    }
    warn("connection %u is closed: it %s", client->number, why);
}

void client_doom(struct client *client, const char *why)
{
    if (client->doomed)
        return;
    if (why)
        log_doom(client, why);
    client->doomed = true;
    leave_hurry(client);
    list_append(&doomed, &client->doomed_link);
}

static void tell_role(struct client *client)
{
    if (client->state == CLIENT_WORKER)
        worker_gone(client->role);
    else if (client->state == CLIENT_RESTART)
        restart_client_gone(client);
    else
        list_remove(&client->role_link); /* whatever it waited for goes on without it */
}

/* A client whose end makes others fail (a barrier breaks) dooms more of them: until none is left. */
void client_reap(void)
{
    while (!list_is_empty(&doomed)) {
        struct client *client = LIST_OF(doomed.next, struct client, doomed_link);

        tell_role(client);
        list_remove(&client->doomed_link);
        loop_remove(&client->source);
        close(client->source.fd);
        per_state[client->state]--;
        free(client->in.bytes);
        free(client->out.bytes);
        free(client);
        listen_resume(); /* a descriptor is free again */
    }
}

void client_finish(struct client *client)
{
    if (client->doomed)
        return;
    client_set_state(client, CLIENT_CLOSING);
    client->role = NULL;
    enter_hurry(client);
    if (client->out.used == client->out.taken)
        shutdown(client->source.fd, SHUT_WR);
}

void client_refuse(struct client *client, const char *format, ...)
{
    char reason[1024];
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    if (n < 0)
        n = 0;
    client_send(client, PROTO_REFUSE, NULL, 0, reason, (size_t)n < sizeof reason ? (size_t)n : sizeof reason - 1);
    client_finish(client);
}

/* --- output --- */

static void want_write(struct client *client, bool want)
{
    if (client->writing == want)
        return;
    client->writing = want;
    loop_change(&client->source, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void release(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

/* False: the client is doomed for it. */
static bool queue(struct client *client, const void *bytes, size_t size)
{
    struct buffer *out = &client->out;

    if (!size)
        return true;
    if (out->used - out->taken + size > limits[client->state].output) {
        client_doom(client, "does not read what is sent to it");
        return false;
    }
    if (out->taken && out->used + size > out->size) {
        memmove(out->bytes, out->bytes + out->taken, out->used - out->taken);
        out->used -= out->taken;
        out->taken = 0;
    }
    if (out->used + size > out->size) {
        uint32_t room = out->size ? out->size : 256;
        uint8_t *grown;

        while (room < out->used + size)
            room *= 2;
        grown = realloc(out->bytes, room);
        if (!grown) {
            client_doom(client, "can't be sent anything: no memory");
            return false;
        }
        out->bytes = grown;
        out->size = room;
    }
    memcpy(out->bytes + out->used, bytes, size);
    out->used += (uint32_t)size;
    return true;
}

static void flush(struct client *client)
{
    struct buffer *out = &client->out;

    while (out->taken < out->used) {
        ssize_t n = send(client->source.fd, out->bytes + out->taken, out->used - out->taken, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            want_write(client, true);
            return;
        }
        if (n < 0) {
            client_doom(client, NULL);
            return;
        }
        out->taken += (uint32_t)n;
    }
    release(out);
    want_write(client, false);
    if (client->state == CLIENT_CLOSING)
        shutdown(client->source.fd, SHUT_WR);
}

void client_send(struct client *client, unsigned type, const void *body, size_t body_size, const void *tail, size_t tail_size)
{
    struct proto_header header = {
        .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = (uint16_t)type, .length = (uint32_t)(body_size + tail_size)};
    const struct iovec part[3] = {{&header, sizeof header}, {(void *)(uintptr_t)body, body_size}, {(void *)(uintptr_t)tail, tail_size}};
    size_t sent = 0;

    if (client->doomed)
        return;
    if (client->out.used == client->out.taken) {
        const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)part, .msg_iovlen = 3};
        ssize_t n = sendmsg(client->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            client_doom(client, NULL);
            return;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    for (int i = 0; i < 3; i++) {
        size_t skipped = sent < part[i].iov_len ? sent : part[i].iov_len;

        sent -= skipped;
        if (!queue(client, (const char *)part[i].iov_base + skipped, part[i].iov_len - skipped))
            return;
    }
    if (client->out.used != client->out.taken)
        want_write(client, true);
}

/* --- input --- */

/* Handles the whole messages at `at`; returns how many bytes they had. */
static size_t take_messages(struct client *client, const uint8_t *at, size_t size)
{
    size_t taken = 0;

    while (!client->doomed && client->state != CLIENT_CLOSING && size - taken >= sizeof(struct proto_header)) {
        const struct message_kind *kind;
        struct proto_header header;

        memcpy(&header, at + taken, sizeof header);
        if (msg_check(&header) || header.length > limits[client->state].payload) {
            client_doom(client, "does not speak our protocol");
            break;
        }
        kind = message_kind(header.type);
        if (!(kind->states & 1u << client->state)) {
            client_doom(client, "sends what it may not send now");
            break;
        }
        if (size - taken - sizeof header < header.length)
            break;
        kind->handle(client, at + taken + sizeof header, header.length);
        taken += sizeof header + header.length;
    }
    return taken;
}

static void receive(struct client *client)
{
    /* One for all: only what is left of an incomplete message is kept per client. */
    static uint8_t input[2 * MSG_MAX];
    struct buffer *in = &client->in;
    size_t size = in->used, taken;
    ssize_t n = recv(client->source.fd, input + size, sizeof input - size, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_doom(client, NULL);
        return;
    }
    if (size)
        memcpy(input, in->bytes, size);
    size += (size_t)n;
    taken = take_messages(client, input, size);
    release(in);
    if (client->doomed || client->state == CLIENT_CLOSING || taken == size)
        return;
    in->bytes = malloc(size - taken);
    if (!in->bytes) {
        client_doom(client, "can't be heard: no memory");
        return;
    }
    in->used = in->size = (uint32_t)(size - taken);
    memcpy(in->bytes, input + taken, in->used);
}

static void ready(struct source *source, uint32_t events)
{
    struct client *client = (struct client *)source;

    if (!client->doomed && events & EPOLLOUT)
        flush(client);
    if (!client->doomed && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(client);
}

/* --- opening --- */

/* A host that vanished says no more; the processes on it would be waited for without an end. */
static void watch_connection(int fd)
{
    const struct {
        int level, option, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1}, /* barriers are many small messages, each of which somebody waits for */
        {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 10}, {IPPROTO_TCP, TCP_KEEPCNT, 6},
    };

    for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
        setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof options[i].value);
}

void client_accept(int fd)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client) {
        close(fd);
        return;
    }
    client->source = (struct source){.fd = fd, .ready = ready};
    client->number = ++last_number;
    list_init(&client->hurry);
    list_init(&client->doomed_link);
    list_init(&client->role_link);
    watch_connection(fd);
    if (loop_add(&client->source, EPOLLIN)) {
        close(fd);
        free(client);
        return;
    }
    per_state[CLIENT_HELLO]++;
    enter_hurry(client);
}

void client_take_hello(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_hello, hello, payload);
    struct proto_challenge challenge;

    if (hello.role < PROTO_ROLE_WORKER || hello.role > PROTO_ROLE_COMMAND) {
        client_doom(client, "has a role that we do not know");
        return;
    }
    if (getrandom(client->server_nonce, sizeof client->server_nonce, 0) != sizeof client->server_nonce) {
        client_doom(client, "can't be let in: no random numbers");
        return;
    }
    memcpy(client->client_nonce, hello.nonce, sizeof hello.nonce);
    memcpy(challenge.nonce, client->server_nonce, sizeof challenge.nonce);
    msg_proof(challenge.proof, secret, 1, client->client_nonce, client->server_nonce);
    client->role = (void *)(uintptr_t)hello.role; /* until PROOF */
    client_set_state(client, CLIENT_PROOF);
    client_send(client, PROTO_CHALLENGE, &challenge, sizeof challenge, NULL, 0);
}

void client_take_proof(struct client *client, const uint8_t *payload, size_t size)
{
    static const uint8_t next[] = {[PROTO_ROLE_WORKER] = CLIENT_NEW_WORKER,
                                   [PROTO_ROLE_RESTART] = CLIENT_NEW_RESTART,
                                   [PROTO_ROLE_COMMAND] = CLIENT_NEW_COMMAND};
    uint8_t expected[PROTO_PROOF_SIZE];
    uintptr_t role = (uintptr_t)client->role;

    client->role = NULL;
    msg_proof(expected, secret, 0, client->client_nonce, client->server_nonce);
    if (!hmac_equal(expected, payload)) {
        log_doom(client, "does not know the secret");
        client_refuse(client, "wrong secret: this coordinator belongs to somebody else, or was started anew");
        return;
    }
    client_set_state(client, (enum client_state)next[role]);
}
