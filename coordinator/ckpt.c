#include "ckpt.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "end.h"
#include "kv.h"
#include "msg.h"
#include "report.h"
#include "restart.h"
#include "script.h"
#include "set.h"
#include "superseded.h"
#include "stopped.h"
#include "traces.h"

enum { PROGRESS_MS = 100 }; /* between two messages about progress */

struct ckpt_options ckpt_options;

static void passed(enum phase phase);
static void empty(void);
static void lost(struct worker *worker);
static void late(const char *who);

static const struct set_owner owner = {
    .what = "checkpoint", .passed = passed, .empty = empty, .missing = set_missing, .lost = lost, .late = late};

/* What somebody wants of a checkpoint. */
struct wish {
    struct list waiters; /* struct client by role_link */
    bool wanted, kill;
};

static void begin_next(struct timer *timer);
static void interval_over(struct timer *timer);

static struct wish current = {.waiters = LIST_EMPTY(current.waiters)};
static struct wish next = {.waiters = LIST_EMPTY(next.waiters)};
static struct timer next_timer = {.expired = begin_next}; /* to begin at the end of a round, not in the middle of something */
static struct timer interval_timer = {.expired = interval_over};
static unsigned interval;
static uint64_t bytes_done, bytes_total, last_progress_ns;
static struct script *script;
static char *commit_problem; /* an image that was not renamed */
/* Members that ended, or called exec, after their images were complete: they are part of the set, and their images are renamed by us. */
static struct list departed = LIST_EMPTY(departed); /* struct worker by member_link */
static unsigned departed_count;

static bool under_way(void)
{
    return set_current() == &owner;
}

/* --- waiters --- */

static void tell_progress(bool now)
{
    const struct proto_progress progress = {
        .bytes_done = bytes_done, .bytes_total = bytes_total, .phase = set_phase(), .processes = set_size()};
    struct client *waiter;
    uint64_t time;

    if (list_is_empty(&current.waiters))
        return;
    time = loop_now_ns();
    if (!now && time < last_progress_ns + PROGRESS_MS * (SECOND_NS / 1000))
        return;
    last_progress_ns = time;
    LIST_EACH(waiter, &current.waiters, struct client, role_link)
        if (waiter->wants_progress)
            client_send(waiter, PROTO_PROGRESS, &progress, sizeof progress, NULL, 0);
}

static void reply_all(enum proto_result result, const char *reason)
{
    struct client *waiter;

    LIST_EACH(waiter, &current.waiters, struct client, role_link) {
        list_remove(&waiter->role_link);
        command_reply(waiter, result, reason);
    }
}

/* --- end of a checkpoint --- */

static void clear(void)
{
    struct worker *worker;

    LIST_EACH(worker, set_members(), struct worker, member_link) {
        free(worker->image);
        worker->image = NULL;
        free(worker->image_to_be);
        worker->image_to_be = NULL;
        free(worker->state);
        worker->state = NULL;
    }
    LIST_EACH(worker, &departed, struct worker, member_link) {
        list_remove(&worker->member_link);
        worker_departed_free(worker);
    }
    departed_count = 0;
    set_end();
    script_free(script);
    script = NULL;
    free(commit_problem);
    commit_problem = NULL;
    current.wanted = current.kill = false;
    if (next.wanted)
        timer_after(&next_timer, 0);
}

/* A process that was killed, perhaps with its writers, leaves its temporary file to us. One that is alive removes it itself. */
static void remove_temporary(const struct worker *worker)
{
    const char *image = worker->image ? worker->image : worker->image_to_be;
    char path[PATH_MAX];

    if (image && worker->host->own && snprintf(path, sizeof path, "%s.temp", image) < (int)sizeof path)
        unlink(path);
}

