/* The checkpoint signal: which number it is, and what becomes of one that the application sent or expects itself.
 *
 * To the application the signal looks as if nobody used it: wrap/signal.c keeps it out of every mask and set that the application
 * hands to the kernel, and keeps the application's own action for it. */
#ifndef CKPT_SIGNAL_H
#define CKPT_SIGNAL_H

#include <signal.h>

#pragma GCC visibility push(hidden)

/* 1 to 64. Set by the constructor from conf.ckpt_signal before the handler is installed. */
extern int ckpt_signal;

/* The handler got the signal, and it is not ours (info->si_value). Does what the application's action for it says: its handler runs with
 * its mask and flags, inside this call; or nothing; or the process ends by the signal. A thread that has blocked the signal gets
 * it again when it unblocks it. Called by the handler, in the thread, all signals blocked, and they are again on return; *context is
 * the handler's. Uses no libc, except by what the application's handler does; may not return (siglongjmp). */
void ckpt_signal_application(siginfo_t *info, void *context);

#pragma GCC visibility pop

#endif
