/* Every kind of private and anonymous shared memory: protections, holes, guards, advice, code made at run time, a growing stack. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "step.h"

#define PAGE 4096ul
#define PAGES 64

static sigjmp_buf back;

static void on_fault(int number)
{
    siglongjmp(back, number);
}

/* 0, or the signal that reading (or writing) there gives. */
static int touch(volatile char *address, bool write)
{
    int number = sigsetjmp(back, 1);

    if (number == 0) {
        char value = *address;
        if (write)
            *address = value;
    }
    return number;
}

static char *map(size_t size, int prot, int flags)
{
    char *memory = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

static void fill(char *memory, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t value = (i + seed) * 0x9e3779b97f4a7c15u;
        memcpy(memory + i, &value, 8);
    }
}

static void check_fill(const char *memory, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t value = (i + seed) * 0x9e3779b97f4a7c15u;
        CHECK(memcmp(memory + i, &value, 8) == 0);
    }
}

static void check_zero(const char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        CHECK(memory[i] == 0);
}

/* Uses `pages` pages of stack below the caller's. */
static __attribute__((noinline)) unsigned deep(unsigned pages)
{
    volatile char frame[PAGE];

    frame[0] = (char)pages;
    frame[PAGE - 1] = 1;
    return pages ? deep(pages - 1) + (unsigned)frame[PAGE - 1] : 0;
}

/* How the kernel describes the mapping at address: "rw-p". */
static void permissions(const void *address, char text[5])
{
    char line[4300];
    unsigned long start, end;
    FILE *maps = fopen("/proc/self/maps", "r");

    CHECK(maps);
    strcpy(text, "none");
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (unsigned long)address >= start && (unsigned long)address < end)
            sscanf(line, "%*s %4s", text);
    fclose(maps);
}

static void check_permissions(const void *address, const char *expected)
{
    char now[5];

    permissions(address, now);
    if (strcmp(now, expected))
        FAIL("step %d: %p is %s instead of %s", step_number_, address, now, expected);
}

