/* Workers without programs: any number of connections that speak the protocol of include/proto.h and do in each phase what the command line
 * says, so that a coordinator can be tried with processes that die, hang, fail or lie at a chosen moment. One process and one thread
 * hold all of them, for trials with thousands. Each event is a line on standard output:
 *
 *     joined N · begin G · go PHASE · abort REASON · commit · kill · refused REASON · value KEY VALUE · restart done · end
 *
 * (N: the number of workers that have joined; events of the others but the first are left out with --count above 1.)
 *
 *   --port P --secret FILE     the coordinator
 *   --count N                  workers (1)
 *   --host NAME --program NAME as in JOIN
 *   --images DIR               where images (empty files) are made
 *   --at PHASE=ACTION          of the first worker, when the phase begins:
 *                                die      close the connection
 *                                hang     say nothing more about this phase
 *                                fail:R   CKPT_FAILED with reason R
 *                                twice    say it twice
 *                                early    (SNAPSHOT) report the image as written before the phase ends
 *                                drop     (WRITE) die with a temporary file half written
 *                                error:N  (COMMIT) say that the rename failed with errno N
 *   --state TEXT               STATE when SUSPEND begins
 *   --deaf                     ignore KILL
 *   --flood                    ask for large values and never read them
 *   --set KEY=VALUE --get KEY  key-value store, after JOIN (get waits)
 *   --request                  CKPT_REQUEST after JOIN
 *   --leave TEXT               LEAVE after JOIN
 *   --restart GENERATION       come as dmtcp_restart with its processes of that generation
 *   --expect N                 processes that the restart announces (as many as --count)
 *   --reconnect GENERATION     JOIN as one that has lost its coordinator
 *   --as PID                   identity of the first worker (its own pid); those of the others follow */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fmt.h"
#include "host.h"
#include "msg.h"
#include "phase.h"
#include "sys.h"

enum { SECONDS = 60 };
enum action { OBEY, DIE, HANG, FAIL, TWICE, EARLY, ERROR, DROP };

struct worker {
    int fd; /* -1: closed */
    struct upid process;
    uint32_t generation; /* of the checkpoint under way */
    bool written;
    bool restarting; /* until RESUME */
    char image[512];
};

static unsigned port, count = 1, expect, identity;
static const char *secret_path, *images, *state, *get_key, *set_pair, *leave, *program = "synthetic";
static char host[256];
static bool deaf, flood, request;
static int restart_generation = -1, reconnect_generation = -1, restart_fd = -1;
static enum action actions[PHASE_COUNT];
static const char *action_text[PHASE_COUNT];
static struct worker *workers;
static unsigned alive;
static struct upid computation;

static _Noreturn void die(const char *what, long error)
{
    char text[256];

    fmt(text, sizeof text, "synthetic_worker: %s: %e\n", what, (int)error);
    fputs(text, stderr);
    exit(3);
}

static uint64_t deadline(void)
{
    return sys_now_ns(CLOCK_MONOTONIC) + SECONDS * UINT64_C(1000000000);
}

static bool is_first(const struct worker *worker)
{
    return worker == workers;
}

static void tell(const struct worker *worker, const char *format, const char *text)
{
    if (!is_first(worker))
        return;
    printf(format, text);
    putchar('\n');
}

static void close_worker(struct worker *worker)
{
    close(worker->fd);
    worker->fd = -1;
    alive--;
}

static void send_message(struct worker *worker, unsigned type, const void *body, size_t size, const char *tail)
{
    long error = msg_send(worker->fd, type, body, size, tail, tail ? strlen(tail) : 0, deadline());

    if (error && error != -ECONNRESET)
        die("send", error);
}

/* --- phases --- */

static void make_temporary(const struct worker *worker)
{
    char temporary[sizeof worker->image + 8];
    int fd;

    snprintf(temporary, sizeof temporary, "%s.temp", worker->image);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        die(temporary, -errno);
    close(fd);
}

static void report_written(struct worker *worker)
{
    struct proto_written written = {.memory_bytes = 4096, .file_bytes = 0, .generation = worker->generation};

    if (worker->written)
        return;
    worker->written = true;
    if (images)
        make_temporary(worker);
    send_message(worker, PROTO_WRITTEN, &written, sizeof written, worker->image);
}

