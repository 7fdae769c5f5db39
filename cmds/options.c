#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "absolute.h"
#include "die.h"
#include "feature.h"
#include "log.h"
#include "str.h"

#define BOTH (OPTIONS_LAUNCH | OPTIONS_RESTART)

struct row;
/* Takes a value (NULL: the option has none); false: *problem says what it must be. */
typedef bool take(struct options *, const struct row *, const char *text, char *problem, size_t size);

struct row {
    char letter;
    const char *name[3]; /* the first one is what messages use */
    const char *variable[2]; /* the old name second; the new one wins */
    const char *value; /* in the usage; NULL: a switch */
    unsigned program; /* which commands know it */
    take *take;
    size_t field; /* in struct options */
    int64_t low, high; /* range of a number; a switch sets `high` */
    const char *text; /* in the usage, or what a row without a field answers */
};

static int64_t *number_field(struct options *options, const struct row *row)
{
    return (int64_t *)(void *)((char *)options + row->field);
}

static bool take_text(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    if (!*text) {
        snprintf(problem, size, "must not be empty");
        return false;
    }
    if (strlen(text) >= PATH_MAX) {
        snprintf(problem, size, "is too long");
        return false;
    }
    *(const char **)(void *)((char *)options + row->field) = text;
    return true;
}

static bool take_number(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    uint64_t value;

    if (!str_to_number(text, (uint64_t)row->low, (uint64_t)row->high, &value)) {
        snprintf(problem, size, "must be a number from %ld to %ld", (long)row->low, (long)row->high);
        return false;
    }
    *number_field(options, row) = (int64_t)value;
    return true;
}

/* As an option it sets `high`; as a variable 1 does, and 0 sets the opposite. */
static bool take_switch(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    if (text && !str_equal(text, "0") && !str_equal(text, "1")) {
        snprintf(problem, size, "must be 0 or 1");
        return false;
    }
    *number_field(options, row) = text && *text == '0' ? !row->high : row->high;
    return true;
}

static bool take_mode(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    (void)text;
    if (options->mode >= 0 && options->mode != row->high) {
        snprintf(problem, size, "contradicts another of --join-coordinator, --new-coordinator and --any-coordinator");
        return false;
    }
    options->mode = row->high;
    return true;
}

static bool take_quiet(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    if (text)
        return take_number(options, row, text, problem, size);
    options->quiet = options->quiet < 0 ? 1 : 2;
    return true;
}

static bool take_signal(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    /* The kernel doesn't let one catch the first two; the next two are libc's own; the rest are how the processor reports errors. */
    static const int unfit[] = {SIGKILL, SIGSTOP, 32, 33, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

    if (!take_number(options, row, text, problem, size))
        return false;
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++)
        if (options->ckpt_signal == unfit[i]) {
            snprintf(problem, size, "that signal can't be used; leave it out for %d, or take another from 34 to 64", SIGRTMAX);
            return false;
        }
    return true;
}

/* One of the words of row->value, separated by bars; its place is the value. */
static bool take_word(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    const char *word = row->value;

    for (int64_t place = 0; word; place++) {
        const char *end = str_find(word, '|');
        size_t length = end ? (size_t)(end - word) : strlen(word);

        if (strlen(text) == length && !memcmp(text, word, length)) {
            *number_field(options, row) = place;
            return true;
        }
        word = end ? end + 1 : NULL;
    }
    if (text[0] >= '0' && text[0] <= '0' + row->high && !text[1]) {
        *number_field(options, row) = text[0] - '0';
        return true;
    }
    snprintf(problem, size, "must be one of %s", row->value);
    return false;
}

static bool take_features(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    uint32_t bits = 0;
    const char *unknown;

    (void)row;
    if (!feature_parse(text, &bits, &unknown)) {
        snprintf(problem, size, "'%.*s' is no feature that can be switched off", (int)strcspn(unknown, ","), unknown);
        return false;
    }
    options->disabled = bits;
    return true;
}

/* What a later version will do. Going on without it would run something else than was asked for. */
static bool take_missing(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    (void)options;
    if (text && str_equal(text, "0"))
        return true;
    snprintf(problem, size, "is not available in this version: %s; start without it", row->text);
    return false;
}

/* DMTCP 5's switches for parts that don't exist here: nothing is lost by obeying. */
static bool take_noop(struct options *options, const struct row *row, const char *text, char *problem, size_t size)
{
    (void)options, (void)text, (void)problem, (void)size;
    if (tell_level >= LOG_TRACE)
        note("--%s: nothing to switch off here", row->name[0]);
    return true;
}

