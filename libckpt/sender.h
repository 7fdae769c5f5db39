/* Who sent a signal, in handlers with SA_SIGINFO: si_pid is the kernel's number, the program knows another after a restart that could not take the
 * old ones back. Only then (vpid_active) a function of ours stands before the program's handlers; until then nothing does. Any thread. */
#ifndef SENDER_H
#define SENDER_H

#include <signal.h>

#include "sys.h"

typedef void sender_handler(int, siginfo_t *, void *);

/* Stands in the kernel for the program's handler. */
void sender_translate(int signal, siginfo_t *info, void *context);

/* What to give the kernel in place of the program's handler; and the program's in place of what the kernel has. `flags` as in sigaction(2). */
sender_handler *sender_enter(int signal, sender_handler *handler, unsigned long flags);
sender_handler *sender_leave(int signal, sender_handler *handler);

#endif