static void commit(struct worker *worker)
{
    struct proto_committed committed = {.generation = worker->generation};
    char temporary[sizeof worker->image + 8];

    if (is_first(worker) && actions[PHASE_COMMIT] == ERROR) {
        committed.error = (uint32_t)atoi(action_text[PHASE_COMMIT]);
    } else if (images) {
        snprintf(temporary, sizeof temporary, "%s.temp", worker->image);
        if (rename(temporary, worker->image))
            committed.error = (uint32_t)errno;
    }
    send_message(worker, PROTO_COMMITTED, &committed, sizeof committed, NULL);
}

static void phase_done(struct worker *worker, enum phase phase)
{
    struct proto_phase_done done = {.generation = worker->generation, .phase = phase};

    if (phase == PHASE_WRITE)
        report_written(worker);
    else if (phase == PHASE_COMMIT)
        commit(worker);
    else
        send_message(worker, PROTO_PHASE_DONE, &done, sizeof done, NULL);
}

static void phase_begins(struct worker *worker, enum phase phase)
{
    struct proto_ckpt_failed failed = {.generation = worker->generation, .phase = phase};

    switch (is_first(worker) ? actions[phase] : OBEY) {
    case DIE:
        close_worker(worker);
        return;
    case DROP:
        make_temporary(worker);
        close_worker(worker);
        return;
    case HANG:
        return;
    case FAIL:
        send_message(worker, PROTO_CKPT_FAILED, &failed, sizeof failed, action_text[phase]);
        return;
    case TWICE:
        phase_done(worker, phase);
        break;
    case EARLY:
        report_written(worker);
        break;
    default:
        break;
    }
    phase_done(worker, phase);
    if (phase == PHASE_RESUME && !worker->restarting)
        phase_begins(worker, PHASE_WRITE);
}

/* --- messages --- */

static void begin(struct worker *worker, const char *payload)
{
    struct proto_ckpt_begin message;

    memcpy(&message, payload, sizeof message);
    worker->generation = message.generation;
    worker->written = false;
    if (is_first(worker))
        printf("begin %u\n", message.generation);
    if (state && is_first(worker))
        send_message(worker, PROTO_STATE, NULL, 0, state);
    send_message(worker, PROTO_IMAGE, NULL, 0, worker->image);
    phase_begins(worker, PHASE_SUSPEND);
}

static void go(struct worker *worker, const char *payload)
{
    struct proto_phase_go message;

    memcpy(&message, payload, sizeof message);
    tell(worker, "go %s", phase_name(message.phase));
    if (message.phase >= PHASE_COUNT)
        die("a phase that there is not", -EPROTO);
    worker->generation = message.generation;
    phase_begins(worker, message.phase);
    if (message.phase == PHASE_RESUME)
        worker->restarting = false;
}

static void abort_checkpoint(struct worker *worker, const char *payload)
{
    char temporary[sizeof worker->image + 8];

    tell(worker, "abort %s", payload + sizeof(struct proto_ckpt_abort));
    if (!images || !worker->written)
        return;
    snprintf(temporary, sizeof temporary, "%s.temp", worker->image);
    unlink(temporary);
}

static void value(struct worker *worker, const char *payload)
{
    struct proto_kv message;

    memcpy(&message, payload, sizeof message);
    printf("value %.*s %.*s\n", (int)message.key_length, payload + sizeof message, (int)message.value_length,
           payload + sizeof message + message.key_length);
}

static void take(struct worker *worker)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_header header;
    long error = msg_receive(worker->fd, &header, payload, sizeof payload, deadline());

    if (error) {
        if (error != -ECONNRESET)
            die("receive", error);
        tell(worker, "end", NULL);
        close_worker(worker);
        return;
    }
    switch (header.type) {
    case PROTO_CKPT_BEGIN: begin(worker, payload); break;
    case PROTO_PHASE_GO: go(worker, payload); break;
    case PROTO_CKPT_ABORT: abort_checkpoint(worker, payload); break;
    case PROTO_KV_VALUE: value(worker, payload); break;
    case PROTO_COMMIT:
        tell(worker, "commit", NULL);
        phase_begins(worker, PHASE_COMMIT);
        break;
    case PROTO_KILL:
        tell(worker, "kill", NULL);
        if (!deaf)
            close_worker(worker);
        break;
    default: die("a message that no worker should get", -EPROTO);
    }
}

/* --- start --- */

