#include "sender.h"

#include "vpid.h"

static sender_handler *program[65];

void sender_translate(int signal, siginfo_t *info, void *context)
{
    sender_handler *handler = __atomic_load_n(&program[signal], __ATOMIC_ACQUIRE);

    if (signals_from_process(info))
        info->si_pid = vpid_from_real(info->si_pid);
    handler(signal, info, context);
}

/* libc's own two, for cancellation and set*id: their handlers compare si_pid with the kernel's number of the process (getpid inside libc is
 * not ours), and ignore the signal when it differs. */
static bool is_libc_internal(int signal)
{
    return signal == 32 || signal == 33;
}

sender_handler *sender_enter(int signal, sender_handler *handler, unsigned long flags)
{
    if (!vpid_active || is_libc_internal(signal) || !(flags & SA_SIGINFO) || (uintptr_t)handler <= 1 /* SIG_DFL, SIG_IGN */ || handler == sender_translate)
        return handler;
    __atomic_store_n(&program[signal], handler, __ATOMIC_RELEASE);
    return sender_translate;
}

sender_handler *sender_leave(int signal, sender_handler *handler)
{
    return handler == sender_translate ? __atomic_load_n(&program[signal], __ATOMIC_ACQUIRE) : handler;
}
