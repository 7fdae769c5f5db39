#include "hmac.h"

#include <sha256.h>

#include "str.h"

#define BLOCK SHA256_BLOCK_LENGTH

void hmac_sha256(uint8_t mac[HMAC_SIZE], const void *key, size_t key_size, const struct hmac_part *parts, unsigned count)
{
    uint8_t pad[BLOCK] = {0};
    SHA256_CTX hash;

    if (key_size > BLOCK) {
        SHA256Init(&hash);
        SHA256Update(&hash, key, key_size);
        SHA256Final(pad, &hash);
    } else {
        memcpy(pad, key, key_size);
    }
    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36;
    SHA256Init(&hash);
    SHA256Update(&hash, pad, BLOCK);
    for (unsigned i = 0; i < count; i++)
        SHA256Update(&hash, parts[i].bytes, parts[i].size);
    SHA256Final(mac, &hash);

    for (unsigned i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    SHA256Init(&hash);
    SHA256Update(&hash, pad, BLOCK);
    SHA256Update(&hash, mac, HMAC_SIZE);
    SHA256Final(mac, &hash);

    /* The padded key must not stay on a stack that a checkpoint image may hold. */
    memset(pad, 0, sizeof pad);
    memset(&hash, 0, sizeof hash);
    __asm__ volatile("" ::"r"(pad), "r"(&hash) : "memory");
}

bool hmac_equal(const uint8_t a[HMAC_SIZE], const uint8_t b[HMAC_SIZE])
{
    uint8_t difference = 0;

    for (unsigned i = 0; i < HMAC_SIZE; i++)
        difference |= a[i] ^ b[i];
    return !difference;
}
