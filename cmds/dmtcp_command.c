/* dmtcp_command: tells a coordinator what to do (dmtcp_command(1)). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command_connect.h"
#include "command_progress.h"
#include "fmt.h"
#include "msg.h"
#include "str.h"
#include "sys.h"

enum { EXIT_USAGE = 1, EXIT_FAILED = 2 };
enum { ANSWER_SECONDS = 30, MAX_COMMANDS = 64 };
#define MAX_INTERVAL 1000000000u

/* What is added to the JSON object when the command was done, and printed. */
enum { SHOWS_STATUS = 1u << 0, SHOWS_LIST = 1u << 1, SHOWS_PEERS = 1u << 2, SHOWS_INTERVAL = 1u << 3, WAITS = 1u << 4 };

struct command {
    const char *names; /* without dashes, separated by blanks */
    uint32_t op; /* enum proto_op; 0: answered here */
    unsigned flags;
    const char *json;
};

static const struct command table[] = {
    {"s status", PROTO_OP_STATUS, SHOWS_STATUS, "DMT_STATUS"},
    {"l list t", PROTO_OP_LIST, SHOWS_LIST, "DMT_LIST"},
    {"c checkpoint", PROTO_OP_CHECKPOINT, SHOWS_PEERS, "DMT_CHECKPOINT"},
    {"bc bcheckpoint", PROTO_OP_BLOCKING_CHECKPOINT, SHOWS_PEERS | WAITS, "DMT_BLOCKING_CKPT"},
    {"kc ck kcheckpoint", PROTO_OP_KILL_AFTER_CHECKPOINT, SHOWS_PEERS | WAITS, "DMT_KILL_AFTER_CKPT"},
    {"i interval", PROTO_OP_INTERVAL, SHOWS_INTERVAL, "DMT_UPDATE_CKPT_INTERVAL"},
    {"k kill", PROTO_OP_KILL, 0, "DMT_KILL"},
    {"q quit", PROTO_OP_QUIT, 0, "DMT_QUIT"},
    {"help ?", 0, 0, "DMT_HELP"},
    {"version", 0, 0, "DMT_VERSION"},
};
static const struct command invalid = {"", 0, 0, "DMT_INVALID_COORDINATOR_COMMAND"};

struct request {
    const struct command *command;
    unsigned argument;
};

/* What came back. */
struct answer {
    struct proto_reply reply;
    char *text; /* reason, or the list */
    size_t size;
    bool found; /* a coordinator is there */
    bool failed; /* no reply: text says why */
};

static struct command_address address = {.host = "localhost", .port = 7779};
static bool json, quiet;

static const char usage[] =
    "Usage: dmtcp_command [options] command...\n"
    "Tells the coordinator of a computation what to do. Dashes before a command may be left out.\n"
    "\n"
    "  -s, --status         how many programs there are, and whether they run\n"
    "  -l, --list, -t       the programs\n"
    "  -c, --checkpoint     begin a checkpoint\n"
    "  -bc, --bcheckpoint   checkpoint, and wait until it is complete\n"
    "  -kc, --kcheckpoint   checkpoint, then kill the programs\n"
    "  -i, --interval N     checkpoint every N seconds, 0: never\n"
    "  -k, --kill           kill the programs\n"
    "  -q, --quit           kill the programs, and end the coordinator\n"
    "\n"
    "  -h, --coord-host H   the coordinator's host (DMTCP_COORD_HOST, localhost)\n"
    "  -p, --coord-port P   its port (DMTCP_COORD_PORT, 7779)\n"
    "  --tmpdir D           its directory for scratch (DMTCP_TMPDIR, $TMPDIR, /tmp)\n"
    "  --json               answer with one JSON object on one line\n"
    "  --quiet              show no progress\n"
    "  --help, --version\n"
    "\n"
    "Exit code: 0 done, 2 the coordinator refused or failed or is not there, 1 usage.\n";

/* --- JSON --- */

static void put_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", stdout);
        else if ((unsigned char)*text < ' ' || *text == 127)
            printf("\\u%04x", (unsigned char)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

/* problem: NULL or one line. */
static void put_object(const struct command *command, const char *status, const struct answer *answer, const char *problem)
{
    printf("{\"schema_version\":1,\"command\":\"%s\",\"command_status\":\"%s\",\"coordinator_host\":", command->json, status);
    put_string(address.host);
    printf(",\"coordinator_port\":%u", address.port);
    if (answer && command->flags & (SHOWS_STATUS | SHOWS_PEERS))
        printf(",\"num_peers\":%u", answer->reply.peers);
    if (answer && command->flags & SHOWS_STATUS)
        printf(",\"running\":%s", answer->reply.running ? "true" : "false");
    if (answer && command->flags & (SHOWS_STATUS | SHOWS_INTERVAL))
        printf(",\"checkpoint_interval\":%u", answer->reply.interval);
    if (answer && command->flags & SHOWS_LIST && !problem) {
        fputs(",\"workers\":", stdout);
        put_string(answer->text);
    }
    if (problem) {
        fputs(",\"error\":", stdout);
        put_string(problem);
    }
    puts("}");
}

/* --- usage --- */

static _Noreturn void misuse(const char *format, const char *argument)
{
    char line[1024];

    fmt(line, sizeof line, format, argument);
    if (json)
        put_object(&invalid, "DMT_COORD_INVALID_COMMAND", NULL, line);
    else
        fprintf(stderr, "dmtcp_command: %s\n", line);
    exit(EXIT_USAGE);
}

static bool is_one_of(const char *word, size_t size, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");

        if (length == size && !strncmp(names, word, size))
            return true;
        names += length + strspn(names + length, " ");
    }
    return false;
}