static void fail(const char *reason)
{
    const struct proto_ckpt_abort abort = {.generation = set_generation()};
    struct worker *worker;

    LIST_EACH(worker, &departed, struct worker, member_link)
        remove_temporary(worker);

    warn("checkpoint %u failed, all workers run on: %s", set_generation(), reason);
    LIST_EACH(worker, set_members(), struct worker, member_link)
        client_send(worker->client, PROTO_CKPT_ABORT, &abort, sizeof abort, reason, strlen(reason));
    stopped_restore();
    reply_all(PROTO_FAILED, reason);
    clear();
}

bool ckpt_end_for_kill(void)
{
    if (under_way() && set_phase() == PHASE_COMMIT) {
        current.kill = true;
        return false;
    }
    if (under_way())
        fail("the programs were killed");
    return true;
}

static void late(const char *who)
{
    char reason[4096];

    if (set_phase() == PHASE_COMMIT) { /* too late to give up; the temporary files are complete */
        commit_problem = commit_problem ? commit_problem : strdup(who);
        warn("checkpoint %u: %s; their images keep the names that end in .temp", set_generation(), who);
        passed(PHASE_COMMIT);
        return;
    }
    snprintf(reason, sizeof reason, "it took too long: %s", who);
    fail(reason);
}

static void empty(void)
{
    if (set_phase() == PHASE_COMMIT)
        passed(PHASE_COMMIT);
    else if (set_phase() == PHASE_WRITE && departed_count)
        passed(PHASE_WRITE);
    else
        fail("all programs have ended");
}

static bool depart(struct worker *worker)
{
    struct worker *left = worker_depart(worker);

    if (!left)
        return false;
    list_append(&departed, &left->member_link);
    departed_count++;
    return true;
}

/* Only where the file is on this host. False: errno says why not. */
static bool rename_image(const struct worker *worker)
{
    char path[PATH_MAX];

    errno = EXDEV;
    return worker->host->own && snprintf(path, sizeof path, "%s.temp", worker->image) < (int)sizeof path && !rename(path, worker->image);
}

/* The images of those who left. On another host the file keeps its temporary name, and dmtcp_restart takes it. */
static void commit_departed(void)
{
    char problem[PATH_MAX + 256];
    struct worker *worker;

    LIST_EACH(worker, &departed, struct worker, member_link) {
        if (rename_image(worker) || !worker->host->own)
            continue;
        snprintf(problem, sizeof problem, "%s.temp could not be renamed: %s (dmtcp_restart takes it under that name as well)",
                 worker->image, strerror(errno));
        commit_problem = commit_problem ? commit_problem : strdup(problem);
    }
}

/* Those that lost their connection in SUSPEND by calling exec. They join again; without this, the others might be ready before. */
enum { AWAY_ROOM = 256, AWAY_MS = 2 };
static uint32_t away[AWAY_ROOM];
static unsigned away_count;

static void look_for_away(struct timer *timer)
{
    unsigned left = 0;

    if (!under_way() || set_phase() != PHASE_SUSPEND) {
        away_count = 0;
        return;
    }
    for (unsigned i = 0; i < away_count; i++)
        if (traces_is_in_exec(&computation.name, away[i]))
            away[left++] = away[i];
    away_count = left;
    if (left)
        timer_after(timer, AWAY_MS * (SECOND_NS / 1000));
    else {
        set_hold(false);
        computation_check();
    }
}

static struct timer away_timer = {.expired = look_for_away};

static void note_exec(const struct worker *worker)
{
    if (!worker->host->own || away_count == AWAY_ROOM || !traces_is_in_exec(&computation.name, worker->real_pid))
        return;
    away[away_count++] = worker->real_pid;
    set_hold(true);
    timer_after(&away_timer, AWAY_MS * (SECOND_NS / 1000));
}

