/* CRC-32C by the processor's own instruction. Free code. */
#ifndef CRC32C_SSE42_H
#define CRC32C_SSE42_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Has the processor SSE4.2 and PCLMULQDQ? Asks it (under a hypervisor that is slow: ask once). */
bool crc32c_hardware_usable(void);

/* As crc32c(), but without the inversions before and after. */
uint32_t crc32c_hardware(uint32_t crc, const unsigned char *data, size_t size);

#endif
