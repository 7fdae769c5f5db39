/* dmtcp_launch: runs a command with libckpt preloaded. All checks come before the exec, because afterwards messages are the program's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "absolute.h"
#include "conf.h"
#include "coordinator_start.h"
#include "descriptors.h"
#include "die.h"
#include "directory.h"
#include "installed.h"
#include "options.h"
#include "program.h"
#include "seccomp_filters.h"
#include "str.h"

/* Our library comes first, so that its interposed functions are found before those of the user's preloads. */
static void preload(const char *library, struct conf *conf)
{
    const char *user = getenv("LD_PRELOAD");
    char list[2 * PATH_MAX];

    if (strpbrk(library, " :"))
        die(FAIL_TOOL, "%s: LD_PRELOAD can't hold a path with spaces or colons; install DMTCP elsewhere", library);
    conf->had_preload = user != NULL;
    if (snprintf(list, sizeof list, user && *user ? "%s:%s" : "%s", library, user) >= (int)sizeof list)
        die(FAIL_TOOL, "LD_PRELOAD is too long");
    if (setenv("LD_PRELOAD", list, 1))
        die(FAIL_TOOL, "LD_PRELOAD: %m");
}

int main(int argc, char **argv)
{
    static struct conf conf;
    static char text[CONF_TEXT_MAX];
    struct options options;
    char program[PATH_MAX], library[PATH_MAX];
    int command;

    descriptors_reserve_standard();
    die_init(argv[0]);
    command = options_read(&options, OPTIONS_LAUNCH, argc, argv);
    if (command >= argc)
        die(FAIL_TOOL, "no command given (see %s --help)", die_name());
    program_find(program, sizeof program, argv[command]);
    installed_path(library, sizeof library, "lib/dmtcp/libckpt.so");

    conf_init(&conf);
    absolute_path(conf.ckpt_dir, sizeof conf.ckpt_dir, ".");
    options_to_conf(&options, &conf);
    conf.seccomp_filters = seccomp_filters();
    descriptors_note_standard(&conf);
    conf.launch_pid = (uint32_t)getpid();
    conf.launch_group = (uint32_t)getpgrp();
    conf.launch_session = (uint32_t)getsid(0);
    directory_check(conf.ckpt_dir, options.ckpt_dir != NULL);
    preload(library, &conf);
    close(coordinator_find(&options, &conf, PROTO_ROLE_COMMAND));
    if (!conf_encode(&conf, text, sizeof text) || setenv(CONF_VARIABLE, text, 1))
        die(FAIL_TOOL, "the settings don't fit: choose shorter paths");

    /* The path as found: execvp would search PATH again, but does run scripts without a #! line. */
    execvp(program, argv + command);
    die(FAIL_TOOL, "%s: %m", argv[command]);
}
