/* Protection keys: a thread may read memory of a key only if its PKRU register lets it, and new threads start without access to all but
 * key 0. V8 and others keep code and secrets under keys of their own. */
#ifndef PKEY_H
#define PKEY_H

#include <cpuid.h>
#include <stdint.h>

/* Lets the calling thread reach memory of every key. Returns what to give to pkey_restore. */
static inline uint64_t pkey_open_all(void)
{
    unsigned a, b, c = 0, d, pkru, high;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & 1u << 4 /* OSPKE */))
        return ~0ull;
    __asm__ volatile(".byte 0x0f, 0x01, 0xee" /* rdpkru */ : "=a"(pkru), "=d"(high) : "c"(0));
    __asm__ volatile(".byte 0x0f, 0x01, 0xef" /* wrpkru */ ::"a"(0), "c"(0), "d"(0) : "memory");
    return pkru;
}

static inline void pkey_restore(uint64_t pkru)
{
    if (pkru != ~0ull)
        __asm__ volatile(".byte 0x0f, 0x01, 0xef" ::"a"((unsigned)pkru), "c"(0), "d"(0) : "memory");
}

#endif
