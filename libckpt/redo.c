/* Transparent system calls.
 *
 * The checkpoint signal ends system calls like any signal does. What the kernel restarts by itself (SA_RESTART) needs nothing. For
 * the others (signal(7) lists them) the thread is found right behind the syscall instruction with EINTR or a short count. It
 * would be wrong just to set it back to the instruction: a sleep that is longer than the checkpoint interval would never end, and a half
 * sent message would be sent again. So rip is pointed at a stub (x86_64/redo_stub.S), which makes the call with the arguments that
 * are right now, puts the program's argument registers back and goes on behind the program's own instruction. The kernel's numbers may
 * differ: poll continues as ppoll, whose timeout is finer.
 *
 * A thread that is interrupted again is then found in its stub, and the slot that belongs to it knows the deadline: a timeout is neither
 * stretched nor cut, however often it is interrupted. Only when the call began before its first interruption is not known; that is taken as
 * the begin where the kernel does not say what remains. So a timeout without remainder is late by the time up to the first
 * interruption, never early.
 *
 * Whose EINTR is it? The application's, when a signal of its own is pending that this thread will handle at once: it arrived while we held
 * the thread, or together with ours, and must be seen to end the call. Then EINTR stays, or is put there where the kernel was about to
 * restart for our sake but would not for the application's. (A signal that arrives between that check and our handler's return runs its
 * handler before the call goes on, as if it had come just before the call. Programs that cannot stand that use ppoll, pselect,
 * sigsuspend and epoll_pwait, which are safe here too: see `temporary`.) When the application's signal was handled first, our frame
 * lies on its handler and the registers are not those of a call. Otherwise the EINTR is ours if the thread was seen in the very same call
 * just before, or if it has not moved on from its syscall instruction and the code says which call it was: a thread may have entered
 * a call between the sample and the signal.
 *
 * Slots outlive the handler: the stub uses its slot until it leaves it, and handlers of the application that run on top
 * of the stub come back to it. The stub frees the slot itself. A thread that leaves a stub otherwise (pthread_cancel, siglongjmp)
 * leaves the slot claimed until the thread ends or slots run out. */
#include "redo.h"

#include "ckpt_signal.h"
#include "redo_call.h"
#include "redo_registers.h"
#include "sys.h"
#include "thread.h"

/* struct redo.kind: where the thread was found. */
enum place {
    PLACE_NONE, /* nothing to do */
    PLACE_AFTER, /* behind its own syscall instruction, call cut short */
    PLACE_BEFORE, /* at its own instruction: the kernel restarts the call */
    PLACE_STUB_AFTER, /* the same two for the instruction of a stub */
    PLACE_STUB_BEFORE,
};

/* struct redo.words */
enum { WORD_ROW, WORD_NUMBER, WORD_SUSPENDED_NS, WORD_TIMER, WORD_CLAIMED };

static bool sample_matches(const struct syscall_sample *sample, ucontext_t *context, uint64_t pc)
{
    if (!sample->in_syscall || sample->pc != pc || sample->sp != register_sp(context))
        return false;
    for (unsigned i = 0; i < 6; i++)
        if (sample->argument[i] != *register_argument(context, i))
            return false;
    return true;
}

/* Row of the call behind which the thread stands, or -1. */
static int row_behind(const struct syscall_sample *sample, ucontext_t *context)
{
    int row;

    if (sample_matches(sample, context, register_pc(context)))
        return redo_find(sample->number);
    if (!register_flags_fresh(context))
        return -1;
    row = redo_find(register_number_before(context));
    return row >= 0 && redo_rows[row].sampled ? -1 : row;
}

/* A result that only a signal explains. */
static bool cut_short(const struct redo_row *row, uint64_t number, const uint64_t *argument, int64_t result)
{
    return result == -EINTR || (result > 0 && redo_is_part(row, number, argument, (uint64_t)result));
}

static void arguments_of(ucontext_t *context, uint64_t argument[6])
{
    for (unsigned i = 0; i < 6; i++)
        argument[i] = *register_argument(context, i);
}

static struct redo_slot *slot_of(int index)
{
    return &redo_slots[index];
}

static void suspended_in_stub(struct redo *redo, const struct syscall_sample *sample, ucontext_t *context, int stub)
{
    const struct redo_slot *slot = slot_of(stub);
    const struct redo_row *row = &redo_rows[slot->row];
    uint64_t pc = register_pc(context) - redo_stub_address((unsigned)stub);
    int64_t result = (int64_t)register_result(context);

    if (pc == 0)
        redo->kind = PLACE_STUB_BEFORE;
    else if (pc == REDO_SYSCALL_SIZE && (!row->sampled || sample_matches(sample, context, register_pc(context))) &&
             (result == -EINTR || (!slot->polling && cut_short(row, slot->number, slot->argument, result))))
        redo->kind = PLACE_STUB_AFTER;
    redo->stub = (uint32_t)stub + 1;
    redo->words[WORD_ROW] = slot->row;
    redo->deadline_ns = slot->deadline_ns;
}