#define F(name) offsetof(struct options, name)
#define NOOP(option) {0, {option}, {0}, NULL, OPTIONS_LAUNCH, take_noop, 0, 0, 0, NULL}
static const struct row rows[] = {
    {'h', {"coord-host", "host"}, {"DMTCP_COORD_HOST", "DMTCP_HOST"}, "HOST", BOTH, take_text, F(coord_host), 0, 0,
     "coordinator's host (localhost)"},
    {'p', {"coord-port", "port"}, {"DMTCP_COORD_PORT", "DMTCP_PORT"}, "PORT", BOTH, take_number, F(port), 0, 65535,
     "coordinator's port (7779; 0: start one on any free port)"},
    {0, {"port-file"}, {0}, "FILE", BOTH, take_text, F(port_file), 0, 0, "write the coordinator's port number there"},
    {'j', {"join-coordinator", "join"}, {0}, NULL, BOTH, take_mode, F(mode), 0, COORDINATOR_JOIN,
     "join a running coordinator; fail if there is none"},
    {0, {"new-coordinator"}, {0}, NULL, BOTH, take_mode, F(mode), 0, COORDINATOR_NEW,
     "start a coordinator; fail if one runs on the port given"},
    {0, {"any-coordinator"}, {0}, NULL, BOTH, take_mode, F(mode), 0, COORDINATOR_ANY,
     "join one, or start one in the background (default)"},
    {'i', {"interval"}, {"DMTCP_CHECKPOINT_INTERVAL"}, "SECONDS", BOTH, take_number, F(interval), 0, 1000000000,
     "checkpoint that often; 0: only on request (default)"},
    {0, {"coord-logfile"}, {"DMTCP_COORD_LOG_FILENAME"}, "FILE", BOTH, take_text, F(coord_log), 0, 0,
     "log of a coordinator that is started"},
    {0, {"gzip"}, {"DMTCP_GZIP"}, NULL, BOTH, take_switch, F(gzip), 0, 1, "compress images (default)"},
    {0, {"no-gzip"}, {0}, NULL, BOTH, take_switch, F(gzip), 0, 0, "don't: much faster, larger"},
    {'c', {"ckptdir"}, {"DMTCP_CHECKPOINT_DIR"}, "DIR", BOTH, take_text, F(ckpt_dir), 0, 0, "where images go (./)"},
    {'r', {"restartdir"}, {0}, "DIR", OPTIONS_RESTART, take_text, F(restart_dir), 0, 0, "restart all images below DIR"},
    {0, {"no-strict-checking"}, {"DMTCP_DISABLE_STRICT_CHECKING"}, NULL, OPTIONS_RESTART, take_switch, F(no_strict), 0, 1,
     "don't check the images' owner and processor"},
    {0, {"debug-restart-pause"}, {"DMTCP_RESTART_PAUSE"}, "N", OPTIONS_RESTART, take_number, F(restart_pause), 0, 3600,
     "wait for gdb: 1: dmtcp_restart itself, more: the process, so many seconds"},
    {0, {"ckpt-signal"}, {"DMTCP_SIGCKPT"}, "N", OPTIONS_LAUNCH, take_signal, F(ckpt_signal), 1, 64, "signal used internally (64)"},
    {0, {"enable-unique-checkpoint-filenames"}, {"DMTCP_UNIQUE_CKPT_PLUGIN"}, NULL, OPTIONS_LAUNCH, take_switch, F(unique_names), 0, 1,
     "a directory of its own for each checkpoint"},
    {0, {"disable-unique-checkpoint-filenames"}, {0}, NULL, OPTIONS_LAUNCH, take_switch, F(unique_names), 0, 0,
     "each checkpoint replaces the last (default)"},
    {0, {"allow-file-overwrite"}, {"DMTCP_ALLOW_OVERWRITE_WITH_CKPTED_FILES"}, NULL, BOTH, take_switch, F(allow_overwrite), 0, 1,
     "saved files may replace changed ones at restart"},
    {0, {"ckpt-open-files", "checkpoint-open-files"}, {"DMTCP_CKPT_OPEN_FILES"}, NULL, OPTIONS_LAUNCH, take_switch, F(open_files), 0, 1,
     "save the contents of open files, too"},
    {'t', {"tmpdir"}, {"DMTCP_TMPDIR"}, "DIR", BOTH, take_text, F(tmp_dir), 0, 0, "scratch directory ($TMPDIR or /tmp)"},
    {'q', {"quiet"}, {"DMTCP_QUIET"}, NULL, BOTH, take_quiet, F(quiet), 0, 2, "no notes; twice: no warnings"},
    {0, {0}, {"DMTCP_LOG_LEVEL"}, "error|warn|note|trace", BOTH, take_word, F(log_level), 0, 3, "what is logged (warn)"},
    {0, {0}, {"DMTCP_LOG_FILE"}, "FILE", BOTH, take_text, F(log_file), 0, 0, "where to (standard error)"},
    {0, {0}, {"DMTCP_GZIP_LEVEL"}, "1-9", BOTH, take_number, F(gzip_level), 1, 9, "effort of the compression (1)"},
    {0, {0}, {"DMTCP_SNAPSHOT"}, "auto|always|never", BOTH, take_word, F(snapshot), 0, 2,
     "write images from a copy of the process (auto)"},
    {0, {0}, {"DMTCP_FSYNC"}, NULL, BOTH, take_switch, F(fsync), 0, 1,
     "1 (default): images are on the disk before they count; 0: faster"},
    {0, {0}, {"DMTCP_DISABLE"}, "FEATURE,…", BOTH, take_features, 0, 0, 0, "kernel features not to use, for tests"},

    {0, {"with-plugin"}, {"DMTCP_PLUGIN"}, "LIB[:LIB]", OPTIONS_LAUNCH, take_missing, 0, 0, 0, "plugins can't be loaded yet"},
    {0, {"modify-env"}, {0}, NULL, OPTIONS_LAUNCH, take_missing, 0, 0, 0, "the environment can't be changed at restart yet"},
    {0, {"pathvirt"}, {"DMTCP_PATH_MAPPING"}, NULL, OPTIONS_LAUNCH, take_missing, 0, 0, 0, "paths can't be mapped at restart yet"},
    NOOP("disable-alloc-plugin"), NOOP("disable-dl-plugin"), NOOP("disable-ssh-plugin"), NOOP("disable-event-plugin"),
    NOOP("disable-file-plugin"), NOOP("disable-pty-plugin"), NOOP("disable-socket-plugin"), NOOP("disable-ipc-plugin"),
    NOOP("disable-svipc-plugin"), NOOP("disable-timer-plugin"), NOOP("disable-pid-plugin"), NOOP("disable-all-plugins"),
    NOOP("no-plugins"),
};
enum { ROWS = sizeof rows / sizeof *rows };

