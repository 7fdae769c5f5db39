#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces.h"
#include "ckpt.h"
#include "end.h"
#include "host.h"
#include "kv.h"
#include "msg.h"
#include "process.h"
#include "report.h"
#include "restart.h"
#include "set.h"

struct computation computation;

static struct list workers = LIST_EMPTY(workers);
static unsigned count;
static struct table by_process, hosts;

unsigned worker_count(void)
{
    return count;
}

struct list *worker_list(void)
{
    return &workers;
}

const char *worker_text(const struct worker *worker, char text[WORKER_TEXT_MAX])
{
    if (worker->real_pid == worker->virtual_pid)
        snprintf(text, WORKER_TEXT_MAX, "pid %u (%s) on host %s", worker->virtual_pid, worker->program, worker->host->name);
    else
        snprintf(text, WORKER_TEXT_MAX, "pid %u (%s, now %u) on host %s", worker->virtual_pid, worker->program, worker->real_pid,
                 worker->host->name);
    return text;
}

/* --- hosts --- */

static struct host *host_take(const char *name)
{
    struct table_node *node = table_find(&hosts, name, strlen(name));
    struct host *host = (struct host *)node;
    char own[256];

    if (!host) {
        host = calloc(1, sizeof *host + strlen(name) + 1);
        if (!host)
            return NULL;
        memcpy(host->name, name, strlen(name));
        host_name(own, sizeof own);
        host->own = !strcmp(own, name);
        host->node.key = host->name;
        host->node.key_size = strlen(name);
        table_add(&hosts, &host->node);
    }
    host->workers++;
    return host;
}

static void host_give(struct host *host)
{
    if (--host->workers)
        return;
    table_remove(&hosts, &host->node);
    free(host);
}

/* --- the computation's identity --- */

static bool is_none(const struct upid *name)
{
    static const struct upid none;

    return !memcmp(name, &none, sizeof none);
}

static bool is_same(const struct upid *a, const struct upid *b)
{
    return !memcmp(a, b, sizeof *a);
}

/* The last one: a process that becomes another program by exec, or finds us again, goes on with its numbers. */
static struct computation ended;

/* Sets of the same computation that were made later keep their numbers: the next one gets another. */
void computation_adopt(const struct upid *name, uint32_t generation)
{
    computation.name = *name;
    computation.generation = computation.attempt = generation;
    if (is_same(&ended.name, name) && ended.attempt > generation)
        computation.attempt = ended.attempt;
    ended = (struct computation){0};
}

static void computation_end(void)
{
    ended = computation;
    kv_clear();
    traces_of_ended(&computation.name);
    computation = (struct computation){0};
}

void computation_check(void)
{
    if (!count && !is_none(&computation.name))
        computation_end();
}

/* --- join --- */

struct joining {
    struct proto_join join;
    char host[256], program[256];
};

static bool parse_join(struct joining *joining, const uint8_t *payload, size_t size)
{
    const uint8_t *host = payload + sizeof joining->join, *program, *end = payload + size;

    memcpy(&joining->join, payload, sizeof joining->join);
    program = memchr(host, 0, (size_t)(end - host));
    if (!program++ || !memchr(program, 0, (size_t)(end - program)))
        return false;
    text_from(joining->host, sizeof joining->host, host, (size_t)(end - host));
    text_from(joining->program, sizeof joining->program, program, (size_t)(end - program));
    return *joining->host && *joining->program && !is_none(&joining->join.process) && joining->join.real_pid;
}

/* A process that is known already: the same one, which lost its connection or has become another program by exec, takes its own place;
 * any other must not (an original that still runs beside its restarted copy). True: refused. */
static bool refuse_double(struct client *client, const struct joining *joining)
{
    struct table_node *node = table_find(&by_process, &joining->join.process, sizeof joining->join.process);
    char text[WORKER_TEXT_MAX];
    struct worker *known;

    if (!node)
        return false;
    known = LIST_OF(node, struct worker, by_process);
    if (known->real_pid != joining->join.real_pid || strcmp(known->host->name, joining->host) || joining->join.flags & PROTO_JOIN_RESTART) {
        client_refuse(client, "%s is this process already", worker_text(known, text));
        return true;
    }
    client_doom(known->client, NULL);
    table_remove(&by_process, &known->by_process);
    memset(&known->process, 0, sizeof known->process); /* marks that it is in the table no more */
    return false;
}

/* True: refused. */
static bool refuse_join(struct client *client, const struct joining *joining)
{
    const struct proto_join *join = &joining->join;
    char name[UPID_TEXT_MAX];

    if (join->flags & PROTO_JOIN_RESTART)
        return restart_refuse_join(client, join) || refuse_double(client, joining);
    if (restart_current()) {
        upid_text(&computation.name, name);
        client_refuse(client, "computation %s is being restarted here: try again when that is done, or use another coordinator (--port)",
                      name);
        return true;
    }
    if (!is_none(&join->computation) && !is_none(&computation.name) && !is_same(&join->computation, &computation.name)) {
        upid_text(&computation.name, name);
        client_refuse(client, "this coordinator serves another computation, %s: use another one (--port)", name);
        return true;
    }
    return refuse_double(client, joining);
}

