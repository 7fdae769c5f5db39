/* dmtcp_restart: brings a computation back from its images. Everything that can be checked is checked before the coordinator is asked, and
 * the coordinator agrees before the first process is made: never a half restart. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf.h"
#include "coordinator_start.h"
#include "descriptors.h"
#include "die.h"
#include "directory.h"
#include "feature.h"
#include "fmt.h"
#include "foreground.h"
#include "image_set.h"
#include "installed.h"
#include "msg.h"
#include "numbers.h"
#include "options.h"
#include "restart_process.h"
#include "seccomp_filters.h"
#include "shared_memory.h"
#include "str.h"
#include "sysv.h"
#include "terminals.h"
#include "tree.h"
#include "tree_build.h"

/* --debug-restart-pause 1: until a debugger is attached, proc_pid_status(5), TracerPid. */
static void wait_for_debugger(void)
{
    char line[256];
    int tracer = 0;

    dprintf(2, "%s: waiting for a debugger: gdb -p %d\n", die_name(), (int)getpid());
    while (!tracer) {
        FILE *status = fopen("/proc/self/status", "re");

        if (!status)
            return;
        while (fgets(line, sizeof line, status))
            sscanf(line, "TracerPid: %d", &tracer);
        fclose(status);
        usleep(100000);
    }
}

/* What the image was launched with, the new coordinator, and what was given now. */
static void conf_for(struct conf *conf, const struct set_image *image, const struct conf *found, const struct options *options)
{
    uint32_t size;
    const char *text = image_record(&image->image, IMAGE_REC_CONF, 0, &size);
    char terminated[CONF_TEXT_MAX];

    conf_init(conf);
    if (text) {
        if (size >= sizeof terminated)
            die(FAIL_TOOL, "%s: is damaged (settings)", image->path);
        memcpy(terminated, text, size);
        terminated[size] = 0;
        if (!conf_decode(conf, terminated))
            die(FAIL_TOOL, "%s: is damaged (settings)", image->path);
    }
    memcpy(conf->coord_host, found->coord_host, sizeof conf->coord_host);
    memcpy(conf->coord_address, found->coord_address, sizeof conf->coord_address);
    memcpy(conf->secret_path, found->secret_path, sizeof conf->secret_path);
    memcpy(conf->tmp_dir, found->tmp_dir, sizeof conf->tmp_dir);
    memcpy(conf->host_name, found->host_name, sizeof conf->host_name);
    conf->host_id = found->host_id;
    conf->coord_port = found->coord_port;
    conf->seccomp_filters = seccomp_filters();
    descriptors_note_standard(conf);
    options_to_conf(options, conf);
}

/* Finds the coordinator and asks for its leave. The connection stays open until all processes run. One that was about to end with its last
 * process
 * (--exit-on-last) may close on us; then there is none, and we begin anew as if we had come a moment later. */
static int ask_leave(const struct options *options, struct conf *found, const struct image_set *set)
{
    struct proto_restart_begin begin = {.computation = set->computation,
                                        .generation = set->generation,
                                        .processes = set->images[0].image.header.processes,
                                        .interval = options->interval < 0 ? 0 : (uint32_t)options->interval + 1};
    static char payload[PROTO_MAX_PAYLOAD + 1];
    struct proto_header header;
    long error = -ECONNRESET;
    int connection = -1;

    for (int attempt = 0; error == -ECONNRESET && attempt < 3; attempt++) {
        if (connection >= 0)
            close(connection);
        connection = coordinator_find(options, found, PROTO_ROLE_RESTART);
        error = msg_send(connection, PROTO_RESTART_BEGIN, &begin, sizeof begin, found->host_name, strlen(found->host_name),
                         coordinator_deadline());
        if (!error || error == -EPIPE)
            error = msg_receive(connection, &header, payload, sizeof payload, coordinator_deadline());
    }
    if (!error && header.type == PROTO_REFUSE)
        die(FAIL_TOOL, "the coordinator refuses the restart: %s", payload);
    if (!error && header.type != PROTO_WELCOME)
        error = -EPROTO;
    if (error)
        die(FAIL_COORDINATOR, "the coordinator at %s port %u does not answer: %s", found->coord_host, found->coord_port,
            fmt_error((int)error));
    return connection;
}