static void print_usage(unsigned program)
{
    printf("usage: %s\n\n",
           program == OPTIONS_LAUNCH ? "dmtcp_launch [option]... [--] command [argument]...\nRuns a command under checkpoint control."
                                     : "dmtcp_restart [option]... image.dmtcp...\nBrings a computation back from its checkpoint images.");
    for (int r = 0; r < ROWS; r++) {
        char left[128];
        size_t used = 0;

        if (!(rows[r].program & program) || rows[r].take == take_noop || rows[r].take == take_missing || !rows[r].name[0])
            continue;
        used += (size_t)snprintf(left, sizeof left, rows[r].letter ? "  -%c, " : "      ", rows[r].letter);
        for (int n = 0; n < 3 && rows[r].name[n]; n++)
            used += (size_t)snprintf(left + used, sizeof left - used, "%s--%s", n ? ", " : "", rows[r].name[n]);
        if (rows[r].value)
            snprintf(left + used, sizeof left - used, " %s", rows[r].value);
        printf("%-44s %s\n", left, rows[r].text);
    }
    printf("      --help, --version\n\nenvironment (an option wins):\n");
    for (int r = 0; r < ROWS; r++)
        if ((rows[r].program & program) && rows[r].variable[0] && rows[r].take != take_missing)
            printf("  %-42s %s\n", rows[r].variable[0], rows[r].text);
    printf("  %-42s %s\n", "DMTCP_FAIL_RC", "exit code when the tool itself fails (99)");
}

/* A variable that is set but empty counts as not set, as with most tools. */
static void read_environment(struct options *options, unsigned program)
{
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < 2 && rows[r].variable[v]; v++) {
            const char *text = getenv(rows[r].variable[v]);
            char problem[256];

            if (!(rows[r].program & program) || !text || !*text)
                continue;
            if (!rows[r].take(options, &rows[r], text, problem, sizeof problem))
                die(FAIL_TOOL, "%s=%s: %s", rows[r].variable[v], text, problem);
            break;
        }
}

static void set_level(const struct options *options)
{
    if (options->log_level >= 0)
        tell_level = (int)options->log_level;
    if (options->quiet > 0 && tell_level > LOG_WARN - (options->quiet - 1))
        tell_level = (int)(LOG_WARN - (options->quiet - 1));
}