static void suspended_behind_call(struct redo *redo, const struct syscall_sample *sample, ucontext_t *context, uint64_t now_ns)
{
    int row = row_behind(sample, context);
    uint64_t argument[6];
    enum redo_timer timer;

    if (row < 0)
        return;
    arguments_of(context, argument);
    if (!cut_short(&redo_rows[row], redo_rows[row].number, argument, (int64_t)register_result(context)) ||
        !redo_timer_of(&redo_rows[row], argument, now_ns, &timer, &redo->deadline_ns))
        return;
    redo->kind = PLACE_AFTER;
    redo->words[WORD_ROW] = (uint64_t)row;
    redo->words[WORD_TIMER] = timer;
}

/* Calls that the kernel restarts, and that may end with EINTR instead. */
static bool may_be_interrupted(const struct redo_row *row, ucontext_t *context)
{
    const unsigned wait = 0, wait_bitset = 9, command = 127; /* futex(2) */
    unsigned operation;

    switch (row->kind) {
    case REDO_KERNEL:
    case REDO_IN:
    case REDO_OUT:
    case REDO_CONNECT:
        return true;
    case REDO_FUTEX:
        operation = (unsigned)*register_argument(context, 1) & command;
        return operation == wait || operation == wait_bitset;
    }
    return false;
}

void redo_suspended(struct thread *thread, ucontext_t *context, uint64_t now_ns)
{
    struct redo *redo = &thread->redo;
    const struct syscall_sample *sample = &thread->sample;
    int stub = redo_stub_of(register_pc(context));

    redo->kind = PLACE_NONE;
    redo->deadline_ns = 0;
    redo->remaining_ns = 0;
    redo->words[WORD_SUSPENDED_NS] = now_ns;
    if (stub >= 0) {
        suspended_in_stub(redo, sample, context, stub);
    } else if (register_after_syscall(context)) {
        suspended_behind_call(redo, sample, context, now_ns);
    } else if (register_at_restart(context) && sample_matches(sample, context, register_pc(context) + REDO_SYSCALL_SIZE) &&
               sample->number == (long)register_result(context)) {
        int row = redo_find(sample->number);
        if (row >= 0 && may_be_interrupted(&redo_rows[row], context)) {
            redo->kind = PLACE_BEFORE;
            redo->words[WORD_ROW] = (uint64_t)row;
        }
    }
    if (redo->deadline_ns > now_ns)
        redo->remaining_ns = redo->deadline_ns - now_ns;
}

/* The mask that holds during the call: a signal in it does not end the call. */
static sys_sigset temporary_mask(const struct redo_row *row, const uint64_t *argument)
{
    uint64_t address = row->mask ? argument[row->mask - 1] : 0;

    if (address && row->mask_pair)
        address = *(const uint64_t *)address;
    return address ? *(const sys_sigset *)address : 0;
}

/* Will a handler of the application run when ours returns? With restart_counts: one that does not restart calls. The kernel delivers the
 * lowest number first, and the call's fate is decided by that one. */
static bool application_interrupts(ucontext_t *context, sys_sigset temporary, bool restart_counts)
{
    sys_sigset pending;

    if (SYS_IS_ERROR(sys_sigpending(&pending)))
        return false;
    pending &= ~(*(const sys_sigset *)(const void *)&context->uc_sigmask | temporary | SYS_SIGBIT(ckpt_signal));
    for (; pending; pending &= pending - 1) {
        struct sys_sigaction action;

        if (SYS_IS_ERROR(sys_sigaction(__builtin_ctzll(pending) + 1, NULL, &action)))
            continue;
        if ((void *)action.handler == (void *)SIG_DFL || (void *)action.handler == (void *)SIG_IGN)
            continue;
        return !(restart_counts && action.flags & SA_RESTART);
    }
    return false;
}

/* The deadlines of all calls of this thread that are being continued, also of those under a handler of the application, in the clock
 * of the machine we are on now. */
static void shift_deadlines(struct thread *thread, uint64_t shift_ns)
{
    for (unsigned i = 0; i < REDO_SLOTS && thread->redo.words[WORD_CLAIMED]; i++)
        if (redo_slots[i].owner == (uint32_t)thread->tid && redo_slots[i].deadline_ns)
            redo_slots[i].deadline_ns += shift_ns;
}

static void give_back(struct redo_slot *slot)
{
    __atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
}

/* A free slot, or one that this thread left by a longjmp: whatever could come back to it lay below the stack pointer. */
static struct redo_slot *claim(struct thread *thread, ucontext_t *context)
{
    unsigned start = (unsigned)thread->tid % REDO_SLOTS;
    uint32_t tid = (uint32_t)thread->tid;

