#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECONDS 1000000000u

enum kind { TEXT, NUMBER, FLAG, COUNT };

struct option {
    const char *names; /* without dashes, the short one first, separated by blanks */
    const char *variables; /* environment, the newer name first */
    unsigned kind;
    size_t offset;
    unsigned low, high; /* NUMBER */
    const char *argument, *help;
};

#define AT(field) offsetof(struct options, field)
static const struct option table[] = {
    {"h coord-host host", "DMTCP_COORD_HOST DMTCP_HOST", TEXT, AT(host), 0, 0, "H",
     "listen on this host's address H too, not on loopback only (*: all)"},
    {"p coord-port port", "DMTCP_COORD_PORT DMTCP_PORT", NUMBER, AT(port), 0, 65535, "P", "port, 0: any free one (default 7779)"},
    {"port-file", "", TEXT, AT(port_file), 0, 0, "F", "write the port's number to F; removed on quit"},
    {"status-file", "", TEXT, AT(status_file), 0, 0, "F", "write host, port and pid to F; removed on quit"},
    {"c ckptdir", "DMTCP_CHECKPOINT_DIR", TEXT, AT(ckpt_dir), 0, 0, "D", "directory for the restart script (default ./)"},
    {"t tmpdir", "DMTCP_TMPDIR", TEXT, AT(tmpdir), 0, 0, "D", "directory for scratch (default $TMPDIR or /tmp)"},
    {"write-kv-data", "", FLAG, AT(write_kv_data), 0, 0, NULL, "write the key-value store to dmtcp_kv_data.json in the ckptdir"},
    {"exit-on-last", "", FLAG, AT(exit_on_last), 0, 0, NULL, "quit when the last program has ended"},
    {"kill-after-ckpt", "", FLAG, AT(kill_after_ckpt), 0, 0, NULL, "kill the programs after each checkpoint"},
    {"timeout", "", NUMBER, AT(timeout), 0, MAX_SECONDS, "S", "quit after S seconds even if programs run (they run on)"},
    {"stale-timeout", "", NUMBER, AT(stale_timeout), 1, MAX_SECONDS, "S",
     "quit after S seconds without programs (default 8 h; 2 min with --exit-on-last)"},
    {"deadline", "DMTCP_DEADLINE", NUMBER, AT(deadline), 1, 100000, "S", "seconds a phase of a checkpoint may last (default 60)"},
    {"daemon", "", FLAG, AT(daemon), 0, 0, NULL, "go to the background, once it listens"},
    {"i interval", "DMTCP_CHECKPOINT_INTERVAL", NUMBER, AT(interval), 0, MAX_SECONDS, "S", "checkpoint every S seconds (default 0: never)"},
    {"coord-logfile", "DMTCP_COORD_LOG_FILENAME", TEXT, AT(log_file), 0, 0, "F", "append the log to F instead of standard error"},
    {"q quiet", "DMTCP_QUIET", COUNT, AT(quiet), 0, 2, NULL, "no notes on standard error; twice: no warnings either"},
};
enum { OPTIONS = sizeof table / sizeof *table };

static _Noreturn void help(void)
{
    printf("Usage: dmtcp_coordinator [options] [port]\n"
           "Leads the checkpoints and restarts of one computation. Commands on standard input: ? lists them.\n\n");
    for (unsigned i = 0; i < OPTIONS; i++) {
        char names[128] = "", word[64];
        const char *at = table[i].names;

        for (int n; sscanf(at, " %63s%n", word, &n) == 1; at += n)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s%s", *names ? ", " : "", word[1] ? "--" : "-", word);
        if (table[i].argument)
            snprintf(names + strlen(names), sizeof names - strlen(names), " %s", table[i].argument);
        printf("  %-34s %s\n", names, table[i].help);
    }
    printf("  %-34s %s\n  %-34s %s\n\n", "--help", "this", "--version", "the version");
    printf("Environment: DMTCP_COORD_HOST, DMTCP_COORD_PORT, DMTCP_CHECKPOINT_DIR, DMTCP_CHECKPOINT_INTERVAL, DMTCP_TMPDIR,\n"
           "DMTCP_COORD_LOG_FILENAME, DMTCP_QUIET, DMTCP_DEADLINE; see dmtcp_coordinator(1).\n");
    exit(0);
}

static _Noreturn void version(void)
{
    printf("dmtcp_coordinator (DMTCP) " DMTCP_VERSION "\n");
    exit(0);
}

