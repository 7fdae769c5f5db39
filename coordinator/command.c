#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "ckpt.h"
#include "end.h"
#include "set.h"
#include "worker.h"

enum { TEXT_PIECE = 32768 }; /* of a long list, a message */

/* NULL: done, or the reply comes later (then *later is set). */
typedef const char *operation(struct client *client, const struct proto_command *command, bool *later);

bool command_running(void)
{
    return worker_count() && !set_current();
}

static void send_reply(struct client *client, enum proto_result result, const char *tail, size_t size)
{
    const struct proto_reply reply = {.result = result,
                                      .peers = worker_count(),
                                      .running = command_running(),
                                      .interval = ckpt_interval(),
                                      .generation = computation.generation};

    client_send(client, PROTO_REPLY, &reply, sizeof reply, tail, size);
    client_finish(client);
}

void command_reply(struct client *client, enum proto_result result, const char *reason)
{
    send_reply(client, result, reason, strlen(reason));
}

static const char *status(struct client *client, const struct proto_command *command, bool *later)
{
    return NULL;
}

/* Ten thousand lines do not fit into one message. */
static const char *list(struct client *client, const struct proto_command *command, bool *later)
{
    size_t size, sent = 0;
    char *text = worker_list_text(&size);

    if (!text)
        return "the coordinator has no memory left";
    for (; size - sent > TEXT_PIECE; sent += TEXT_PIECE)
        client_send(client, PROTO_TEXT, NULL, 0, text + sent, TEXT_PIECE);
    send_reply(client, PROTO_DONE, text + sent, size - sent);
    free(text);
    *later = true;
    return NULL;
}

static const char *checkpoint(struct client *client, const struct proto_command *command, bool *later)
{
    return ckpt_request(NULL, false);
}

static const char *blocking_checkpoint(struct client *client, const struct proto_command *command, bool *later)
{
    *later = true;
    return ckpt_request(client, false);
}

static const char *kill_after_checkpoint(struct client *client, const struct proto_command *command, bool *later)
{
    *later = true;
    return ckpt_request(client, true);
}

static const char *set_interval(struct client *client, const struct proto_command *command, bool *later)
{
    ckpt_set_interval(command->argument);
    return NULL;
}

static const char *kill_programs(struct client *client, const struct proto_command *command, bool *later)
{
    *later = true;
    end_kill(client);
    return NULL;
}

static const char *quit(struct client *client, const struct proto_command *command, bool *later)
{
    *later = true;
    end_quit(true, client);
    return NULL;
}

static const struct {
    operation *run;
    bool needs_programs;
} operations[] = {
    [PROTO_OP_STATUS] = {status, false},
    [PROTO_OP_LIST] = {list, false},
    [PROTO_OP_CHECKPOINT] = {checkpoint, true},
    [PROTO_OP_BLOCKING_CHECKPOINT] = {blocking_checkpoint, true},
    [PROTO_OP_KILL_AFTER_CHECKPOINT] = {kill_after_checkpoint, true},
    [PROTO_OP_INTERVAL] = {set_interval, false},
    [PROTO_OP_KILL] = {kill_programs, false},
    [PROTO_OP_QUIT] = {quit, false},
};

void command_take(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_command, command, payload);
    const char *problem;
    bool later = false;

    client_set_state(client, CLIENT_COMMAND);
    client->wants_progress = command.flags & PROTO_COMMAND_PROGRESS;
    if (command.op >= sizeof operations / sizeof *operations || !operations[command.op].run) {
        command_reply(client, PROTO_INVALID, "this coordinator does not know the command");
        return;
    }
    if (operations[command.op].needs_programs && !worker_count()) {
        command_reply(client, PROTO_NOT_RUNNING, "no program is running under this coordinator");
        return;
    }
    problem = operations[command.op].run(client, &command, &later);
    if (problem)
        command_reply(client, PROTO_FAILED, problem);
    else if (!later)
        command_reply(client, PROTO_DONE, "");
}
