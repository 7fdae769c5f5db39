/* The crc32 instruction of SSE 4.2. */
#ifndef CRC32C_CPU_H
#define CRC32C_CPU_H

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool crc32c_cpu_has(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_2;
}

/* Over the inverted CRC. */
__attribute__((target("sse4.2"))) static inline uint32_t crc32c_cpu(uint32_t crc, const unsigned char *p, size_t size)
{
    typedef uint64_t __attribute__((aligned(1), may_alias)) word;
    uint64_t wide = crc;

    for (; size >= 8; p += 8, size -= 8)
        wide = __builtin_ia32_crc32di(wide, *(const word *)(const void *)p);
    crc = (uint32_t)wide;
    for (; size; p++, size--)
        crc = __builtin_ia32_crc32qi(crc, *p);
    return crc;
}

#endif