static int open_connection(unsigned role)
{
    uint8_t secret[PROTO_SECRET_SIZE];
    long fd, error = secret_read(secret_path, secret);

    if (error)
        die(secret_path, error);
    fd = msg_connect("127.0.0.1", port, deadline());
    if (fd < 0)
        die("connect", fd);
    error = msg_open((int)fd, role, secret, deadline());
    if (error)
        die("opening", error);
    return (int)fd;
}

/* The answer to JOIN or RESTART_BEGIN. */
static void welcome(int fd, struct proto_welcome *to)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_header header;
    long error = msg_receive(fd, &header, payload, sizeof payload, deadline());

    if (error)
        die("welcome", error);
    if (header.type == PROTO_REFUSE) {
        printf("refused %s\n", payload);
        exit(2);
    }
    memcpy(to, payload, sizeof *to);
}

static void begin_restart(void)
{
    struct proto_restart_begin message = {
        .computation = computation, .generation = (uint32_t)restart_generation, .processes = expect ? expect : count};
    struct proto_welcome answer;

    restart_fd = open_connection(PROTO_ROLE_RESTART);
    msg_send(restart_fd, PROTO_RESTART_BEGIN, &message, sizeof message, host, strlen(host), deadline());
    welcome(restart_fd, &answer);
    printf("restart begun\n");
}

static void join(struct worker *worker)
{
    struct proto_join message = {.process = worker->process, .real_pid = count == 1 ? (uint32_t)getpid() : worker->process.pid};
    struct proto_welcome answer;
    char tail[600], name[UPID_TEXT_MAX];
    int size = snprintf(tail, sizeof tail, "%s%c%s", host, 0, program) + 1;

    message.virtual_pid = worker->process.pid;
    if (restart_generation >= 0 || reconnect_generation >= 0) {
        message.computation = computation;
        message.flags = restart_generation >= 0 ? PROTO_JOIN_RESTART : PROTO_JOIN_RECONNECT;
        message.generation = (uint32_t)(restart_generation >= 0 ? restart_generation : reconnect_generation);
    }
    worker->fd = open_connection(PROTO_ROLE_WORKER);
    msg_send(worker->fd, PROTO_JOIN, &message, sizeof message, tail, (size_t)size, deadline());
    welcome(worker->fd, &answer);
    upid_text(&worker->process, name);
    snprintf(worker->image, sizeof worker->image, "%s/ckpt_%s_%s.dmtcp", images ? images : "/nowhere", program, name);
    worker->restarting = restart_generation >= 0;
    alive++;
}

static void use_keys(struct worker *worker)
{
    struct proto_kv message = {0};

    if (set_pair) {
        char tail[1024];
        const char *equals = strchr(set_pair, '=');

        message.key_length = (uint32_t)(equals - set_pair);
        message.value_length = (uint32_t)strlen(equals + 1);
        snprintf(tail, sizeof tail, "%.*s%s", (int)message.key_length, set_pair, equals + 1);
        send_message(worker, PROTO_KV_SET, &message, sizeof message, tail);
    }
    if (get_key) {
        message = (struct proto_kv){.key_length = (uint32_t)strlen(get_key), .wait = 1};
        send_message(worker, PROTO_KV_GET, &message, sizeof message, get_key);
    }
}

/* Until the coordinator loses patience with us. */
static void flood_with_requests(struct worker *worker)
{
    struct proto_kv set = {.key_length = 1, .value_length = 60000}, get = {.key_length = 1};
    char *tail = calloc(1, 60002);

    memset(tail, 'k', 60001);
    send_message(worker, PROTO_KV_SET, &set, sizeof set, tail);
    free(tail);
    while (!msg_send(worker->fd, PROTO_KV_GET, &get, sizeof get, "k", 1, deadline()))
        ;
    tell(worker, "end", NULL);
    close_worker(worker);
}

static void start(struct worker *worker)
{
    use_keys(worker);
    if (request)
        send_message(worker, PROTO_CKPT_REQUEST, NULL, 0, NULL);
    if (leave)
        send_message(worker, PROTO_LEAVE, NULL, 0, leave);
    if (flood)
        flood_with_requests(worker);
}

