#include "crc32c.h"

#ifdef __x86_64__
#include "crc32c_sse42.h"
#else
#define crc32c_hardware_usable() false
#define crc32c_hardware(crc, data, size) (crc)
#endif

/* CRC is linear: the entry for a byte is the sum of the entries for its bits. */
#define BIT(n, i, entry) ((n) >> (i)&1 ? (entry) : 0u)
#define ENTRY(n)                                                                                                                            \
    (BIT(n, 0, 0xf26b8303u) ^ BIT(n, 1, 0xe13b70f7u) ^ BIT(n, 2, 0xc79a971fu) ^ BIT(n, 3, 0x8ad958cfu) ^ BIT(n, 4, 0x105ec76fu) ^           \
     BIT(n, 5, 0x20bd8edeu) ^ BIT(n, 6, 0x417b1dbcu) ^ BIT(n, 7, 0x82f63b78u))
#define ENTRIES_4(n) ENTRY(n), ENTRY((n) + 1), ENTRY((n) + 2), ENTRY((n) + 3)
#define ENTRIES_16(n) ENTRIES_4(n), ENTRIES_4((n) + 4), ENTRIES_4((n) + 8), ENTRIES_4((n) + 12)
#define ENTRIES_64(n) ENTRIES_16(n), ENTRIES_16((n) + 16), ENTRIES_16((n) + 32), ENTRIES_16((n) + 48)

static const uint32_t byte_table[256] = {ENTRIES_64(0), ENTRIES_64(64), ENTRIES_64(128), ENTRIES_64(192)};

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;

    for (crc = ~crc; size; at++, size--)
        crc = crc >> 8 ^ byte_table[(crc ^ *at) & 255];
    return ~crc;
}

enum { UNKNOWN, HARDWARE, PORTABLE };

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    /* Asking the processor costs a microsecond and more in a virtual machine. Every thread finds the same answer. */
    static int way;
    int now = __atomic_load_n(&way, __ATOMIC_RELAXED);

    if (now == UNKNOWN) {
        now = crc32c_hardware_usable() ? HARDWARE : PORTABLE;
        __atomic_store_n(&way, now, __ATOMIC_RELAXED);
    }
    return now == HARDWARE ? ~crc32c_hardware(~crc, data, size) : crc32c_portable(crc, data, size);
}
