/* What dmtcp_command and the console ask for: one table, two ways in. */
#ifndef COMMAND_H
#define COMMAND_H

#include "client.h"

message_handler command_take;

/* The answer to a client in state CLIENT_COMMAND that waits in no list any more; closes its connection. reason: one line, or "". */
void command_reply(struct client *client, enum proto_result result, const char *reason);

/* Are programs connected and free of checkpoint and restart ("RUNNING=yes")? */
bool command_running(void);

/* Reads console commands from standard input, answers on standard output. */
void console_start(void);

#endif
