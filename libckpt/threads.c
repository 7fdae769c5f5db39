#include "threads.h"

#include "library.h"
#include "log.h"
#include "proc.h"
#include "region.h"
#include "scratch.h"
#include "str.h"

#define LOG_MODULE "threads"

#define BLOCK_SLOTS 64
#define BLOCKS 4096

/* Blocks of slots are mappings of their own, so that slots never move and the table costs nothing until it is needed. */
static struct thread *blocks[BLOCKS];
static unsigned block_count;
static uint64_t vdso_start, vdso_end;

#define BLOCK_SIZE ((BLOCK_SLOTS * sizeof(struct thread) + 4095) & ~4095ul)

static struct thread *slot_at(unsigned index)
{
    return index / BLOCK_SLOTS < block_count ? &blocks[index / BLOCK_SLOTS][index % BLOCK_SLOTS] : NULL;
}

static unsigned index_of(const struct thread *thread)
{
    for (unsigned b = 0; b < block_count; b++)
        if (thread >= blocks[b] && thread < blocks[b] + BLOCK_SLOTS)
            return b * BLOCK_SLOTS + (unsigned)(thread - blocks[b]);
    return 0;
}

bool threads_own(const void *pointer)
{
    for (unsigned b = 0; b < block_count; b++) {
        size_t distance = (size_t)((const char *)pointer - (const char *)blocks[b]);
        if (distance < BLOCK_SLOTS * sizeof(struct thread))
            return distance % sizeof(struct thread) == 0;
    }
    return false;
}

struct thread *threads_next(struct thread *thread)
{
    unsigned index = thread ? index_of(thread) + 1 : 0;

    for (;; index++) {
        struct thread *next = slot_at(index);
        if (!next || next->state != THREAD_FREE)
            return next;
    }
}

struct thread *threads_by_tid(int tid)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->tid == tid)
            return thread;
    return NULL;
}

struct thread *threads_by_real_tid(int tid)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->real_tid == tid)
            return thread;
    return NULL;
}

static struct thread *slot_free(void)
{
    struct thread *slot;

    for (unsigned index = 0; (slot = slot_at(index)); index++)
        if (slot->state == THREAD_FREE)
            return slot;
    if (block_count == BLOCKS)
        return NULL;
    slot = region_map(BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (SYS_IS_ERROR(slot))
        return NULL;
    blocks[block_count] = slot;
    __atomic_store_n(&block_count, block_count + 1, __ATOMIC_RELEASE);
    return slot;
}

/* The kernel lists threads in the order they were made, as the slots mostly are: the search starts where the last one ended. */
static struct thread *find_after(struct thread *last, int real_tid)
{
    for (struct thread *thread = last; (thread = threads_next(thread));)
        if (thread->real_tid == real_tid)
            return thread;
    return last ? threads_by_real_tid(real_tid) : NULL;
}

static long note_thread(int tid, struct thread **last, bool *complete)
{
    struct thread *thread = find_after(*last, tid);

    /* Where threads come and go in great numbers, one gets the number of another that has ended a moment ago. */
    if (!thread || thread->state == THREAD_GONE) {
        if (!proc_thread_takes_signals(tid)) {
            /* One that has ended since it was listed may have made another in that time, which takes its place in the count. */
            *complete &= tid == lib.real_pid || proc_thread_lives(tid);
            return 0;
        }
        if (thread)
            redo_release(thread);
        else
            thread = slot_free();
        if (!thread)
            return -ENOMEM;
        memset(thread, 0, sizeof *thread);
        thread->tid = thread->real_tid = tid;
        thread->is_main = tid == lib.real_pid;
        thread->state = THREAD_NEW;
    } else if (thread->is_main && !proc_thread_takes_signals(tid)) {
        return 0; /* the leader has ended, and stays listed until the process ends */
    }
    thread->seen = true;
    *last = thread;
    return 0;
}

long threads_list(bool *complete)
{
    struct proc_tasks tasks;
    struct thread *last = NULL;
    int own = sys_gettid(), tid;
    unsigned listed = 0, before;
    long error = proc_tasks_open(&tasks);

    if (error < 0)
        return error;
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        thread->seen = false;
    before = proc_tasks_count(&tasks);
    *complete = true;
    for (; !error && (tid = proc_tasks_next(&tasks)) > 0; listed++)
        if (tid != own)
            error = note_thread(tid, &last, complete);
    /* When one ends while the kernel lists, it may leave out those behind it. If all that are listed live, and are as many as there were before
     * and are now, then there are no others, or one of the listed is not parked yet. */
    *complete &= before == listed && proc_tasks_count(&tasks) == listed;
    proc_tasks_close(&tasks);
    for (struct thread *thread = NULL; !error && (thread = threads_next(thread));) {
        /* One that was signalled is struck out with the count of answers; one that answered can't be gone. */
        uint32_t state = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);
        bool may_end = state == THREAD_NEW || state == THREAD_OUT || state == THREAD_AGAIN || state == THREAD_LEAVING;
        if (!thread->seen && may_end && !proc_thread_lives(thread->real_tid))
            thread->state = THREAD_GONE;
    }
    return error;
}

/* libc keeps in the word of set_tid_address(2) the number by which it knows a thread. */
void threads_recognise(struct thread *thread)
{
    if (thread->tid == thread->real_tid || thread->is_main || !thread->kernel.tid_address ||
        *(const volatile int *)thread->kernel.tid_address != thread->real_tid)
        return;
    redo_release(thread);
    thread->tid = thread->real_tid;
}

void threads_drop_gone(void)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->state == THREAD_GONE) {
            redo_release(thread);
            thread->state = THREAD_FREE;
        }
}

void threads_init(void)
{
    proc_find_vdso(&vdso_start, &vdso_end);
}

bool threads_in_vdso(uint64_t address)
{
    return address >= vdso_start && address < vdso_end;
}