static void set_action(const char *text)
{
    static const char names[][8] = {[OBEY] = "obey", [DIE] = "die", [HANG] = "hang", [FAIL] = "fail", [TWICE] = "twice", [EARLY] = "early", [ERROR] = "error", [DROP] = "drop"};
    const char *equals = strchr(text, '=');
    size_t length = equals ? strcspn(equals + 1, ":") : 0;

    for (unsigned phase = 0; equals && phase < PHASE_COUNT; phase++)
        if (strlen(phase_name(phase)) == (size_t)(equals - text) && !strncmp(phase_name(phase), text, (size_t)(equals - text)))
            for (unsigned a = 0; a < sizeof names / sizeof *names; a++)
                if (strlen(names[a]) == length && !strncmp(names[a], equals + 1, length)) {
                    actions[phase] = a;
                    action_text[phase] = equals[1 + length] ? equals + 2 + length : "";
                    return;
                }
    fprintf(stderr, "synthetic_worker: --at %s: no such phase or action\n", text);
    exit(1);
}

static void parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},    {"secret", 1, NULL, 's'},    {"count", 1, NULL, 'c'},   {"host", 1, NULL, 'h'},
        {"program", 1, NULL, 'n'}, {"images", 1, NULL, 'i'},    {"at", 1, NULL, 'a'},      {"state", 1, NULL, 't'},
        {"deaf", 0, NULL, 'd'},    {"flood", 0, NULL, 'f'},     {"set", 1, NULL, 'S'},     {"get", 1, NULL, 'G'},
        {"request", 0, NULL, 'r'}, {"leave", 1, NULL, 'l'},     {"restart", 1, NULL, 'R'}, {"expect", 1, NULL, 'e'},
        {"as", 1, NULL, 'A'},      {"reconnect", 1, NULL, 'C'}, {NULL, 0, NULL, 0}};
    int letter;

    host_name(host, sizeof host);
    identity = (unsigned)getpid();
    while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (letter) {
        case 'p': port = (unsigned)atoi(optarg); break;
        case 's': secret_path = optarg; break;
        case 'c': count = (unsigned)atoi(optarg); break;
        case 'h': snprintf(host, sizeof host, "%s", optarg); break;
        case 'n': program = optarg; break;
        case 'i': images = optarg; break;
        case 'a': set_action(optarg); break;
        case 't': state = optarg; break;
        case 'd': deaf = true; break;
        case 'f': flood = true; break;
        case 'S': set_pair = optarg; break;
        case 'G': get_key = optarg; break;
        case 'r': request = true; break;
        case 'l': leave = optarg; break;
        case 'R': restart_generation = atoi(optarg); break;
        case 'C': reconnect_generation = atoi(optarg); break;
        case 'e': expect = (unsigned)atoi(optarg); break;
        case 'A': identity = (unsigned)atoi(optarg); break;
        default: exit(1);
        }
    }
    if (!port || !secret_path || optind != argc) {
        fprintf(stderr, "synthetic_worker: --port and --secret are needed, and nothing else but options\n");
        exit(1);
    }
}

/* Returns false when the coordinator closes it. */
static bool take_restart(void)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_header header;

    if (msg_receive(restart_fd, &header, payload, sizeof payload, deadline())) {
        close(restart_fd);
        return false;
    }
    if (header.type == PROTO_RESTART_DONE)
        printf("restart done\n");
    else
        printf("refused %s\n", payload);
    return true;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct pollfd *polled;

    setvbuf(stdout, NULL, _IOLBF, 0);
    parse(argc, argv);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    workers = calloc(count + 1, sizeof *workers);
    polled = calloc(count + 1, sizeof *polled);
    if (!workers || !polled)
        die("memory", -ENOMEM);
    computation = (struct upid){.host = host_id(host), .time = 1, .pid = identity};
    if (restart_generation >= 0)
        begin_restart();
    for (unsigned i = 0; i < count; i++) {
        workers[i].process = (struct upid){.host = host_id(host), .time = 1, .pid = identity + i};
        join(&workers[i]);
    }
    printf("joined %u\n", count);
    if (count)
        start(&workers[0]);
    while (alive || restart_fd >= 0) {
        for (unsigned i = 0; i < count; i++)
            polled[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
        polled[count] = (struct pollfd){.fd = restart_fd, .events = POLLIN};
        if (poll(polled, count + 1, -1) < 0)
            die("poll", -errno);
        for (unsigned i = 0; i < count; i++)
            if (polled[i].revents && workers[i].fd >= 0)
                take(&workers[i]);
        if (polled[count].revents && restart_fd >= 0 && !take_restart())
            restart_fd = -1;
    }
    return 0;
}
