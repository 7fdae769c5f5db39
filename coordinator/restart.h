/* A restart: dmtcp_restart announces how many processes come, they join from their new lives, and go through RESTORE, RECONNECT, REFILL and
 * RESUME together. Never half: until RESUME begins, whatever fails ends all of them. Several dmtcp_restart, one per host, make one restart. */
#ifndef RESTART_H
#define RESTART_H

#include "worker.h"

/* Is one under way? */
bool restart_current(void);

message_handler restart_take_begin;

/* A JOIN with PROTO_JOIN_RESTART. True: it was refused. */
bool restart_refuse_join(struct client *client, const struct proto_join *join);
void restart_joined(struct worker *worker);

/* The connection of a dmtcp_restart ended. */
void restart_client_gone(struct client *client);

/* Goes on with those that have joined ("f"). NULL, or why not. */
const char *restart_force(void);

/* Ends it and all its processes. */
void restart_fail(const char *reason);

/* dmtcp_restart that are connected: the coordinator must not go. */
unsigned restart_client_count(void);

#endif
