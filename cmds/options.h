/* Options and environment of dmtcp_launch and dmtcp_restart (interface.md): one table, a row each; an option on the command line wins
 * over its variable. Hosted, before anything else runs; whatever is wrong ends the command with one line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>

#include "conf.h"

enum { OPTIONS_LAUNCH = 1u << 0, OPTIONS_RESTART = 1u << 1 };

enum coordinator_mode { COORDINATOR_ANY = 0, COORDINATOR_JOIN = 1, COORDINATOR_NEW = 2 };

/* Text: NULL, numbers: -1, where neither option nor variable was given. */
struct options {
    const char *coord_host, *port_file, *ckpt_dir, *tmp_dir, *restart_dir, *coord_log, *log_file;
    int64_t port;
    int64_t mode;     /* enum coordinator_mode */
    int64_t interval; /* seconds, 0: never */
    int64_t gzip, gzip_level, fsync, snapshot;
    int64_t ckpt_signal, unique_names, allow_overwrite, open_files, no_strict;
    int64_t log_level, quiet;
    int64_t restart_pause;
    int64_t disabled; /* enum feature bits */
};

/* Reads the environment and the options. Returns the index of the first word that is no option: for dmtcp_launch that of the command (all
 * after it is the command's own); for dmtcp_restart options may stand between the images, which have been moved to the end of argv. --help
 * and --version print and exit 0. Sets tell_level. */
int options_read(struct options *options, unsigned program, int argc, char **argv);

/* Puts what was given over *conf: on launch over the defaults, on restart over what the image says. */
void options_to_conf(const struct options *options, struct conf *conf);

#endif
