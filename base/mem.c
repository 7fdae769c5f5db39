/* memcpy and friends for freestanding code: the compiler emits calls to them, and the static zlib and liburing need them. Not linked
 * into hosted programs. `rep movsb` is the fastest copy on current x86_64 (ERMS) and has no alignment cases to get wrong; other
 * architectures get the compiler's loops. */
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef uint64_t __attribute__((aligned(1), may_alias)) mem_word;

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *at, int byte, size_t size);
size_t strlen(const char *s);
_Noreturn void __stack_chk_fail(void);

#include "memops.h"
#include "sys.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    mem_copy_forward(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        mem_copy_forward(to, from, size);
    } else {
        char *t = to;
        const char *f = from;
        while (size--) {
            t[size] = f[size];
            __asm__ volatile("" ::: "memory"); /* or the loop becomes a call to memmove */
        }
    }
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    mem_fill(to, byte, size);
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (; size >= 8; x += 8, y += 8, size -= 8)
        if (*(const mem_word *)(const void *)x != *(const mem_word *)(const void *)y)
            break;
    for (; size; x++, y++, size--)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *at, int byte, size_t size)
{
    const unsigned char *p = at;

    for (; size; p++, size--)
        if (*p == (unsigned char)byte)
            return (void *)(uintptr_t)p;
    return NULL;
}

size_t strlen(const char *s)
{
    const char *p = s;

    while (*p) {
        p++;
        __asm__ volatile("" ::: "memory"); /* or the loop becomes a call to strlen */
    }
    return (size_t)(p - s);
}

/* The static archives (zlib, liburing, libmd) were compiled with stack protection. Nothing can be trusted here any more. */
_Noreturn void __stack_chk_fail(void)
{
    static const char text[] = "dmtcp: stack smashed\n";

    sys_write(2, text, sizeof text - 1);
    for (;;)
        sys_kill(sys_getpid(), SIGKILL);
}
