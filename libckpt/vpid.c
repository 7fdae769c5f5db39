#include "vpid.h"

#include "library.h"
#include "processes.h"
#include "threads.h"

bool vpid_active;

/* A process whose parent was outside of the computation is dmtcp_restart's child after a restart. The parent at the checkpoint, and who is in its
 * place: as long as that is so, the process has the parent it had. */
static struct {
    int real, virtual; /* real 0: nothing to translate but what the table says */
} parent;

static bool threads_differ(void)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->tid != thread->real_tid)
            return true;
    return false;
}

void vpid_settle(void)
{
    vpid_active = lib.pid != lib.real_pid || processes_differ() || threads_differ();
}

void vpid_note_parent(void)
{
    parent.virtual = vpid_parent_from_real(sys_getppid());
}

void vpid_settle_parent(void)
{
    parent.real = sys_getppid();
}

void vpid_forked(void)
{
    parent.real = 0;
    vpid_settle();
}

/* A slot stays after its thread has ended, until the next checkpoint; its number may by then be somebody else's, and its stack unmapped. The
 * word that the kernel clears at a thread's end (set_tid_address(2)) tells: libc keeps the number there that it knows. */
static bool alive(const struct thread *thread)
{
    int word = 0;
    struct iovec local = {&word, sizeof word}, remote = {(void *)thread->kernel.tid_address, sizeof word};

    if (!thread->kernel.tid_address)
        return false;
    long n = sys_process_vm_readv(sys_getpid(), &local, 1, &remote, 1);
    if (n < 0 && n != -EFAULT) /* the call is not there, or a filter of the program forbids it */
        word = *(const volatile int *)thread->kernel.tid_address;
    return word == thread->tid;
}

static struct thread *by_tid(int tid)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->tid == tid && thread->tid != thread->real_tid && alive(thread))
            return thread;
    return NULL;
}

static struct thread *by_real_tid(int tid)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->real_tid == tid && thread->tid != thread->real_tid && alive(thread))
            return thread;
    return NULL;
}

int vpid_to_real(int number)
{
    if (!vpid_active || number == 0 || number == -1 || number == INT32_MIN)
        return number;
    if (number < 0)
        return -vpid_to_real(-number);
    if (number == lib.pid)
        return lib.real_pid;
    struct thread *thread = by_tid(number);
    if (thread)
        return thread->real_tid;
    int real = processes_real(number);
    return real ? real : number;
}

int vpid_from_real(int number)
{
    if (!vpid_active || number <= 0)
        return number;
    if (number == lib.real_pid)
        return lib.pid;
    struct thread *thread = by_real_tid(number);
    if (thread)
        return thread->tid;
    int virtual = processes_virtual(number);
    return virtual ? virtual : number;
}

int vpid_parent_from_real(int number)
{
    return parent.real && number == parent.real ? parent.virtual : vpid_from_real(number);
}

bool vpid_number_taken(int real)
{
    if (!vpid_active)
        return false;
    return (real == lib.pid && real != lib.real_pid) || by_tid(real) || processes_taken(real, real);
}

struct visit {
    void (*visit)(int number, void *argument);
    void *argument;
};

static void visit_process(const struct ptable_entry *entry, void *argument)
{
    const struct visit *visit = argument;

    if (entry->virtual != entry->real)
        visit->visit(entry->virtual, visit->argument);
}

void vpid_each_taken(void (*function)(int number, void *argument), void *argument)
{
    struct visit visit = {function, argument};

    if (!vpid_active)
        return;
    if (lib.pid != lib.real_pid)
        function(lib.pid, argument);
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->tid != thread->real_tid)
            function(thread->tid, argument);
    processes_each(visit_process, &visit);
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
