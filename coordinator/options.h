/* Command line and environment of dmtcp_coordinator (interface.md); an option wins over a variable. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

struct options {
    const char *host; /* NULL: loopback */
    const char *port_file, *status_file, *ckpt_dir, *tmpdir, *log_file; /* NULL: not given */
    unsigned port, interval, timeout, deadline;
    unsigned stale_timeout;
    unsigned quiet;
    bool write_kv_data, exit_on_last, kill_after_ckpt, daemon;
};

/* --help and --version print and exit with 0; a mistake prints one line on standard error and exits with 1. */
void options_parse(struct options *options, int count, char **arguments);

#endif
