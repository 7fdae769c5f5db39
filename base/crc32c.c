#include "crc32c.h"

#include "crc32c_cpu.h"

/* Four bits at a time: small, and only for processors without the instruction. Reflected polynomial 0x82f63b78. */
static uint32_t crc32c_table(uint32_t crc, const unsigned char *p, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    for (; size; p++, size--) {
        crc ^= *p;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

/* Set once, to one value, by whoever comes first: no race that matters. */
static unsigned char cpu_state; /* 0: unknown, 1: no instruction, 2: has it */

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    unsigned char state = __atomic_load_n(&cpu_state, __ATOMIC_RELAXED);

    if (!state) {
        state = crc32c_cpu_has() ? 2 : 1;
        __atomic_store_n(&cpu_state, state, __ATOMIC_RELAXED);
    }
    crc = ~crc;
    return ~(state == 2 ? crc32c_cpu(crc, data, size) : crc32c_table(crc, data, size));
}