static void take_number(struct options *options, const struct option *option, const char *name, const char *text)
{
    unsigned long value;
    char *end;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < option->low || value > option->high) {
        fprintf(stderr, "dmtcp_coordinator: %s: '%s' is no number from %u to %u\n", name, text, option->low, option->high);
        exit(1);
    }
    *(unsigned *)(void *)((char *)options + option->offset) = (unsigned)value;
}

/* value NULL for FLAG, and for COUNT on the command line. */
static void take(struct options *options, const struct option *option, const char *name, const char *value)
{
    void *field = (char *)options + option->offset;

    if (option->kind == TEXT)
        *(const char **)field = value;
    else if (option->kind == FLAG)
        *(bool *)field = true;
    else if (option->kind == COUNT && !value)
        ++*(unsigned *)field;
    else
        take_number(options, option, name, value);
}

static void take_environment(struct options *options)
{
    for (unsigned i = 0; i < OPTIONS; i++) {
        const char *at = table[i].variables, *value = NULL;
        char name[64];

        for (int n; !value && sscanf(at, " %63s%n", name, &n) == 1; at += n)
            value = getenv(name);
        if (value && *value)
            take(options, &table[i], name, value);
    }
}

/* Is `name` (size bytes) one of the option's names? */
static bool has_name(const struct option *option, const char *name, size_t size)
{
    const char *at = option->names;

    while (*at) {
        size_t length = strcspn(at, " ");

        if (length == size && !strncmp(at, name, size))
            return true;
        at += length + strspn(at + length, " ");
    }
    return false;
}

static const struct option *find(const char *name, size_t size)
{
    for (unsigned i = 0; i < OPTIONS; i++)
        if (has_name(&table[i], name, size))
            return &table[i];
    return NULL;
}

static _Noreturn void unknown(const char *argument)
{
    fprintf(stderr, "dmtcp_coordinator: unknown option %s (--help lists them)\n", argument);
    exit(1);
}

static bool wants_value(const struct option *option)
{
    return option->kind == TEXT || option->kind == NUMBER;
}

static const char *value_of(const struct option *option, const char *name, const char *attached, char ***at)
{
    if (attached)
        return attached;
    if (!*++*at) {
        fprintf(stderr, "dmtcp_coordinator: option %s needs a value (%s)\n", name, option->argument);
        exit(1);
    }
    return **at;
}

static void take_long(struct options *options, char ***at)
{
    const char *argument = **at, *equals = strchr(argument, '=');
    const struct option *option;

    if (!strcmp(argument, "--help"))
        help();
    if (!strcmp(argument, "--version"))
        version();
    option = find(argument + 2, equals ? (size_t)(equals - argument - 2) : strlen(argument + 2));
    if (!option || (equals && !wants_value(option)))
        unknown(argument);
    take(options, option, argument, wants_value(option) ? value_of(option, argument, equals ? equals + 1 : NULL, at) : NULL);
}

/* "-p P", "-pP", "-qq" */
static void take_short(struct options *options, char ***at)
{
    const char *argument = **at;

    for (const char *letter = argument + 1; *letter; letter++) {
        const struct option *option = find(letter, 1);
        const char name[] = {'-', *letter, 0};

        if (!option)
            unknown(argument);
        if (wants_value(option)) {
            take(options, option, name, value_of(option, name, letter[1] ? letter + 1 : NULL, at));
            return;
        }
        take(options, option, name, NULL);
    }
}

void options_parse(struct options *options, int count, char **arguments)
{
    char **at = arguments + 1;
    bool port_given = false;

    *options = (struct options){.port = 7779, .deadline = 60};
    take_environment(options);
    for (; count > 1 && *at; at++) {
        if (!strncmp(*at, "--", 2) && (*at)[2]) {
            take_long(options, &at);
        } else if (**at == '-' && (*at)[1] && (*at)[1] != '-') {
            take_short(options, &at);
        } else if (!port_given && **at >= '0' && **at <= '9') {
            take(options, find("p", 1), "port", *at);
            port_given = true;
        } else {
            fprintf(stderr, "dmtcp_coordinator: unexpected argument '%s': only a port may follow the options\n", *at);
            exit(1);
        }
    }
    if (!options->stale_timeout) /* one that dmtcp_launch started, and nobody ever came: its program could not be run */
        options->stale_timeout = options->exit_on_last ? 120 : 8 * 60 * 60;
}
