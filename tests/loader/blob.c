/* The made-up process: its only code, linked for a fixed address. What libckpt does first at a restart, it does too: leaves the loader's
 * stack, has FS point to memory of its own and unmaps the loader; then it checks what the plan says, prints "ok" and ends with 0, or says
 * what is wrong and ends with 1. */
#include <asm/prctl.h>

#include "fmt.h"
#include "handoff.h"
#include "plan.h"
#include "str.h"
#include "sys.h"

void blob_entry(struct handoff *handoff);
void blob_main(void);

static struct handoff handoff_copy;
static unsigned char stack[64 << 10] __attribute__((aligned(16), used));
static uint64_t tcb[16];

__asm__(".globl _start\n"
        "_start: jmp blob_entry\n");

static const struct plan *plan(void)
{
    return (const struct plan *)PLAN_ADDRESS;
}

static _Noreturn void fail(const char *format, ...)
{
    char line[256];
    va_list list;
    size_t n;

    va_start(list, format);
    n = fmt_list(line, sizeof line - 1, format, list);
    va_end(list);
    line[n++] = '\n';
    sys_write_all(1, line, n);
    sys_exit_group(1);
}

static void check(const struct plan_check *c)
{
    const uint64_t *word = (const uint64_t *)c->address;

    switch (c->kind) {
    case PLAN_FAULT: {
        long result = sys_open((const char *)c->address, O_RDONLY, 0);
        if (result != -EFAULT)
            fail("no fault at %lx: %d", c->address, (int)result);
        return;
    }
    case PLAN_WRITE:
        for (uint64_t at = c->address; at < c->address + c->size; at += 4096)
            *(volatile uint64_t *)at = at;
        return;
    default:
        for (uint64_t i = 0; i < c->size / 8; i++) {
            uint64_t wanted = c->kind == PLAN_ZERO ? 0 : plan_word(c->seed, c->address + i * 8);
            if (word[i] != wanted)
                fail("wrong contents at %lx: %lx, not %lx", c->address + i * 8, word[i], wanted);
        }
    }
}

static void check_clocks(void)
{
    long (*gettime)(int, struct timespec *) = (void *)plan()->clock_gettime;
    long (*of_day)(long *, void *) = (void *)plan()->gettimeofday;
    long (*seconds)(long *) = (void *)plan()->time;
    long (*getcpu)(unsigned *, unsigned *, void *) = (void *)plan()->getcpu;
    uint64_t before = sys_now_ns(CLOCK_MONOTONIC), real;
    struct timespec now = {0};
    long day[2] = {0, 0};
    unsigned cpu = ~0u;

    if (gettime(CLOCK_MONOTONIC, &now))
        fail("clock_gettime failed");
    uint64_t between = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (between < before || between > sys_now_ns(CLOCK_MONOTONIC))
        fail("clock_gettime is wrong: %lu after %lu", between, before);
    real = sys_now_ns(CLOCK_REALTIME) / 1000000000u;
    if (of_day && (of_day(day, NULL) || (uint64_t)day[0] < real || (uint64_t)day[0] > real + 60))
        fail("gettimeofday is wrong");
    if (seconds && ((uint64_t)seconds(NULL) + 1 < real || (uint64_t)seconds(NULL) > real + 60))
        fail("time is wrong");
    if (getcpu && (getcpu(&cpu, NULL, NULL) || cpu > 4096))
        fail("getcpu is wrong");
}

static void check_brk(void)
{
    uint64_t now = sys_brk(0), more = plan()->brk + (1u << 20);

    if (now != plan()->brk)
        fail("brk is %lx, not %lx", now, plan()->brk);
    if (sys_brk(more) != more)
        fail("brk does not grow: %lx", sys_brk(0));
    for (uint64_t at = (now + 4095) & ~4095ull; at < more; at += 4096)
        *(volatile uint64_t *)at = 1;
}

static void print(const char *name)
{
    static char buffer[4096];
    size_t n = fmt(buffer, sizeof buffer, "== %s\n", name);
    long fd = sys_open(name, O_RDONLY, 0), got;

    sys_write_all(1, buffer, n);
    while ((got = sys_read((int)fd, buffer, sizeof buffer)) > 0)
        sys_write_all(1, buffer, (size_t)got);
    sys_close((int)fd);
    sys_write_all(1, "\n", 1);
}

static void check_alone(void)
{
    struct stat st;

    if (sys_fstatat(AT_FDCWD, "/proc/self/task", &st, 0) || st.st_nlink != 3)
        fail("the loader's threads are still there");
    for (unsigned i = 0; i < handoff_copy.loader_end - handoff_copy.loader_start; i += 4096) {
        unsigned char byte;
        long error = syscall3(__NR_mincore, (long)(handoff_copy.loader_start + i), 4096, (long)&byte);
        if (!error)
            fail("the loader is still mapped at %lx", handoff_copy.loader_start + i);
    }
}

void blob_main(void)
{
    const struct plan *p = plan();

    syscall3(__NR_arch_prctl, ARCH_SET_FS, (long)tcb, 0);
    if (sys_munmap((void *)handoff_copy.loader_start, handoff_copy.loader_end - handoff_copy.loader_start))
        fail("unmapping the loader failed");
    if (handoff_copy.scratch_start &&
        sys_munmap((void *)handoff_copy.scratch_start, handoff_copy.scratch_end - handoff_copy.scratch_start))
        fail("unmapping scratch memory failed");
    check_alone();
    if (p->loader_moved && handoff_copy.loader_start == 0x6a0000000000ull)
        fail("the loader did not move");
    if ((handoff_copy.flags & p->flags_mask) != p->flags_value)
        fail("flags %x, not %x of %x", handoff_copy.flags, p->flags_value, p->flags_mask);
    if (syscall3(__NR_personality, 0xffffffff, 0, 0) != p->personality)
        fail("personality %lx, not %x", syscall3(__NR_personality, 0xffffffff, 0, 0), p->personality);
    if (sys_fcntl(handoff_copy.image_fd, F_GETFD, 0) < 0)
        fail("the image is not open");
    for (uint32_t i = 0; i < p->check_count; i++)
        check(&p->check[i]);
    if (p->alias_a) {
        *(volatile uint64_t *)p->alias_a = 0x1122334455667788;
        if (*(volatile uint64_t *)p->alias_b != 0x1122334455667788)
            fail("shared memory does not alias");
    }
    if (p->clock_gettime)
        check_clocks();
    for (unsigned i = 0; i < 8 && p->print[i][0]; i++)
        print(p->print[i]);
    if (p->brk)
        check_brk();
    for (uint64_t down = 0; down < p->grow_bytes; down += 4096)
        *(volatile uint64_t *)(p->grow_from - 8 - down) = down;
    sys_write_all(1, "ok\n", 3);
    sys_exit_group(0);
}

void blob_entry(struct handoff *handoff)
{
    handoff_copy = *handoff;
    __asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call blob_main" ::"r"(stack + sizeof stack) : "memory");
    __builtin_unreachable();
}