enum { HELP = ROWS, VERSION };

int options_read(struct options *options, unsigned program, int argc, char **argv)
{
    struct option longs[ROWS * 3 + 3];
    char letters[ROWS * 2 + 4] = "+:";
    size_t count = 0, used = 2;
    int got;

    *options = (struct options){.port = -1, .mode = -1, .interval = -1, .gzip = -1, .gzip_level = -1, .fsync = -1, .snapshot = -1,
                                .ckpt_signal = -1, .unique_names = -1, .allow_overwrite = -1, .open_files = -1, .no_strict = -1, .log_level = -1,
                                .quiet = -1, .restart_pause = -1, .disabled = -1};
    read_environment(options, program);
    /* The variable is where -q starts counting from only if -q isn't given. */
    int64_t quiet = options->quiet;
    options->quiet = -1;
    set_level(options);

    if (program == OPTIONS_RESTART) {
        letters[0] = ':'; /* options may follow images */
        used = 1;
    }
    for (int r = 0; r < ROWS; r++) {
        if (!(rows[r].program & program))
            continue;
        for (int n = 0; n < 3 && rows[r].name[n]; n++)
            longs[count++] = (struct option){rows[r].name[n], rows[r].value ? required_argument : no_argument, NULL, 256 + r};
        if (rows[r].letter) {
            letters[used++] = rows[r].letter;
            if (rows[r].value)
                letters[used++] = ':';
        }
    }
    longs[count++] = (struct option){"help", no_argument, NULL, 256 + HELP};
    longs[count++] = (struct option){"version", no_argument, NULL, 256 + VERSION};
    longs[count] = (struct option){0};
    letters[used] = 0;

    opterr = 0;
    for (;;) {
        char spelling[3] = "-", problem[256];
        int r = 0, at = optind ? optind : 1;

        got = getopt_long(argc, argv, letters, longs, NULL);
        if (got < 0)
            break;
        if (got == 256 + HELP || (got == ':' && optopt == 'h' && argc == 2)) { /* many try -h */
            print_usage(program);
            exit(0);
        }
        if (got == 256 + VERSION) {
            printf("%s (DMTCP) %s\n", die_name(), DMTCP_VERSION);
            exit(0);
        }
        if (got == '?' || got == ':') {
            /* The word at fault: getopt has stepped over it, unless it stopped within a group of letters. */
            const char *word = argv[at];
            if (optopt && optopt < 256) {
                spelling[1] = (char)optopt;
                word = spelling;
            } else if (optind > at) {
                word = argv[optind - 1];
            }
            if (got == ':')
                die(FAIL_TOOL, "option %s needs a value (see %s --help)", word, die_name());
            if (optopt >= 256)
                die(FAIL_TOOL, "option %s takes no value (see %s --help)", word, die_name());
            die(FAIL_TOOL, "unknown option %s (see %s --help)", word, die_name());
        }
        if (got >= 256) {
            r = got - 256;
        } else {
            while (rows[r].letter != got)
                r++;
        }
        if (!rows[r].take(options, &rows[r], optarg, problem, sizeof problem)) {
            if (optarg)
                die(FAIL_TOOL, "--%s %s: %s", rows[r].name[0], optarg, problem);
            die(FAIL_TOOL, "--%s %s", rows[r].name[0], problem);
        }
    }
    if (options->quiet < 0)
        options->quiet = quiet;
    tell_level = LOG_WARN;
    set_level(options);
    return optind;
}

static void put_number(uint32_t *to, int64_t value)
{
    if (value >= 0)
        *to = (uint32_t)value;
}

void options_to_conf(const struct options *options, struct conf *conf)
{
    put_number(&conf->gzip, options->gzip);
    put_number(&conf->gzip_level, options->gzip_level);
    put_number(&conf->fsync, options->fsync);
    put_number(&conf->snapshot, options->snapshot);
    put_number(&conf->ckpt_signal, options->ckpt_signal);
    put_number(&conf->unique_names, options->unique_names);
    put_number(&conf->allow_overwrite, options->allow_overwrite);
    put_number(&conf->open_files, options->open_files);
    put_number(&conf->disabled, options->disabled);
    if (options->no_strict >= 0)
        conf->strict = !options->no_strict;
    if (options->log_level >= 0 || options->quiet >= 0)
        conf->log_level = (uint32_t)tell_level;
    if (options->ckpt_dir)
        absolute_path(conf->ckpt_dir, sizeof conf->ckpt_dir, options->ckpt_dir);
    if (options->log_file)
        absolute_path(conf->log_file, sizeof conf->log_file, options->log_file);
}
