#include "vpid.h"

#include "library.h"
#include "threads.h"

bool vpid_active;

void vpid_settle(void)
{
    bool differ = lib.pid != lib.real_pid;

    for (struct thread *thread = NULL; !differ && (thread = threads_next(thread));)
        differ = thread->tid != thread->real_tid;
    vpid_active = differ;
}

/* A slot stays after its thread has ended, until the next checkpoint; its number may by then be somebody else's. The word that the kernel
 * clears at a thread's end (set_tid_address(2)) tells: libc keeps the number there that it knows. */
static bool alive(const struct thread *thread)
{
    return thread->kernel.tid_address && *(const volatile int *)thread->kernel.tid_address == thread->tid;
}

int vpid_to_real(int number)
{
    if (!vpid_active || number == 0 || number == -1)
        return number;
    if (number < 0)
        return -vpid_to_real(-number);
    if (number == lib.pid)
        return lib.real_pid;
    struct thread *thread = threads_by_tid(number);
    return thread && alive(thread) ? thread->real_tid : number;
}

int vpid_from_real(int number)
{
    if (!vpid_active || number <= 0)
        return number;
    if (number == lib.real_pid)
        return lib.pid;
    struct thread *thread = threads_by_real_tid(number);
    return thread && alive(thread) ? thread->tid : number;
}

struct thread *vpid_stale_pthread(unsigned long pthread)
{
    if (!vpid_active)
        return NULL;
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->kernel.fs == pthread && thread->tid != thread->real_tid && alive(thread))
            return thread;
    return NULL;
}