static const struct command *find_command(const char *word, size_t size)
{
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (is_one_of(word, size, table[i].names))
            return &table[i];
    return NULL;
}

static unsigned number(const char *name, const char *text, unsigned high)
{
    uint64_t value;
    char format[128];

    if (str_to_number(text, 0, high, &value))
        return (unsigned)value;
    snprintf(format, sizeof format, "%s: '%%s' is no number from 0 to %u", name, high);
    misuse(format, text);
}

struct option {
    const char *names; /* of which single letters take one dash, the others two */
    const char *variables[2];
    const char **text;
};

static const char *port_text;
static const struct option options[] = {
    {"h coord-host host", {"DMTCP_COORD_HOST", "DMTCP_HOST"}, &address.host},
    {"p coord-port port", {"DMTCP_COORD_PORT", "DMTCP_PORT"}, &port_text},
    {"tmpdir", {NULL, NULL}, &address.tmpdir},
};
enum { OPTIONS = sizeof options / sizeof *options };

static void read_environment(void)
{
    const char *quietness = getenv("DMTCP_QUIET");

    quiet = quietness && *quietness && strcmp(quietness, "0");
    for (unsigned i = 0; i < OPTIONS; i++)
        for (unsigned v = 0; v < 2; v++) {
            const char *value = options[i].variables[v] ? getenv(options[i].variables[v]) : NULL;

            if (value && *value) {
                *options[i].text = value;
                break;
            }
        }
}

/* An option with its value at *at? Moves *at to the last word taken. */
static bool take_option(char ***at)
{
    const char *word = **at, *name = word + (word[0] == '-') + (word[0] == '-' && word[1] == '-');
    size_t dashes = (size_t)(name - word), size = strcspn(name, "=");

    if (!dashes)
        return false;
    if (dashes == 1)
        size = 1;
    for (unsigned i = 0; i < OPTIONS; i++) {
        if (!is_one_of(name, size, options[i].names) || (size == 1) != (dashes == 1))
            continue;
        if (name[size]) {
            *options[i].text = name + size + (dashes == 2);
        } else {
            if (!(*at)[1])
                misuse("option %s needs a value", word);
            *options[i].text = *++*at;
        }
        return true;
    }
    return false;
}

/* A command at *at, with its argument. */
static struct request take_command(char ***at)
{
    const char *word = **at, *name = word;
    struct request request = {0};
    size_t size;

    for (int dashes = 0; *name == '-' && dashes < 2; dashes++)
        name++;
    size = strcspn(name, "=0123456789");
    request.command = find_command(name, size);
    if (!request.command)
        misuse(*word == '-' ? "unknown option %s (--help lists them)" : "unknown command '%s' (--help lists them)", word);
    if (request.command->op == PROTO_OP_INTERVAL) {
        name += size;
        if (!*name) {
            if (!(*at)[1])
                misuse("%s needs a number of seconds", word);
            name = *++*at;
        } else if (*name == '=') {
            name++;
        }
        request.argument = number(word, name, MAX_INTERVAL);
    } else if (name[size]) {
        misuse(*word == '-' ? "unknown option %s (--help lists them)" : "unknown command '%s' (--help lists them)", word);
    }
    return request;
}

static unsigned parse(char **arguments, struct request requests[MAX_COMMANDS])
{
    unsigned count = 0;

    for (char **at = arguments; *at; at++)
        json |= !strcmp(*at, "--json");
    read_environment();
    for (char **at = arguments; *at; at++) {
        if (!strcmp(*at, "--json") || !strcmp(*at, "--"))
            continue;
        if (!strcmp(*at, "--quiet")) {
            quiet = true;
            continue;
        }
        if (take_option(&at))
            continue;
        if (count == MAX_COMMANDS)
            misuse("too many commands, from %s on", *at);
        requests[count++] = take_command(&at);
    }
    if (port_text)
        address.port = number("port", port_text, 65535);
    if (!count)
        misuse("no command given (--help lists them)%s", "");
    return count;
}

/* --- talk --- */

static void append(struct answer *answer, const char *text, size_t size)
{
    char *grown = realloc(answer->text, answer->size + size + 1);

    if (!grown) {
        fputs("dmtcp_command: no memory\n", stderr);
        exit(EXIT_FAILED);
    }
    memcpy(grown + answer->size, text, size);
    answer->size += size;
    grown[answer->size] = 0;
    answer->text = grown;
}

