/* dmtcp_restart: brings a computation back from its images. Everything that can be checked is checked before the coordinator is asked, and
 * the coordinator agrees before the first process is made: never a half restart. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "conf.h"
#include "coordinator_start.h"
#include "descriptors.h"
#include "die.h"
#include "directory.h"
#include "fmt.h"
#include "foreground.h"
#include "image_set.h"
#include "installed.h"
#include "msg.h"
#include "options.h"
#include "restart_process.h"
#include "str.h"
#include "terminals.h"

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

int main(int argc, char **argv)
{
    static struct conf found, conf;
    struct options options;
    struct image_set set;
    unsigned workers;
    int first, connection;

    descriptors_reserve_standard();
    die_init(argv[0]);
    first = options_read(&options, OPTIONS_RESTART, argc, argv);
    if (first >= argc && !options.restart_dir)
        die(FAIL_TOOL, "no image given (see %s --help)", die_name());
    image_set_load(&set, argv + first, argc - first, options.restart_dir, options.no_strict != 1, options.mode == COORDINATOR_JOIN);
    conf_for(&conf, &set.images[0], &found, &options);
    directory_check(conf.ckpt_dir, options.ckpt_dir != NULL);
    if (options.restart_pause == 1)
        wait_for_debugger();

    connection = ask_leave(&options, &found, &set);
    foreground_begin();
    terminal_remember();
    terminals_make(&set);
    image_set_roll_forward(&set);

    workers = processors() / (unsigned)set.count;
    for (size_t i = 0; i < set.count; i++) {
        struct restart_process request = {.image = &set.images[i],
                                          .conf = &conf,
                                          .workers = workers ? workers : 1,
                                          .pause = options.restart_pause > 1 ? (unsigned)options.restart_pause : 0,
                                          .fail_rc = (unsigned)(fail_rc() + FAIL_RESTART)};
        pid_t pid;

        conf_for(&conf, &set.images[i], &found, &options);
        pid = restart_process(&request);
        if (pid < 0) {
            foreground_kill();
            die(FAIL_RESTART, "the restart failed: fork: %m");
        }
        foreground_add(pid, set.images[i].path);
        image_close(&set.images[i].image);
        close(set.images[i].fd);
    }
    terminals_close();
    foreground_until_running(connection);
    foreground_wait();
}
