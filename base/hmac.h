/* HMAC-SHA256 (RFC 2104, FIPS 198-1) on libmd's SHA-256. Free code; any thread. */
#ifndef HMAC_H
#define HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HMAC_SIZE 32

/* One stretch of the text that is authenticated. */
struct hmac_part {
    const void *bytes;
    size_t size;
};

/* MAC of the parts put together, in order. */
void hmac_sha256(uint8_t mac[HMAC_SIZE], const void *key, size_t key_size, const struct hmac_part *parts, unsigned count);

/* Compares in time that does not depend on where two MACs differ, so that a stranger can't find one byte by byte. */
bool hmac_equal(const uint8_t a[HMAC_SIZE], const uint8_t b[HMAC_SIZE]);

#endif
