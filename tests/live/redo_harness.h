/* What the checkpoint does to threads, without the rest of it: sample a thread's system call, send it the signal, hold it in the
 * handler, let it go on with libckpt's redo.c. For test programs that link redo.c's objects (GNUmakefile). */
#ifndef REDO_HARNESS_H
#define REDO_HARNESS_H

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ckpt_signal.h"
#include "redo.h"
#include "redo_slot.h"
#include "thread.h"

enum { HELD_NOT = 0, HELD_COMING = 1, HELD_PARKED = 2, HELD_GO = 3, HELD_LEFT = 4 };

struct held {
    uint32_t state; /* futex */
    bool restarted;
    bool listed;
    pthread_t pthread;
    const char *name;
    struct thread thread;
};

#define HELD_MAX 1024
static struct held held[HELD_MAX];
static unsigned held_count;
static bool harness_restarted; /* as after a restart, on this machine */

#define CHECK(condition, ...)                                                                                                              \
    do                                                                                                                                     \
        if (!(condition))                                                                                                                  \
            failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                                                                           \
    while (0)

static void (*harness_on_failure)(void); /* removes what would stay behind */

__attribute__((noreturn, format(printf, 4, 5))) static void failed(const char *file, int line, const char *what, const char *format, ...)
{
    char text[600];
    int error = errno;
    va_list list;
    size_t n;

    va_start(list, format);
    n = (size_t)snprintf(text, 200, "%s:%d: %s: ", file, line, what);
    n += (size_t)vsnprintf(text + n, 300, format, list);
    va_end(list);
    n += (size_t)snprintf(text + n, 60, " (errno %d)\n", error);
    if (write(2, text, n) < 0)
        _exit(2);
    if (harness_on_failure)
        harness_on_failure();
    _exit(1);
}

static uint64_t harness_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void harness_wait(uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void harness_set(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void harness_handler(int number, siginfo_t *info, void *raw)
{
    struct held *me = info->si_value.sival_ptr;
    int saved = errno;
    uint32_t state;

    redo_suspended(&me->thread, raw, harness_now());
    harness_set(&me->state, HELD_PARKED);
    while ((state = __atomic_load_n(&me->state, __ATOMIC_SEQ_CST)) != HELD_GO)
        harness_wait(&me->state, state);
    errno = saved;
    redo_resume(&me->thread, raw, harness_now(), me->restarted);
    harness_set(&me->state, HELD_LEFT);
    errno = saved;
}

static void harness_start(void)
{
    struct sigaction action = {.sa_sigaction = harness_handler, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

    memset(&action.sa_mask, 0xff, sizeof action.sa_mask); /* sigfillset leaves out the signals of pthread_cancel and setuid */
    CHECK(sigaction(ckpt_signal, &action, NULL) == 0, "checkpoint signal");
}

struct harness_begin {
    void *(*function)(void *);
    void *argument;
    struct held *held;
};

static void *harness_thread(void *raw)
{
    struct harness_begin begin = *(struct harness_begin *)raw;

    free(raw);
    begin.held->thread.tid = begin.held->thread.real_tid = gettid();
    __atomic_store_n(&begin.held->listed, true, __ATOMIC_SEQ_CST);
    return begin.function(begin.argument);
}

/* A thread that harness_suspend stops. */
__attribute__((unused)) static struct held *harness_create(const char *name, void *(*function)(void *), void *argument)
{
    struct harness_begin *begin = malloc(sizeof *begin);
    struct held *me = &held[held_count++];

    CHECK(held_count <= HELD_MAX, "threads");
    *begin = (struct harness_begin){function, argument, me};
    *me = (struct held){.name = name};
    CHECK(pthread_create(&me->pthread, NULL, harness_thread, begin) == 0, "thread for %s", name);
    return me;
}

static bool harness_sample(int tid, struct syscall_sample *sample)
{
    char path[64], text[256];
    unsigned long a[6], sp, pc;
    FILE *file;
    bool in_call = false;

    *sample = (struct syscall_sample){0};
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (fgets(text, sizeof text, file)) {
        in_call = sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &sample->number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &sp, &pc) == 9;
        if (in_call && sample->number >= 0) {
            sample->in_syscall = true;
            for (unsigned i = 0; i < 6; i++)
                sample->argument[i] = a[i];
            sample->sp = sp;
            sample->pc = pc;
        }
    }
    fclose(file);
    return in_call;
}

/* Until the thread stands in system call `number`, whatever its arguments. In a stub too. */
__attribute__((unused)) static void harness_await_call(struct held *me, long number)
{
    struct syscall_sample sample;

    do
        sched_yield();
    while (!__atomic_load_n(&me->listed, __ATOMIC_SEQ_CST) ||
           !(harness_sample(me->thread.real_tid, &sample) && sample.in_syscall && sample.number == number));
}

__attribute__((unused)) static bool harness_in_stub(struct held *me)
{
    struct syscall_sample sample;

    return harness_sample(me->thread.real_tid, &sample) && sample.in_syscall && sample.pc - (uint64_t)redo_stubs < sizeof redo_stubs;
}

static void harness_suspend_one(struct held *me)
{
    siginfo_t info = {.si_signo = ckpt_signal, .si_code = SI_QUEUE};

    me->state = HELD_NOT;
    if (!__atomic_load_n(&me->listed, __ATOMIC_SEQ_CST))
        return;
    info.si_pid = getpid();
    info.si_value.sival_ptr = me;
    me->restarted = harness_restarted;
    harness_sample(me->thread.real_tid, &me->thread.sample);
    me->state = HELD_COMING;
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), me->thread.real_tid, ckpt_signal, &info) != 0)
        me->state = HELD_NOT; /* it has ended */
}

static void harness_await_state(struct held *me, uint32_t wanted)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    uint32_t state;

    while ((state = __atomic_load_n(&me->state, __ATOMIC_SEQ_CST)) != wanted && state != HELD_NOT) {
        syscall(SYS_futex, &me->state, FUTEX_WAIT_PRIVATE, state, &moment, NULL, 0);
        if (state == HELD_COMING && syscall(SYS_tgkill, getpid(), me->thread.real_tid, 0) != 0)
            me->state = HELD_NOT; /* it has ended instead */
    }
}

static void harness_suspend(void)
{
    for (unsigned i = 0; i < held_count; i++)
        harness_suspend_one(&held[i]);
    for (unsigned i = 0; i < held_count; i++)
        harness_await_state(&held[i], HELD_PARKED);
}

static void harness_resume(void)
{
    for (unsigned i = 0; i < held_count; i++)
        if (held[i].state == HELD_PARKED)
            harness_set(&held[i].state, HELD_GO);
    for (unsigned i = 0; i < held_count; i++)
        if (held[i].state != HELD_NOT)
            harness_await_state(&held[i], HELD_LEFT);
}

/* A pace for interruptions; nothing depends on its length. */
static void harness_pause(unsigned ms)
{
    struct timespec ts = {.tv_nsec = ms * 1000000l};

    nanosleep(&ts, NULL);
}

/* One interruption of every thread. */
__attribute__((unused)) static void harness_interrupt(unsigned hold_ms)
{
    harness_suspend();
    if (hold_ms)
        harness_pause(hold_ms);
    harness_resume();
}

#endif
