#include "stopped.h"

#include <signal.h>

#include "process.h"
#include "report.h"
#include "restart.h"
#include "set.h"

#define LOOK_MS 50

static void look(struct timer *timer);
static struct timer next_look = {.expired = look};

static void look(struct timer *timer)
{
    struct worker *worker;
    char text[WORKER_TEXT_MAX];
    enum phase phase = set_phase();

    if (!set_current() || restart_current() || phase < PHASE_SUSPEND || phase > PHASE_RESUME)
        return;
    LIST_EACH(worker, set_members(), struct worker, member_link) {
        if (worker->ended == phase || !worker->host->own || !process_is_job_stopped(worker->real_pid, worker->start_time))
            continue;
        worker->stopped = true;
        if (process_signal(worker->real_pid, worker->start_time, SIGCONT))
            note("%s is stopped: continued for the checkpoint", worker_text(worker, text));
    }
    timer_after(timer, LOOK_MS * (SECOND_NS / 1000));
}

void stopped_watch(void)
{
    struct worker *worker;

    LIST_EACH(worker, set_members(), struct worker, member_link)
        worker->stopped = worker->told_stopped = false;
    timer_after(&next_look, LOOK_MS * (SECOND_NS / 1000));
}

void stopped_restore(void)
{
    struct worker *worker;

    LIST_EACH(worker, set_members(), struct worker, member_link)
        if (worker->stopped && !worker->told_stopped)
            process_signal(worker->real_pid, worker->start_time, SIGSTOP);
}