static void fail(struct answer *answer, const char *reason)
{
    free(answer->text);
    answer->text = NULL;
    answer->size = 0;
    answer->failed = true;
    append(answer, reason, strlen(reason));
}

/* Until the reply. */
static void listen_to(int fd, const struct request *request, struct answer *answer)
{
    static char payload[PROTO_MAX_PAYLOAD + 1];
    bool waits = request->command->flags & WAITS;
    struct proto_progress progress;
    struct proto_header header;
    char problem[256];

    for (;;) {
        long error = msg_receive(fd, &header, payload, sizeof payload,
                                 waits ? 0 : sys_now_ns(CLOCK_MONOTONIC) + ANSWER_SECONDS * UINT64_C(1000000000));

        if (error) {
            fmt(problem, sizeof problem, "the coordinator at %s port %u %s: %e", address.host, address.port,
                error == -ETIMEDOUT ? "does not answer" : "went away", (int)error);
            fail(answer, problem);
            return;
        }
        switch (header.type) {
        case PROTO_PROGRESS:
            memcpy(&progress, payload, sizeof progress);
            command_progress_show(&progress);
            break;
        case PROTO_TEXT:
            append(answer, payload, header.length);
            break;
        case PROTO_REFUSE:
            fail(answer, payload);
            return;
        case PROTO_REPLY:
            memcpy(&answer->reply, payload, sizeof answer->reply);
            append(answer, payload + sizeof answer->reply, header.length - sizeof answer->reply);
            return;
        }
    }
}

static void ask(const struct request *request, struct answer *answer)
{
    const struct proto_command command = {.op = request->command->op,
                                          .flags = isatty(2) && !quiet && !json ? PROTO_COMMAND_PROGRESS : 0,
                                          .argument = request->argument};
    char problem[COMMAND_PROBLEM_MAX];
    int fd = command_connect(&address, problem, &answer->found);

    if (fd < 0) {
        fail(answer, problem);
        return;
    }
    /* A coordinator that is gone shows when the reply is read. */
    msg_send(fd, PROTO_COMMAND, &command, sizeof command, NULL, 0, sys_now_ns(CLOCK_MONOTONIC) + ANSWER_SECONDS * UINT64_C(1000000000));
    listen_to(fd, request, answer);
    command_progress_end();
    close(fd);
}

/* --- show --- */

static const char *json_status(const struct answer *answer)
{
    static const char *const names[] = {[PROTO_DONE] = "DMT_COORD_SUCCESS",
                                        [PROTO_NOT_RUNNING] = "DMT_COORD_NOT_RUNNING",
                                        [PROTO_FAILED] = "DMT_COORD_FAILED",
                                        [PROTO_INVALID] = "DMT_COORD_INVALID_COMMAND"};

    if (answer->failed)
        return answer->found ? "DMT_COORD_FAILED" : "DMT_COORD_NOT_FOUND";
    return answer->reply.result < sizeof names / sizeof *names ? names[answer->reply.result] : "DMT_COORD_FAILED";
}

static void print_status(const struct proto_reply *reply)
{
    printf("Coordinator:\n  Host: %s\n  Port: %u\nStatus...\n  NUM_PEERS=%u\n  RUNNING=%s\n", address.host, address.port, reply->peers,
           reply->running ? "yes" : "no");
    if (reply->interval)
        printf("  CKPT_INTERVAL=%u\n", reply->interval);
    else
        printf("  CKPT_INTERVAL=0 (checkpoint manually)\n");
}

static int show(const struct request *request, const struct answer *answer)
{
    bool done = !answer->failed && answer->reply.result == PROTO_DONE;
    const char *problem = done ? NULL : *answer->text ? answer->text : "the coordinator failed";

    if (json)
        put_object(request->command, json_status(answer), answer->failed ? NULL : answer, problem);
    else if (problem)
        fprintf(stderr, "dmtcp_command: %s\n", problem);
    else if (request->command->flags & SHOWS_STATUS)
        print_status(&answer->reply);
    else if (request->command->flags & SHOWS_LIST)
        fputs(answer->text, stdout);
    else if (request->command->flags & SHOWS_INTERVAL)
        printf("Interval changed to %u\n", answer->reply.interval);
    return done ? 0 : EXIT_FAILED;
}

/* --help and --version. */
static void answer_here(const struct command *command)
{
    if (json)
        put_object(command, "DMT_COORD_SUCCESS", NULL, NULL);
    else if (!strcmp(command->json, "DMT_HELP"))
        fputs(usage, stdout);
    else
        puts("dmtcp_command (DMTCP) " DMTCP_VERSION);
}

int main(int count, char **arguments)
{
    struct request requests[MAX_COMMANDS];
    unsigned commands = parse(arguments + (count > 0), requests);
    int code = 0;

    for (unsigned i = 0; i < commands && !code; i++) {
        struct answer answer = {0};

        if (!requests[i].command->op) {
            answer_here(requests[i].command);
            return 0;
        }
        ask(&requests[i], &answer);
        code = show(&requests[i], &answer);
        free(answer.text);
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "dmtcp_command: standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return code;
}
