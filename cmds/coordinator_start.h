/* Finding the coordinator, or starting one. Hosted; dies with one line that tells apart: nobody listens there, something that is no
 * coordinator listens there, a coordinator that isn't ours does. */
#ifndef COORDINATOR_START_H
#define COORDINATOR_START_H

#include "conf.h"
#include "options.h"
#include "proto.h"

/* Fills in conf's coord_host, coord_address, coord_port, secret_path, tmp_dir, host_name and host_id, and returns a connection with the
 * opening done (close-on-exec) in `role`, enum proto_role. Commands that run this at the same time end up with the same coordinator. Writes
 * --port-file. With PROTO_ROLE_COMMAND the interval asked for is set, and the connection can only be closed. */
int coordinator_find(const struct options *options, struct conf *conf, unsigned role);

/* CLOCK_MONOTONIC ns by which a coordinator that is alive must have answered. */
uint64_t coordinator_deadline(void);

#endif
