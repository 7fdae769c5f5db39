#include "end.h"

#include <stdio.h>

#include "ckpt.h"
#include "command.h"
#include "files.h"
#include "listen.h"
#include "process.h"
#include "report.h"
#include "restart.h"

enum {
    KILL_SECONDS = 1, /* after which we kill those of this host ourselves */
    GONE_SECONDS = 5, /* after which whoever is still connected is named */
    LINGER_SECONDS = 1, /* --exit-on-last: the last program may have become another one by exec, which connects anew */
    FLUSH_SECONDS = 5, /* for clients to read their last words */
};

static struct end_options options;
static bool killing, quitting, flushing;
static struct list waiters = LIST_EMPTY(waiters); /* struct client by role_link */

static void kill_over(struct timer *timer);
static void gone_over(struct timer *timer);
static void timeout_over(struct timer *timer);
static void stale_over(struct timer *timer);
static void linger_over(struct timer *timer);
static void flush_over(struct timer *timer);

static struct timer kill_timer = {.expired = kill_over}, gone_timer = {.expired = gone_over}, timeout_timer = {.expired = timeout_over},
                    stale_timer = {.expired = stale_over}, linger_timer = {.expired = linger_over}, flush_timer = {.expired = flush_over};

bool end_under_way(void)
{
    return killing || quitting;
}

/* --- the coordinator's end --- */

static void flush_over(struct timer *timer)
{
    loop_stop();
}

void end_check(void)
{
    if (flushing && !client_closing_count())
        loop_stop();
}

static void go(void)
{
    flushing = true;
    timer_after(&flush_timer, FLUSH_SECONDS * SECOND_NS);
}

void end_quit(bool kill, struct client *waiter)
{
    if (!quitting) { /* who finds the port free or the files gone may start another coordinator */
        quitting = true;
        listen_close();
        files_withdraw();
    }
    if (kill)
        end_kill(waiter);
    else
        go();
}

static void timeout_over(struct timer *timer)
{
    warn("--timeout: %u s are over; programs run on without a coordinator", options.timeout);
    end_quit(false, NULL);
}

static void stale_over(struct timer *timer)
{
    note("no program for %u s (--stale-timeout)", options.stale_timeout);
    end_quit(false, NULL);
}

static bool is_deserted(void)
{
    return !worker_count() && !restart_client_count() && !client_opening_count();
}

static void linger_over(struct timer *timer)
{
    if (is_deserted())
        end_quit(false, NULL);
    else if (!worker_count())
        timer_after(timer, LINGER_SECONDS * SECOND_NS);
}

void end_start(const struct end_options *given)
{
    options = *given;
    if (options.timeout)
        timer_after(&timeout_timer, options.timeout * SECOND_NS);
    timer_after(&stale_timer, options.stale_timeout * SECOND_NS);
}

/* --- the programs' end --- */

static void reply_waiters(enum proto_result result, const char *reason)
{
    struct client *waiter;

    LIST_EACH(waiter, &waiters, struct client, role_link) {
        list_remove(&waiter->role_link);
        command_reply(waiter, result, reason);
    }
}

static void kill_done(enum proto_result result, const char *reason)
{
    killing = false;
    timer_clear(&kill_timer);
    timer_clear(&gone_timer);
    reply_waiters(result, reason);
    if (quitting)
        go();
}

static void tell_to_end(struct worker *worker)
{
    worker->told_to_end = true;
    client_send(worker->client, PROTO_KILL, NULL, 0, NULL, 0);
}

void end_kill(struct client *waiter)
{
    struct worker *worker;

    if (waiter)
        list_append(&waiters, &waiter->role_link);
    if (killing)
        return;
    if (restart_current())
        restart_fail("the programs were killed"); /* which comes here again */
    if (killing || !ckpt_end_for_kill())
        return;
    if (!worker_count()) {
        kill_done(PROTO_DONE, "");
        return;
    }
    killing = true;
    note("killing %u worker%s", worker_count(), worker_count() == 1 ? "" : "s");
    LIST_EACH(worker, worker_list(), struct worker, link)
        tell_to_end(worker);
    timer_after(&kill_timer, KILL_SECONDS * SECOND_NS);
    timer_after(&gone_timer, GONE_SECONDS * SECOND_NS);
}

/* A stopped process, or one that is stuck, does not read its messages. */
static void kill_over(struct timer *timer)
{
    struct worker *worker;

    LIST_EACH(worker, worker_list(), struct worker, link)
        if (worker->told_to_end && worker->host->own)
            process_kill(worker->real_pid, worker->start_time);
}

static void gone_over(struct timer *timer)
{
    char text[WORKER_TEXT_MAX], reason[WORKER_TEXT_MAX + 64];

    snprintf(reason, sizeof reason, "%u of the processes did not end, the first is %s", worker_count(),
             worker_text(LIST_OF(worker_list()->next, struct worker, link), text));
    warn("%s", reason);
    kill_done(PROTO_FAILED, reason);
}

bool end_worker_joined(struct worker *worker)
{
    timer_clear(&stale_timer);
    timer_clear(&linger_timer);
    if (!killing)
        return false;
    tell_to_end(worker);
    return true;
}

void end_restart_began(void)
{
    timer_clear(&stale_timer);
    timer_clear(&linger_timer);
}

void end_worker_gone(void)
{
    if (worker_count())
        return;
    if (killing)
        kill_done(PROTO_DONE, "");
    timer_after(&stale_timer, options.stale_timeout * SECOND_NS);
    if (options.exit_on_last && !quitting)
        timer_after(&linger_timer, LINGER_SECONDS * SECOND_NS);
}