    for (unsigned i = 0; i < REDO_SLOTS; i++) {
        struct redo_slot *slot = &redo_slots[(start + i) % REDO_SLOTS];
        uint32_t owner = 0;

        if (!__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) &&
            __atomic_compare_exchange_n(&slot->owner, &owner, tid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return slot;
    }
    for (unsigned i = 0; i < REDO_SLOTS && !(context->uc_stack.ss_flags & SS_ONSTACK); i++)
        if (redo_slots[i].owner == tid && redo_slots[i].sp <= register_sp(context))
            return &redo_slots[i];
    return NULL;
}

/* A slot that makes the program's call again, or what is left of it. NULL: there is none. */
static struct redo_slot *begin(struct thread *thread, ucontext_t *context, int64_t result)
{
    struct redo *redo = &thread->redo;
    const struct redo_row *row = &redo_rows[redo->words[WORD_ROW]];
    struct redo_slot *slot = claim(thread, context);

    if (!slot)
        return NULL;
    redo->stub = (uint32_t)(slot - redo_slots) + 1;
    redo->words[WORD_CLAIMED] = 1;
    arguments_of(context, slot->restore);
    arguments_of(context, slot->argument);
    slot->pc = register_pc(context);
    slot->sp = register_sp(context);
    slot->number = row->number;
    slot->total = 0;
    slot->polling = 0;
    slot->stub = redo_stub_address(redo->stub - 1);
    slot->row = (uint32_t)redo->words[WORD_ROW];
    slot->timer = (uint32_t)redo->words[WORD_TIMER];
    slot->deadline_ns = redo->deadline_ns;
    slot->vector_pool = 0;
    redo_prepare(slot, row);
    if (result > 0 && !redo_advance(slot, row, (uint64_t)result)) {
        give_back(slot);
        return NULL;
    }
    return slot;
}

/* The thread makes the slot's call when the handler returns. */
static void enter_stub(struct redo_slot *slot, ucontext_t *context, uint64_t now_ns)
{
    register_pc(context) = slot->stub;
    if (!redo_set_timeout(slot, &redo_rows[slot->row], now_ns)) {
        register_pc(context) += REDO_SYSCALL_SIZE;
        register_result(context) = (uint64_t)slot->timeout_result;
        return;
    }
    slot->polling = slot->timer == TIMER_POLL;
    if (slot->polling) {
        const uint64_t argument[6] = {(uint64_t)&slot->ready, 1, (uint64_t)&slot->time, 0, sizeof(sys_sigset), 0};
        for (unsigned i = 0; i < 6; i++)
            *register_argument(context, i) = argument[i];
        register_result(context) = __NR_ppoll;
    } else {
        for (unsigned i = 0; i < 6; i++)
            *register_argument(context, i) = slot->argument[i];
        register_result(context) = slot->number;
    }
}

static void end_with_eintr(ucontext_t *context)
{
    register_pc(context) += REDO_SYSCALL_SIZE;
    register_result(context) = (uint64_t)-EINTR;
}

void redo_resume(struct thread *thread, ucontext_t *context, uint64_t now_ns, bool restarted)
{
    struct redo *redo = &thread->redo;
    const struct redo_row *row = &redo_rows[redo->words[WORD_ROW]];
    int64_t result = (int64_t)register_result(context);
    struct redo_slot *slot;
    uint64_t argument[6];

    if (restarted) {
        uint64_t shift_ns = now_ns - redo->words[WORD_SUSPENDED_NS];
        shift_deadlines(thread, shift_ns);
        redo->deadline_ns += redo->deadline_ns ? shift_ns : 0;
    }
    slot = redo->kind == PLACE_STUB_AFTER || redo->kind == PLACE_STUB_BEFORE ? slot_of((int)redo->stub - 1) : NULL;
    arguments_of(context, argument);
    if (redo->kind == PLACE_NONE)
        return;
    if (application_interrupts(context, temporary_mask(row, slot ? slot->argument : argument), redo->kind == PLACE_BEFORE)) {
        if (redo->kind == PLACE_BEFORE || redo->kind == PLACE_STUB_BEFORE)
            end_with_eintr(context);
        return;
    }
    switch (redo->kind) {
    case PLACE_BEFORE:
        return;
    case PLACE_AFTER:
        slot = begin(thread, context, result);
        if (!slot)
            return;
        break;
    case PLACE_STUB_AFTER:
        if (result > 0 && !redo_advance(slot, row, (uint64_t)result))
            return;
        break;
    }
    enter_stub(slot, context, now_ns);
}

void redo_release(struct thread *thread)
{
    for (unsigned i = 0; i < REDO_SLOTS && thread->redo.words[WORD_CLAIMED]; i++)
        if (redo_slots[i].owner == (uint32_t)thread->tid)
            give_back(&redo_slots[i]);
    thread->redo = (struct redo){0};
}

void redo_forked(int parent_tid, int tid)
{
    for (unsigned i = 0; i < REDO_SLOTS; i++)
        if (redo_slots[i].owner)
            redo_slots[i].owner = redo_slots[i].owner == (uint32_t)parent_tid ? (uint32_t)tid : 0;
}