static void lost(struct worker *worker)
{
    char text[WORKER_TEXT_MAX], reason[WORKER_TEXT_MAX + 64];

    worker_text(worker, text);
    switch (set_phase()) {
    case PHASE_SUSPEND:
        note_exec(worker);
        set_remove(worker);
        break;
    case PHASE_ELECT:
    case PHASE_DRAIN: /* its program has ended, and the set's size is not final yet */
        set_remove(worker);
        break;
    case PHASE_COMMIT:
        if (worker->ended != PHASE_COMMIT && !rename_image(worker) && access(worker->image, F_OK) /* or it had done so itself */)
            warn("checkpoint %u: %s ended before it renamed its image: dmtcp_restart will take %s.temp", set_generation(), text,
                 worker->image);
        set_remove(worker);
        break;
    case PHASE_WRITE:
        if (worker->image && depart(worker)) {
            set_remove(worker);
            break;
        }
        /* fall through */
    default:
        remove_temporary(worker);
        snprintf(reason, sizeof reason, "%s ended before its image was complete", text);
        fail(reason);
    }
}

/* Who asked for a kill is answered when the programs are gone. */
static void kill_all(void)
{
    struct list waiters = LIST_EMPTY(waiters);
    struct client *waiter;

    LIST_EACH(waiter, &current.waiters, struct client, role_link) {
        list_remove(&waiter->role_link);
        list_append(&waiters, &waiter->role_link);
    }
    clear();
    end_kill(NULL);
    LIST_EACH(waiter, &waiters, struct client, role_link) {
        list_remove(&waiter->role_link);
        end_kill(waiter);
    }
}

/* They stand still, to be killed (PROTO_CKPT_KILL). */
static void run_on(void)
{
    const struct proto_ckpt_abort abort = {.generation = set_generation()};
    struct worker *worker;

    LIST_EACH(worker, set_members(), struct worker, member_link)
        client_send(worker->client, PROTO_CKPT_ABORT, &abort, sizeof abort, NULL, 0);
}

static void finish(void)
{
    char *problem = script_write(script);
    const char *reason = commit_problem ? commit_problem : problem;

    computation.generation = set_generation();
    if (!commit_problem)
        superseded_committed();
    kv_write();
    if (reason)
        warn("checkpoint %u is complete, but %s", set_generation(), reason);
    note("Checkpoint complete; all workers running; generation %u, %u process%s, %llu bytes of memory", set_generation(),
         set_size() + departed_count, set_size() + departed_count == 1 ? "" : "es", (unsigned long long)bytes_total);
    if (current.kill && !reason) {
        kill_all();
    } else { /* the set is good all the same, but who wanted to kill the programs had better look first */
        if (current.kill)
            run_on();
        reply_all(reason ? PROTO_FAILED : PROTO_DONE, reason ? reason : "");
        clear();
    }
    free(problem);
}

/* --- phases --- */

static bool has_written(const struct worker *worker)
{
    return worker->image;
}

static void enter_commit(void)
{
    const struct proto_commit commit = {.generation = set_generation()};
    struct worker *worker;

    script = script_compose(&departed, departed_count);
    superseded_next(&departed);
    set_enter(PHASE_COMMIT, NULL);
    commit_departed();
    LIST_EACH(worker, set_members(), struct worker, member_link)
        client_send(worker->client, PROTO_COMMIT, &commit, sizeof commit, NULL, 0);
    if (!set_size())
        passed(PHASE_COMMIT);
}

static void passed(enum phase phase)
{
    static const enum phase after[PHASE_COUNT] = {[PHASE_SUSPEND] = PHASE_ELECT,
                                                  [PHASE_ELECT] = PHASE_DRAIN,
                                                  [PHASE_DRAIN] = PHASE_SNAPSHOT,
                                                  [PHASE_SNAPSHOT] = PHASE_REFILL,
                                                  [PHASE_REFILL] = PHASE_RESUME};

    switch (phase) {
    case PHASE_RESUME:
        set_enter(PHASE_WRITE, has_written);
        break;
    case PHASE_WRITE:
        enter_commit();
        break;
    case PHASE_COMMIT:
        finish();
        return;
    default:
        set_go(after[phase]);
    }
    tell_progress(true);
}