static struct worker *worker_new(struct client *client, const struct joining *joining)
{
    struct worker *worker = calloc(1, sizeof *worker + strlen(joining->program) + 1);

    if (!worker)
        return NULL;
    worker->host = host_take(joining->host);
    if (!worker->host) {
        free(worker);
        return NULL;
    }
    worker->client = client;
    worker->process = joining->join.process;
    worker->real_pid = joining->join.real_pid;
    worker->virtual_pid = joining->join.virtual_pid ? joining->join.virtual_pid : joining->join.real_pid;
    worker->start_time = worker->host->own ? process_start_time(worker->real_pid) : 0;
    memcpy(worker->program, joining->program, strlen(joining->program));
    worker->by_process.key = &worker->process;
    worker->by_process.key_size = sizeof worker->process;
    list_init(&worker->member_link);
    list_init(&worker->waits);
    return worker;
}

static void adopt_identity(const struct proto_join *join)
{
    if (is_none(&computation.name))
        computation.name = is_none(&join->computation) ? join->process : join->computation;
    if (is_same(&ended.name, &computation.name) && ended.attempt > computation.attempt)
        computation = ended;
    if (join->generation > computation.generation)
        computation.generation = join->generation;
    if (computation.generation > computation.attempt)
        computation.attempt = computation.generation;
}

void worker_take_join(struct client *client, const uint8_t *payload, size_t size)
{
    struct joining joining;
    struct worker *worker;
    struct proto_welcome welcome;

    if (!parse_join(&joining, payload, size)) {
        client_doom(client, "sent a JOIN that makes no sense");
        return;
    }
    if (refuse_join(client, &joining))
        return;
    worker = worker_new(client, &joining);
    if (!worker) {
        client_refuse(client, "the coordinator has no memory left");
        return;
    }
    adopt_identity(&joining.join);
    client->role = worker;
    client_set_state(client, CLIENT_WORKER);
    list_append(&workers, &worker->link);
    table_add(&by_process, &worker->by_process);
    count++;

    welcome = (struct proto_welcome){.computation = computation.name,
                                     .generation = computation.generation,
                                     .client = client->number,
                                     .interval = ckpt_interval()};
    client_send(client, PROTO_WELCOME, &welcome, sizeof welcome, NULL, 0);
    if (end_worker_joined(worker))
        return;
    if (joining.join.flags & PROTO_JOIN_RESTART)
        restart_joined(worker);
    else
        ckpt_worker_joined(worker);
}

/* --- leave --- */

void worker_gone(struct worker *worker)
{
    list_remove(&worker->link);
    count--;
    if (!is_none(&worker->process))
        table_remove(&by_process, &worker->by_process);
    if (set_has(worker))
        set_current()->lost(worker);
    kv_worker_gone(worker);
    host_give(worker->host);
    free(worker->state);
    free(worker->image);
    free(worker->image_to_be);
    free(worker);
    if (!restart_current() && !set_held())
        computation_check();
    end_worker_gone();
}

struct worker *worker_depart(struct worker *worker)
{
    struct worker *departed = calloc(1, sizeof *departed + strlen(worker->program) + 1);

    if (!departed)
        return NULL;
    departed->process = worker->process;
    departed->host = worker->host;
    departed->host->workers++;
    departed->real_pid = worker->real_pid;
    departed->virtual_pid = worker->virtual_pid;
    departed->image = worker->image;
    worker->image = NULL;
    strcpy(departed->program, worker->program);
    return departed;
}

void worker_departed_free(struct worker *departed)
{
    host_give(departed->host);
    free(departed->image);
    free(departed);
}

void worker_take_leave(struct client *client, const uint8_t *payload, size_t size)
{
    struct worker *worker = client->role;
    char reason[1024], text[WORKER_TEXT_MAX];

    text_from(reason, sizeof reason, payload, size);
    note("%s leaves: %s", worker_text(worker, text), reason);
    client_doom(client, NULL);
}

void worker_take_state(struct client *client, const uint8_t *payload, size_t size)
{
    struct worker *worker = client->role;
    char text[512];

    text_from(text, sizeof text, payload, size);
    free(worker->state);
    worker->state = *text ? strdup(text) : NULL;
}

/* --- list --- */

static const char *state_of(const struct worker *worker)
{
    if (!set_has(worker))
        return "RUNNING";
    return phase_name(set_phase());
}

char *worker_list_text(size_t *size)
{
    struct worker *worker;
    unsigned number = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, size);

    if (!out)
        return NULL;
    fprintf(out, "Client List:\n#, PROG[virtPID:realPID]@HOST, DMTCP-UNIQUEPID, STATE\n");
    LIST_EACH(worker, &workers, struct worker, link) {
        char name[UPID_TEXT_MAX];

        upid_text(&worker->process, name);
        fprintf(out, "%u, %s[%u:%u]@%s, %s, %s\n", ++number, worker->program, worker->virtual_pid, worker->real_pid, worker->host->name,
                name, state_of(worker));
    }
    char *left = traces_of_left(&computation.name);
    if (left)
        fprintf(out, "Outside of the computation, in no checkpoint:\n%s", left);
    free(left);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}
