/* The crc32 instruction takes one operand a cycle but answers after three, so three streams run side by side over neighbouring lanes of
 * a block, and their results are joined. Moving a CRC past n zero bytes is a multiplication by x^(8n) mod P; PCLMULQDQ multiplies, and
 * the crc32 instruction itself reduces the 64-bit product (it computes M * x^32 mod P; with reflected operands the product is one
 * place off), so the constants are x^(8n - 33) mod P. A block is a page less 16 bytes, because pages are what images consist of.
 *
 * Builtins instead of intrinsics: the intrinsics' headers want stdlib.h. */
#include "crc32c_sse42.h"

#include <cpuid.h>

#define LANE 1360u
#define PAST_ONE_LANE 0x3f70cc6f /* x^(8 * LANE - 33) mod P */
#define PAST_TWO_LANES 0x5aa1f3cf /* x^(16 * LANE - 33) mod P */

typedef uint64_t __attribute__((aligned(1), may_alias)) word;
typedef long long v2di __attribute__((vector_size(16)));

bool crc32c_hardware_usable(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) && (c & bit_PCLMUL);
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t moved(uint64_t crc, long long constant)
{
    v2di product = __builtin_ia32_pclmulqdq128((v2di){(long long)crc, 0}, (v2di){constant, 0}, 0);

    return __builtin_ia32_crc32di(0, (uint64_t)product[0]);
}

__attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_hardware(uint32_t crc, const unsigned char *data, size_t size)
{
    uint64_t a = crc;

    for (; size >= 3 * LANE; data += 3 * LANE, size -= 3 * LANE) {
        const word *at = (const word *)(const void *)data;
        uint64_t b = 0, c = 0;

        for (size_t i = 0; i < LANE / 8; i++) {
            a = __builtin_ia32_crc32di(a, at[i]);
            b = __builtin_ia32_crc32di(b, at[i + LANE / 8]);
            c = __builtin_ia32_crc32di(c, at[i + 2 * (LANE / 8)]);
        }
        a = moved(a, PAST_TWO_LANES) ^ moved(b, PAST_ONE_LANE) ^ c;
    }
    for (; size >= 8; data += 8, size -= 8)
        a = __builtin_ia32_crc32di(a, *(const word *)(const void *)data);
    for (; size; data++, size--)
        a = __builtin_ia32_crc32qi((unsigned)a, *data);
    return (uint32_t)a;
}