static void send_begin(struct worker *worker)
{
    struct proto_ckpt_begin begin = {.computation = computation.name,
                                     .generation = set_generation(),
                                     .flags = current.kill ? PROTO_CKPT_KILL : 0,
                                     .host_processes = worker->host->workers,
                                     .deadline_ms = set_deadline_ms()};
    char name[UPID_TEXT_MAX], directory[UPID_TEXT_MAX + 32];
    int n;

    upid_text(&computation.name, name);
    n = snprintf(directory, sizeof directory, "ckpt_%s_%05u", name, begin.generation);
    free(worker->image);
    worker->image = NULL;
    worker->bytes_done = worker->bytes_total = 0;
    client_send(worker->client, PROTO_CKPT_BEGIN, &begin, sizeof begin, directory, (size_t)n);
}

/* What people may miss in the set. */
static void tell_left(void)
{
    char *left = traces_of_left(&computation.name), *rest = left, *line;

    while (left && (line = strsep(&rest, "\n")))
        if (*line)
            note("not in the checkpoint: %s", line);
    free(left);
}

static void begin(void)
{
    struct worker *worker;

    set_begin(&owner, ++computation.attempt);
    away_count = 0;
    bytes_done = bytes_total = last_progress_ns = 0;
    current.wanted = true;
    LIST_EACH(worker, worker_list(), struct worker, link)
        set_add(worker);
    set_enter(PHASE_SUSPEND, NULL);
    note("starting checkpoint; incrementing generation; generation %u, %u process%s", set_generation(), set_size(),
         set_size() == 1 ? "" : "es");
    LIST_EACH(worker, set_members(), struct worker, member_link)
        send_begin(worker);
    tell_left();
    stopped_watch();
    tell_progress(true);
}

static const char *refusal(void)
{
    if (restart_current())
        return "a restart is under way";
    if (end_under_way())
        return "the programs are being ended";
    return script_problem();
}

static void begin_next(struct timer *timer)
{
    struct client *waiter;
    const char *problem;

    if (under_way() || !next.wanted)
        return;
    problem = refusal();
    if (!problem && !worker_count())
        problem = "all programs have ended";
    current.kill = next.kill || ckpt_options.always_kill;
    LIST_EACH(waiter, &next.waiters, struct client, role_link) {
        list_remove(&waiter->role_link);
        list_append(&current.waiters, &waiter->role_link);
    }
    next.wanted = next.kill = false;
    if (problem)
        reply_all(PROTO_FAILED, problem);
    else
        begin();
}

const char *ckpt_request(struct client *waiter, bool kill)
{
    struct wish *wish = &next;
    const char *problem = refusal();

    if (problem)
        return problem;
    if (under_way() && set_phase() == PHASE_SUSPEND)
        wish = &current;
    wish->wanted = true;
    wish->kill |= kill;
    if (waiter) {
        list_append(&wish->waiters, &waiter->role_link);
    }
    if (!under_way())
        timer_after(&next_timer, 0);
    return NULL;
}

void ckpt_worker_joined(struct worker *worker)
{
    if (worker_count() == 1)
        ckpt_restart_interval();
    if (!under_way() || set_phase() != PHASE_SUSPEND)
        return;
    set_add(worker);
    send_begin(worker);
}

/* --- interval --- */

unsigned ckpt_interval(void)
{
    return interval;
}

void ckpt_restart_interval(void)
{
    if (interval)
        timer_after(&interval_timer, interval * SECOND_NS);
    else
        timer_clear(&interval_timer);
}

void ckpt_set_interval(unsigned seconds)
{
    interval = seconds;
    ckpt_restart_interval();
}

/* One that is still under way when the next is due serves for both. */
static void interval_over(struct timer *timer)
{
    const char *problem;

    ckpt_restart_interval();
    if (set_current() || !worker_count())
        return;
    problem = ckpt_request(NULL, false);
    if (problem)
        warn("no checkpoint: %s", problem);
}

