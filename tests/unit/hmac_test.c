/* HMAC-SHA256 against the vectors of RFC 4231, sections 4.2 to 4.8. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "hmac.h"

struct vector {
    const char *key, *data, *mac; /* hexadecimal */
};

static const struct vector vectors[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

static size_t from_hex(const char *text, uint8_t *bytes)
{
    size_t n = 0;
    unsigned byte;

    for (; sscanf(text, "%2x", &byte) == 1; text += 2)
        bytes[n++] = (uint8_t)byte;
    return n;
}

static void check(const void *key, size_t key_size, const uint8_t *data, size_t size, const char *wanted)
{
    uint8_t mac[HMAC_SIZE], expected[HMAC_SIZE];

    assert_int_equal(from_hex(wanted, expected), HMAC_SIZE);
    /* In one piece and cut in two at every place. */
    for (size_t cut = 0; cut <= size; cut++) {
        const struct hmac_part parts[] = {{data, cut}, {data + cut, size - cut}};

        hmac_sha256(mac, key, key_size, parts, 2);
        assert_memory_equal(mac, expected, HMAC_SIZE);
    }
}

static void rfc_4231(void **state)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t key[64], data[64];
        size_t key_size = from_hex(vectors[i].key, key), size = from_hex(vectors[i].data, data);

        check(key, key_size, data, size, vectors[i].mac);
    }
}

/* Sections 4.7 and 4.8: a key longer than a block is hashed first. */
static void long_keys(void **state)
{
    static const char test_6[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    static const char test_7[] = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
                                 "hashed before being used by the HMAC algorithm.";
    uint8_t key[131];

    memset(key, 0xaa, sizeof key);
    check(key, sizeof key, (const uint8_t *)test_6, sizeof test_6 - 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check(key, sizeof key, (const uint8_t *)test_7, sizeof test_7 - 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void compares_every_bit(void **state)
{
    uint8_t a[HMAC_SIZE], b[HMAC_SIZE];

    for (unsigned i = 0; i < HMAC_SIZE; i++)
        a[i] = b[i] = (uint8_t)(i * 7);
    assert_true(hmac_equal(a, b));
    for (unsigned bit = 0; bit < HMAC_SIZE * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(hmac_equal(a, b));
        b[bit / 8] = a[bit / 8];
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_4231),
        cmocka_unit_test(long_keys),
        cmocka_unit_test(compares_every_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
