/* CRC-32C: the vectors of RFC 3720 B.4, and the processor's way against the table's over lengths and alignments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"

static void rfc3720_vectors(void **state)
{
    unsigned char buffer[32];
    static const unsigned char iscsi_read[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0,    0,    0, 0, 0x04, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0};
    static const struct {
        int first, step;
        uint32_t crc;
    } filled[] = {{0, 0, 0x8a9136aa}, {0xff, 0, 0x62a8ab43}, {0, 1, 0x46dd794e}, {31, -1, 0x113fdb5c}};

    for (size_t k = 0; k < sizeof filled / sizeof *filled; k++) {
        for (int i = 0; i < 32; i++)
            buffer[i] = (unsigned char)(filled[k].first + i * filled[k].step);
        assert_int_equal(crc32c(0, buffer, sizeof buffer), filled[k].crc);
        assert_int_equal(crc32c_portable(0, buffer, sizeof buffer), filled[k].crc);
    }
    assert_int_equal(crc32c(0, iscsi_read, sizeof iscsi_read), 0xd9963a56);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static unsigned char bytes[70000];

static void fill(void)
{
    uint32_t x = 2463534242u;

    for (size_t i = 0; i < sizeof bytes; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        bytes[i] = (unsigned char)x;
    }
}

static void lengths_and_alignments_agree_with_the_table(void **state)
{
    static const size_t blocks[] = {0, 1360, 4079, 4080, 4081, 4096, 8159, 8160, 8192, 65536};

    fill();
    for (size_t at = 0; at < 17; at++)
        for (size_t size = 0; size < 130; size++)
            assert_int_equal(crc32c(7, bytes + at, size), crc32c_portable(7, bytes + at, size));
    for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++)
        for (size_t at = 0; at < 9; at++)
            assert_int_equal(crc32c(0x12345678, bytes + at, blocks[k]), crc32c_portable(0x12345678, bytes + at, blocks[k]));
}

static void parts_give_the_whole(void **state)
{
    fill();
    uint32_t whole = crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut < sizeof bytes; cut += 997)
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3720_vectors),
        cmocka_unit_test(lengths_and_alignments_agree_with_the_table),
        cmocka_unit_test(parts_give_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