/* --- messages of workers --- */

static void count_bytes(struct worker *worker, uint64_t done, uint64_t total)
{
    bytes_done += done - worker->bytes_done;
    bytes_total += total - worker->bytes_total;
    worker->bytes_done = done;
    worker->bytes_total = total;
}

static bool is_stale(const struct worker *worker, uint32_t generation)
{
    return !under_way() || !set_has(worker) || generation != set_generation();
}

void ckpt_take_progress(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_write_progress, progress, payload);
    struct worker *worker = client->role;

    if (is_stale(worker, progress.generation) || worker->image)
        return;
    if (progress.bytes_done > worker->bytes_done)
        set_progress();
    count_bytes(worker, progress.bytes_done, progress.bytes_total);
    tell_progress(false);
}

/* Counts until the end of the checkpoint that is under way, or until the next says another. */
void ckpt_take_image(struct client *client, const uint8_t *payload, size_t size)
{
    struct worker *worker = client->role;

    if (!size || *payload != '/' || memchr(payload, 0, size)) {
        client_doom(client, "says that its image will be where nothing can be");
        return;
    }
    free(worker->image_to_be);
    worker->image_to_be = strndup((const char *)payload, size);
}

void ckpt_take_written(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_written, written, payload);
    struct worker *worker = client->role;
    size_t length = size - sizeof written;
    const uint8_t *path = payload + sizeof written;

    if (is_stale(worker, written.generation))
        return;
    if (set_phase() < PHASE_SNAPSHOT || set_phase() > PHASE_WRITE || worker->image || !length || *path != '/' || memchr(path, 0, length)) {
        client_doom(client, "says that it has written an image, which can't be");
        return;
    }
    worker->image = strndup((const char *)path, length);
    if (!worker->image) {
        fail("the coordinator has no memory left");
        return;
    }
    count_bytes(worker, written.memory_bytes, written.memory_bytes);
    set_progress();
    tell_progress(false);
    if (set_phase() == PHASE_WRITE)
        set_ended(worker);
}

void ckpt_take_failed(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_ckpt_failed, failed, payload);
    struct worker *worker = client->role;
    char text[WORKER_TEXT_MAX], words[2048], reason[WORKER_TEXT_MAX + 2100];

    text_from(words, sizeof words, payload + sizeof failed, size - sizeof failed);
    snprintf(reason, sizeof reason, "%s: %s", worker_text(worker, text), *words ? words : "failed");
    if (restart_current() && set_has(worker) && failed.generation == set_generation()) {
        restart_fail(reason);
        return;
    }
    if (is_stale(worker, failed.generation) || set_phase() == PHASE_COMMIT)
        return;
    fail(reason);
}

void ckpt_take_committed(struct client *client, const uint8_t *payload, size_t size)
{
    PAYLOAD(proto_committed, committed, payload);
    struct worker *worker = client->role;
    char text[WORKER_TEXT_MAX], problem[WORKER_TEXT_MAX + 4400];

    if (is_stale(worker, committed.generation))
        return;
    if (set_phase() != PHASE_COMMIT || worker->ended == PHASE_COMMIT) {
        client_doom(client, "committed what was not to be committed");
        return;
    }
    if (committed.error) {
        snprintf(problem, sizeof problem, "%s could not rename %s.temp: %s (dmtcp_restart takes it under that name as well)",
                 worker_text(worker, text), worker->image, strerror((int)committed.error));
        if (!commit_problem)
            commit_problem = strdup(problem);
    }
    set_ended(worker);
}

void ckpt_take_request(struct client *client, const uint8_t *payload, size_t size)
{
    const struct proto_ckpt_abort refused = {0};
    const char *problem = ckpt_request(NULL, false);

    if (problem)
        client_send(client, PROTO_CKPT_ABORT, &refused, sizeof refused, problem, strlen(problem));
}
