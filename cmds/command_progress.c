#include "command_progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "phase.h"
#include "sys.h"

static bool shown;
static uint64_t start_ns, start_bytes;

static const char *amount(double bytes, char text[16])
{
    static const char units[] = " kMGTP";
    unsigned unit = 0;

    for (; bytes >= 1000 && unit + 2 < sizeof units; unit++)
        bytes /= 1000;
    if (unit)
        snprintf(text, 16, "%.*f %cB", bytes < 10 ? 1 : 0, bytes, units[unit]);
    else
        snprintf(text, 16, "%.0f B", bytes);
    return text;
}

void command_progress_show(const struct proto_progress *progress)
{
    uint64_t now = sys_now_ns(CLOCK_MONOTONIC);
    char done[16], total[16], rate[16];
    double seconds, speed;

    fprintf(stderr, "\r%s, %u process%s", phase_name(progress->phase), progress->processes, progress->processes == 1 ? "" : "es");
    shown = true;
    if (progress->bytes_total) {
        if (!start_ns) {
            start_ns = now;
            start_bytes = progress->bytes_done;
        }
        fprintf(stderr, ": %s of %s", amount((double)progress->bytes_done, done), amount((double)progress->bytes_total, total));
        seconds = (double)(now - start_ns) / 1e9;
        speed = seconds > 0 ? (double)(progress->bytes_done - start_bytes) / seconds : 0;
        if (speed > 0 && progress->bytes_done <= progress->bytes_total)
            fprintf(stderr, ", %s/s, %.0f s left", amount(speed, rate), (double)(progress->bytes_total - progress->bytes_done) / speed);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
}

void command_progress_end(void)
{
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
    start_ns = 0;
}
