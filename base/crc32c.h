/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as images use it. Free code. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC of `size` more bytes after those that gave `crc` (0 for the first). */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The same from a table, for processors without an instruction for it (and to test the other against). */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif
