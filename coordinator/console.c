/* Commands on standard input, each with return. When the input ends, the coordinator stays. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt.h"
#include "command.h"
#include "end.h"
#include "listen.h"
#include "report.h"
#include "restart.h"
#include "set.h"
#include "worker.h"

static void ready(struct source *source, uint32_t events);
static void look_again(struct timer *timer);

static struct source input = {.fd = 0, .ready = ready};
static struct timer again = {.expired = look_again};
static char line[256];
static size_t used;

static void list(const char *argument)
{
    size_t size;
    char *text = worker_list_text(&size);

    if (text)
        fwrite(text, 1, size, stdout);
    free(text);
}

static void status(const char *argument)
{
    printf("Status...\n  Host: %s\n  Port: %u\n  NUM_PEERS=%u\n  RUNNING=%s\n", listen_host(), listen_port(), worker_count(),
           command_running() ? "yes" : "no");
    if (ckpt_interval())
        printf("  CKPT_INTERVAL=%u\n", ckpt_interval());
    else
        printf("  CKPT_INTERVAL=0 (checkpoint manually)\n");
    if (set_current())
        printf("  %s %u, phase %s: %s\n", set_current()->what, set_generation(), phase_name(set_phase()), set_current()->missing());
}

static void tell(const char *problem)
{
    if (problem)
        printf("not done: %s\n", problem);
}

static void checkpoint(const char *argument)
{
    tell(worker_count() ? ckpt_request(NULL, false) : "no program is running under this coordinator");
}

static void checkpoint_and_kill(const char *argument)
{
    tell(worker_count() ? ckpt_request(NULL, true) : "no program is running under this coordinator");
}

static void interval(const char *argument)
{
    char *end;
    unsigned long seconds = strtoul(argument, &end, 10);

    if (end == argument || *end || *argument == '-' || seconds > 1000000000) {
        printf("i N: N is a number of seconds, 0 for no automatic checkpoints\n");
        return;
    }
    ckpt_set_interval((unsigned)seconds);
    printf("Interval: %lu s\n", seconds);
}

static void force(const char *argument)
{
    tell(restart_force());
}

static void kill_programs(const char *argument)
{
    end_kill(NULL);
}

static void quit(const char *argument)
{
    end_quit(true, NULL);
}

static void help(const char *argument);

static const struct {
    char name[4];
    void (*run)(const char *argument);
    const char *help; /* NULL: another name of the one above */
} commands[] = {
    {"l", list, "list the programs"},
    {"t", list, NULL},
    {"s", status, "status"},
    {"c", checkpoint, "checkpoint"},
    {"kc", checkpoint_and_kill, "checkpoint, then kill the programs"},
    {"ck", checkpoint_and_kill, NULL},
    {"i", interval, "i N: checkpoint every N seconds, 0: never"},
    {"f", force, "force a restart even if some processes are missing"},
    {"k", kill_programs, "kill all programs"},
    {"q", quit, "kill all programs and quit"},
    {"?", help, "this help"},
    {"h", help, NULL},
};

static void help(const char *argument)
{
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].help)
            printf("  %-3s %s\n", commands[i].name, commands[i].help);
}

static void run(char *text)
{
    size_t name_size;

    text += strspn(text, " \t\r");
    text[strcspn(text, "\r")] = 0;
    for (size_t n = strlen(text); n && (text[n - 1] == ' ' || text[n - 1] == '\t'); n--)
        text[n - 1] = 0;
    if (!*text)
        return;
    name_size = strcspn(text, " \t0123456789"); /* "i 5" and "i5" */
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *argument = text + name_size + strspn(text + name_size, " \t");

        if (strlen(commands[i].name) != name_size || strncmp(commands[i].name, text, name_size))
            continue;
        if (*argument && commands[i].run != interval)
            break;
        commands[i].run(argument);
        fflush(stdout);
        return;
    }
    printf("unknown command '%s' (? for help)\n", text);
    fflush(stdout);
}

/* A line that is too long is cut; what is left of it is an unknown command like any other. */
static void take(const char *bytes, size_t size)
{
    for (; size--; bytes++) {
        if (*bytes != '\n' && used + 1 < sizeof line) {
            line[used++] = *bytes;
            continue;
        }
        line[used] = 0;
        used = 0;
        run(line);
    }
}

/* False: nothing more to be read now. */
static bool read_some(void)
{
    char bytes[256];
    ssize_t n = read(0, bytes, sizeof bytes);

    if (n > 0) {
        take(bytes, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    loop_remove(&input);
    if (n < 0 && errno == EIO) /* in the background of its terminal (SIGTTIN is ignored); it may come to the foreground */
        timer_after(&again, SECOND_NS);
    return false;
}

static void ready(struct source *source, uint32_t events)
{
    read_some();
}

static void look_again(struct timer *timer)
{
    loop_add(&input, EPOLLIN);
}

void console_start(void)
{
    if (loop_add(&input, EPOLLIN) == EPERM) /* a file, or /dev/null: always ready */
        while (read_some())
            ;
}