int main(void)
{
    static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    CHECK(sigaction(SIGBUS, &action, NULL) == 0);

    char *plain = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *checkered = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE); /* protections alternate */
    char *holes = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE); /* every third page unmapped */
    char *sparse = map(1ul << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
    char *reserved = map(1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
    char *hidden = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE); /* contents behind PROT_NONE */
    char *program = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *shared = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *dropped = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE); /* MADV_DONTNEED after a restart gives zeros */
    char *untouched = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *locked = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *wiped = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *not_forked = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *huge = map(4ul << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *mirror, *again;
    static char bss[100000];

    fill(plain, PAGES * PAGE, 1);
    fill(checkered, PAGES * PAGE, 2);
    fill(holes, PAGES * PAGE, 3);
    for (size_t i = 0; i < 64; i++)
        fill(sparse + (i << 30), PAGE, (unsigned)i);
    fill(hidden, PAGES * PAGE, 4);
    fill(shared, PAGES * PAGE, 5);
    fill(dropped, PAGES * PAGE, 6);
    fill(locked, 4 * PAGE, 7);
    fill(wiped, PAGE, 8);
    fill(not_forked, PAGE, 9);
    fill(huge, 4ul << 20, 10);
    fill(bss, sizeof bss / 8 * 8, 11);
    memcpy(program, code, sizeof code);
    CHECK(mprotect(program, PAGE, PROT_READ | PROT_EXEC) == 0);
    for (size_t i = 0; i < PAGES; i++) {
        static const int prots[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE, PROT_READ | PROT_EXEC};
        CHECK(mprotect(checkered + i * PAGE, PAGE, prots[i % 4]) == 0);
        if (i % 3 == 0)
            CHECK(munmap(holes + i * PAGE, PAGE) == 0);
    }
    CHECK(mprotect(hidden, PAGES * PAGE, PROT_NONE) == 0);
    (void)!mlock(locked, 4 * PAGE); /* the limit may forbid it */
    CHECK(madvise(wiped, PAGE, MADV_WIPEONFORK) == 0);
    CHECK(madvise(not_forked, PAGE, MADV_DONTFORK) == 0);
    (void)!madvise(huge, 4ul << 20, MADV_HUGEPAGE);
    /* The same shared memory twice. */
    mirror = mremap(shared, 0, PAGES * PAGE, MREMAP_MAYMOVE);
    CHECK(mirror != MAP_FAILED);
    CHECK(deep(20) == 20);

    for (unsigned round = 1;; round++) {
        bool more = step();
        int (*function)(void) = (int (*)(void))program;

        check_fill(plain, PAGES * PAGE, 1);
        for (size_t i = 0; i < PAGES; i++) {
            char *page = checkered + i * PAGE;
            static const char *const expected[] = {"r--p", "rw-p", "---p", "r-xp"};
            check_permissions(page, expected[i % 4]);
            CHECK(touch(page, false) == (i % 4 == 2 ? SIGSEGV : 0));
            CHECK(touch(page, true) == (i % 4 == 1 ? 0 : SIGSEGV));
            if (i % 3 == 0)
                CHECK(touch(holes + i * PAGE, true) == SIGSEGV); /* no mapping of ours has come to lie there */
            else
                for (size_t k = 0; k < PAGE; k += 8) {
                    uint64_t value = (i * PAGE + k + 3) * 0x9e3779b97f4a7c15u;
                    CHECK(memcmp(holes + i * PAGE + k, &value, 8) == 0);
                }
        }
        for (size_t i = 0; i < 64; i++) {
            check_fill(sparse + (i << 30), PAGE, (unsigned)i);
            CHECK(sparse[(i << 30) + 4 * PAGE] == 0);
        }
        CHECK(touch(reserved + (round << 30), false) == SIGSEGV);
        CHECK(mprotect(reserved + (round << 30), PAGE, PROT_READ | PROT_WRITE) == 0);
        check_zero(reserved + (round << 30), PAGE);
        reserved[round << 30] = 1;
        CHECK(touch(hidden, false) == SIGSEGV);
        CHECK(mprotect(hidden, PAGES * PAGE, PROT_READ) == 0);
        check_fill(hidden, PAGES * PAGE, 4);
        CHECK(mprotect(hidden, PAGES * PAGE, PROT_NONE) == 0);
        CHECK(function() == 42);
        check_fill(shared, PAGES * PAGE, 4 + round);
        fill(shared, PAGES * PAGE, 5 + round);
        check_fill(mirror, PAGES * PAGE, 5 + round);
        check_permissions(shared, "rw-s");
        check_fill(dropped, PAGES * PAGE, 6);
        CHECK(madvise(dropped, PAGES * PAGE, MADV_DONTNEED) == 0);
        check_zero(dropped, PAGES * PAGE);
        fill(dropped, PAGES * PAGE, 6);
        again = mremap(dropped, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
        CHECK(again != MAP_FAILED);
        check_fill(again, PAGES * PAGE, 6);
        check_zero(again + PAGES * PAGE, PAGES * PAGE);
        dropped = mremap(again, 2 * PAGES * PAGE, PAGES * PAGE, 0);
        CHECK(dropped == again);
        check_zero(untouched + PAGE, (PAGES - 1) * PAGE);
        untouched[0] = (char)round;
        check_fill(locked, 4 * PAGE, 7);
        check_fill(wiped, PAGE, 8);
        check_fill(not_forked, PAGE, 9);
        check_fill(huge, 4ul << 20, 10);
        check_fill(bss, sizeof bss / 8 * 8, 11);
        CHECK(deep(100 * round) == 100 * round); /* further down than it was when the checkpoint was taken */
        if (!more)
            break;
    }
    puts("memory kept");
    return 0;
}