static unsigned processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

/* --- the processes --- */

static struct {
    struct conf found, conf;
    struct options options;
    struct image_set set;
    struct tree tree;
    const struct handoff_shared *shared;
    size_t shared_count;
    unsigned workers;
    int foreground; /* node whose group gets the terminal, or TREE_US */
    pid_t group;
} restart;

static void request_for(struct restart_process *request, const struct set_image *image)
{
    conf_for(&restart.conf, image, &restart.found, &restart.options);
    *request = (struct restart_process){.image = image,
                                        .conf = &restart.conf,
                                        .workers = restart.workers,
                                        .pause = restart.options.restart_pause > 1 ? (unsigned)restart.options.restart_pause : 0,
                                        .fail_rc = (unsigned)(fail_rc() + FAIL_RESTART),
                                        .shared = restart.shared,
                                        .shared_count = restart.shared_count};
}

static _Noreturn void become(int node, bool with_pid, void *unused)
{
    struct restart_process request;

    (void)unused;
    request_for(&request, restart.tree.nodes[node].image);
    request.with_pid = with_pid;
    request.foreground = restart.foreground != TREE_US && restart.tree.nodes[node].group == restart.foreground;
    request.restart_group = restart.group;
    restart_process(&request);
}

static void numbered(const pid_t *real)
{
    numbers_enter(&restart.found, &restart.set.computation, &restart.tree, real);
}

/* A descriptor an image, and one for each process. The processes have their own limits back in the end. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool on_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The main process is the first: its end is ours. */
static void watch(const pid_t *real)
{
    const struct tree *tree = &restart.tree;

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < tree->processes; i++)
            if ((i == tree->main) == !pass)
                foreground_add(real[i], tree->nodes[i].image->path, tree->nodes[i].parent == TREE_US);
}

int main(int argc, char **argv)
{
    struct image_set *set = &restart.set;
    struct options *options = &restart.options;
    struct restart_process request;
    const pid_t *real;
    int first, connection;

    descriptors_reserve_standard();
    die_init(argv[0]);
    allow_descriptors();
    first = options_read(options, OPTIONS_RESTART, argc, argv);
    if (first >= argc && !options->restart_dir)
        die(FAIL_TOOL, "no image given (see %s --help)", die_name());
    image_set_load(set, argv + first, argc - first, options->restart_dir, options->no_strict != 1, options->mode == COORDINATOR_JOIN);
    conf_for(&restart.conf, &set->images[0], &restart.found, options);
    directory_check(restart.conf.ckpt_dir, options->ckpt_dir != NULL);
    tree_plan(&restart.tree, set, on_terminal());
    restart.foreground = tree_foreground(&restart.tree);
    restart.group = getpgrp();
    if (options->restart_pause == 1)
        wait_for_debugger();

    connection = ask_leave(options, &restart.found, set);
    foreground_begin();
    terminal_remember();
    terminals_make(set);
    image_set_roll_forward(set);
    sysv_make(set, &restart.found);
    restart.shared = shared_memory_make(set, &restart.shared_count);
    restart.workers = processors() / (unsigned)set->count;
    if (!restart.workers)
        restart.workers = 1;
    request_for(&request, &set->images[0]);
    restart_process_check(&request);

    real = tree_build(&restart.tree, !(restart.conf.disabled & FEATURE_SET_TID), become, numbered, NULL);
    terminals_close();
    watch(real);
    if (restart.foreground != TREE_US)
        foreground_terminal(real[restart.foreground]);
    for (size_t i = 0; i < restart.shared_count; i++)
        if (restart.shared[i].fd >= 0)
            close(restart.shared[i].fd);
    for (size_t i = 0; i < set->count; i++)
        close(set->images[i].fd);
    foreground_until_running(connection);
    sysv_keep();
    foreground_wait();
}
