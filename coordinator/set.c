#include "set.h"

#include <stdio.h>
#include <string.h>

#include "process.h"
#include "report.h"

enum { NAMED = 3 }; /* missing workers that a message names; the others are counted */

/* How many times the normal deadline a phase may last. Long: where memory is written or read, which depends on its size; while workers
 * report progress the deadline moves on. */
static const uint8_t patience[PHASE_COUNT] = {
    [PHASE_SUSPEND] = 1, [PHASE_ELECT] = 1,  [PHASE_DRAIN] = 1, [PHASE_SNAPSHOT] = 60, [PHASE_REFILL] = 1,    [PHASE_RESUME] = 1,
    [PHASE_WRITE] = 60,  [PHASE_COMMIT] = 5, [PHASE_LOAD] = 60, [PHASE_RESTORE] = 5,   [PHASE_RECONNECT] = 5,
};

static void reminded(struct timer *timer);

static struct {
    const struct set_owner *owner;
    struct list members;
    uint32_t generation, size, ended;
    enum phase phase;
    bool held;
    uint64_t deadline_ns;
    struct timer reminder;
} set = {.members = LIST_EMPTY(set.members), .reminder.expired = reminded};

static unsigned deadline_seconds = 60;

void set_deadline_seconds(unsigned seconds)
{
    deadline_seconds = seconds;
}

unsigned set_deadline_ms(void)
{
    return deadline_seconds * 1000;
}

const struct set_owner *set_current(void)
{
    return set.owner;
}

enum phase set_phase(void)
{
    return set.phase;
}

uint32_t set_generation(void)
{
    return set.generation;
}

uint32_t set_size(void)
{
    return set.size;
}

struct list *set_members(void)
{
    return &set.members;
}

bool set_has(const struct worker *worker)
{
    return !list_is_empty(&worker->member_link);
}

void set_begin(const struct set_owner *owner, uint32_t generation)
{
    set.owner = owner;
    set.generation = generation;
    set.size = set.ended = 0;
}

void set_end(void)
{
    struct worker *worker;

    LIST_EACH(worker, &set.members, struct worker, member_link)
        list_remove(&worker->member_link);
    timer_clear(&set.reminder);
    set.owner = NULL;
    set.held = false;
    set.size = set.ended = 0;
    set.phase = PHASE_RUNNING;
}

void set_add(struct worker *worker)
{
    worker->ended = PHASE_RUNNING;
    list_append(&set.members, &worker->member_link);
    set.size++;
}

static void check_barrier(void)
{
    if (set.owner && !set.held && set.phase != PHASE_LOAD && set.ended == set.size)
        set.owner->passed(set.phase);
}

static void go_on(void)
{
    if (!set.owner || set.held)
        return;
    if (!set.size)
        set.owner->empty();
    else
        check_barrier();
}

void set_remove(struct worker *worker)
{
    if (!set_has(worker))
        return;
    list_remove(&worker->member_link);
    if (worker->ended == set.phase)
        set.ended--;
    set.size--;
    go_on();
}

bool set_held(void)
{
    return set.held;
}

void set_hold(bool hold)
{
    if (set.held == hold)
        return;
    set.held = hold;
    go_on();
}

void set_progress(void)
{
    set.deadline_ns = loop_now_ns() + patience[set.phase] * (uint64_t)deadline_seconds * SECOND_NS;
}

void set_enter(enum phase phase, bool (*has_ended)(const struct worker *worker))
{
    struct worker *worker;

    set.phase = phase;
    set.ended = 0;
    set_progress();
    timer_after(&set.reminder, deadline_seconds * SECOND_NS);
    if (!has_ended)
        return;
    LIST_EACH(worker, &set.members, struct worker, member_link)
        if (has_ended(worker)) {
            worker->ended = (uint8_t)phase;
            set.ended++;
        }
    check_barrier();
}

void set_go(enum phase phase)
{
    struct proto_phase_go go = {.generation = set.generation, .phase = phase, .processes = set.size};
    struct worker *worker;

    set_enter(phase, NULL);
    LIST_EACH(worker, &set.members, struct worker, member_link) {
        go.flags = worker->stopped ? PROTO_GO_STOPPED : 0;
        worker->told_stopped = worker->stopped;
        client_send(worker->client, PROTO_PHASE_GO, &go, sizeof go, NULL, 0);
    }
}

void set_ended(struct worker *worker)
{
    worker->ended = (uint8_t)set.phase;
    set.ended++;
    check_barrier();
}

/* A process that is stopped can't say so itself. */
static const char *why_late(const struct worker *worker)
{
    if (worker->host->own && process_is_stopped(worker->real_pid, worker->start_time))
        return "is stopped; continue it with kill -CONT, then try again";
    return worker->state ? worker->state : "";
}

const char *set_missing(void)
{
    static char text[NAMED * (WORKER_TEXT_MAX + 600) + 64];
    char name[WORKER_TEXT_MAX];
    struct worker *worker;
    unsigned named = 0, missing = set.size - set.ended;
    size_t used = (size_t)snprintf(text, sizeof text, "waiting for ");

    LIST_EACH(worker, &set.members, struct worker, member_link) {
        if (worker->ended == set.phase || named == NAMED)
            continue;
        const char *why = why_late(worker);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s: in %s%s%s", named ? "; " : "", worker_text(worker, name),
                                 phase_name(set.phase), *why ? ", " : "", why);
        named++;
    }
    if (!missing && set.held)
        snprintf(text + used, sizeof text - used, "a process that is between exec and joining again");
    if (missing > named)
        snprintf(text + used, sizeof text - used, "; and %u more", missing - named);
    return text;
}

static void reminded(struct timer *timer)
{
    uint64_t now = loop_now_ns();

    if (now >= set.deadline_ns) {
        set.owner->late(set.owner->missing());
        return;
    }
    note("%s %u: %s", set.owner->what, set.generation, set.owner->missing());
    timer_set(timer, now + deadline_seconds * SECOND_NS < set.deadline_ns ? now + deadline_seconds * SECOND_NS : set.deadline_ns);
}

void set_take_phase_done(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_phase_done, done, payload);
    struct worker *worker = client->role;

    if (!set_has(worker) || done.generation != set.generation)
        return;
    if (done.phase != set.phase || worker->ended == set.phase || set.phase == PHASE_WRITE || set.phase == PHASE_COMMIT ||
        set.phase == PHASE_LOAD) {
        client_doom(client, "ended a phase that it was not in");
        return;
    }
    set_ended(worker);
}
