#include "restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckpt.h"
#include "end.h"
#include "kv.h"
#include "msg.h"
#include "report.h"
#include "set.h"

static void passed(enum phase phase);
static void empty(void);
static const char *missing(void);
static void lost(struct worker *worker);
static void late(const char *who);

static const struct set_owner owner = {
    .what = "restart", .passed = passed, .empty = empty, .missing = missing, .lost = lost, .late = late};

static struct list clients = LIST_EMPTY(clients); /* struct client by role_link */
static unsigned client_count;
static uint32_t expected; /* processes in the set */

bool restart_current(void)
{
    return set_current() == &owner;
}

unsigned restart_client_count(void)
{
    return client_count;
}

static const char *missing(void)
{
    static char text[96];

    if (set_phase() != PHASE_LOAD)
        return set_missing();
    snprintf(text, sizeof text, "waiting in LOAD: %u of %u processes have joined", set_size(), expected);
    return text;
}

/* --- ends --- */

static void release_clients(const char *refusal)
{
    struct client *client;

    LIST_EACH(client, &clients, struct client, role_link) {
        list_remove(&client->role_link);
        client_count--;
        if (refusal) {
            client_refuse(client, "%s", refusal);
        } else {
            client_send(client, PROTO_RESTART_DONE, NULL, 0, NULL, 0);
            client_finish(client);
        }
    }
}

void restart_fail(const char *reason)
{
    warn("the restart failed, its processes are ended: %s", reason);
    set_end();
    kv_clear();
    release_clients(reason);
    if (worker_count())
        end_kill(NULL);
    else
        computation_check();
}

static void finish(void)
{
    char name[UPID_TEXT_MAX];

    upid_text(&computation.name, name);
    note("Worker resumed execution; %u process%s of computation %s, generation %u", set_size(), set_size() == 1 ? "" : "es", name,
         set_generation());
    set_end();
    release_clients(NULL);
    kv_write();
    ckpt_restart_interval();
}

static void empty(void)
{
    if (set_phase() == PHASE_RESUME)
        finish();
    else
        restart_fail("all its processes have ended");
}

static void lost(struct worker *worker)
{
    char text[WORKER_TEXT_MAX], reason[WORKER_TEXT_MAX + 64];

    if (set_phase() == PHASE_RESUME) { /* the programs run again, and may end */
        set_remove(worker);
        return;
    }
    snprintf(reason, sizeof reason, "%s ended while it was being restarted (in %s)", worker_text(worker, text), phase_name(set_phase()));
    restart_fail(reason);
}

static void late(const char *who)
{
    char reason[4096];

    snprintf(reason, sizeof reason, "it took too long: %s", who);
    restart_fail(reason);
}

/* --- phases --- */

static void passed(enum phase phase)
{
    switch (phase) {
    case PHASE_RESTORE:
        set_go(PHASE_RECONNECT);
        break;
    case PHASE_RECONNECT:
        set_go(PHASE_REFILL);
        break;
    case PHASE_REFILL:
        set_go(PHASE_RESUME);
        break;
    default:
        finish();
    }
}

void restart_joined(struct worker *worker)
{
    set_add(worker);
    set_progress();
    if (set_size() == expected)
        set_go(PHASE_RESTORE);
}

const char *restart_force(void)
{
    if (!restart_current())
        return "no restart is under way";
    if (set_phase() != PHASE_LOAD)
        return "all processes have joined";
    if (!set_size())
        return "no process has joined yet";
    warn("restart forced with %u of %u processes", set_size(), expected);
    expected = set_size();
    set_go(PHASE_RESTORE);
    return NULL;
}

bool restart_refuse_join(struct client *client, const struct proto_join *join)
{
    if (!restart_current() || set_phase() != PHASE_LOAD) {
        client_refuse(client, "no restart is under way that waits for this process");
        return true;
    }
    if (join->generation != set_generation() || memcmp(&join->computation, &computation.name, sizeof computation.name)) {
        client_refuse(client, "another set is being restarted here: checkpoint %u", set_generation());
        return true;
    }
    return false;
}

/* --- dmtcp_restart --- */

/* True: refused. */
static bool refuse_begin(struct client *client, const struct proto_restart_begin *begin)
{
    static const struct upid none;
    char text[WORKER_TEXT_MAX];

    if (!begin->processes || !memcmp(&begin->computation, &none, sizeof none)) {
        client_refuse(client, "a restart needs a computation with processes");
        return true;
    }
    if (end_under_way()) {
        client_refuse(client, "the coordinator is ending the programs that it has: try again when that is done");
        return true;
    }
    if (!restart_current() && worker_count()) {
        struct worker *first = LIST_OF(worker_list()->next, struct worker, link);

        client_refuse(client, "the computation is still running: %u process%s, the first is %s; end it first (dmtcp_command --kill) or use "
                      "another coordinator (--coord-port)", worker_count(), worker_count() == 1 ? "" : "es", worker_text(first, text));
        return true;
    }
    if (!restart_current())
        return false;
    if (begin->generation != set_generation() || memcmp(&begin->computation, &computation.name, sizeof computation.name)) {
        client_refuse(client, "another set is being restarted here: checkpoint %u, %u processes", set_generation(), expected);
        return true;
    }
    if (begin->processes != expected) {
        client_refuse(client, "the same set is being restarted here with %u processes, not %u", expected, begin->processes);
        return true;
    }
    if (set_phase() != PHASE_LOAD) {
        client_refuse(client, "this set is being restarted already, and all its processes have joined");
        return true;
    }
    return false;
}

void restart_take_begin(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_restart_begin, begin, payload);
    struct proto_welcome welcome;
    char name[UPID_TEXT_MAX], host[256];

    if (refuse_begin(client, &begin))
        return;
    text_from(host, sizeof host, payload + sizeof begin, size - sizeof begin);
    if (!restart_current()) {
        kv_clear();
        computation_adopt(&begin.computation, begin.generation);
        expected = begin.processes;
        set_begin(&owner, begin.generation);
        set_enter(PHASE_LOAD, NULL);
        upid_text(&begin.computation, name);
        note("FIRST restart connection; computation %s, generation %u, %u process%s", name, begin.generation, expected,
             expected == 1 ? "" : "es");
    }
    if (begin.interval)
        ckpt_set_interval(begin.interval - 1);
    set_progress();
    note("New dmtcp_restart process on host %s", host);
    client_set_state(client, CLIENT_RESTART);
    list_append(&clients, &client->role_link);
    client_count++;
    welcome = (struct proto_welcome){.computation = computation.name,
                                     .generation = computation.generation,
                                     .client = client->number,
                                     .interval = ckpt_interval()};
    client_send(client, PROTO_WELCOME, &welcome, sizeof welcome, NULL, 0);
    end_restart_began();
}

void restart_client_gone(struct client *client)
{
    list_remove(&client->role_link);
    client_count--;
    if (restart_current() && set_phase() == PHASE_LOAD) {
        char reason[128];

        snprintf(reason, sizeof reason, "dmtcp_restart ended before all processes had joined (%u of %u)", set_size(), expected);
        restart_fail(reason);
    }
}
