/* The text between dmtcp_launch and libckpt: what goes in comes out, and nothing hostile does harm. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

static struct conf filled, decoded;
static char text[CONF_TEXT_MAX * 4];

static void fill(void)
{
    memset(&filled, 0, sizeof filled);
    conf_init(&filled);
    memset(filled.coord_host, 0, sizeof filled.coord_host);
    memset(filled.coord_address, 0, sizeof filled.coord_address);
    strcpy(filled.coord_host, "head node");
    strcpy(filled.coord_address, "fe80::1");
    strcpy(filled.host_name, "n1");
    strcpy(filled.secret_path, "/tmp/a=b\\c\nd/\xff\x01");
    strcpy(filled.ckpt_dir, "\n\n\\n\\\\n\n");
    strcpy(filled.tmp_dir, "");
    strcpy(filled.log_file, "gzip=7\nfsync=9");
    memset(filled.log_file + 14, '\\', 500);
    filled.coord_port = 65535;
    filled.gzip = 0;
    filled.gzip_level = 9;
    filled.snapshot = CONF_SNAPSHOT_NEVER;
    filled.fsync = 0;
    filled.ckpt_signal = 31;
    filled.disabled = UINT32_MAX;
    filled.log_level = 3;
    filled.unique_names = 1;
    filled.open_files = 1;
    filled.allow_overwrite = 1;
    filled.strict = 0;
    filled.host_id = UINT64_MAX - 1;
    filled.had_preload = 1;
}

static void round_trip(void **state)
{
    fill();
    size_t size = conf_encode(&filled, text, sizeof text);
    assert_true(size > 0);
    assert_int_equal(strlen(text), size);
    memset(&decoded, 0, sizeof decoded);
    conf_init(&decoded);
    memset(decoded.coord_host, 0, sizeof decoded.coord_host);
    memset(decoded.coord_address, 0, sizeof decoded.coord_address);
    assert_true(conf_decode(&decoded, text));
    assert_string_equal(decoded.secret_path, filled.secret_path);
    assert_string_equal(decoded.ckpt_dir, filled.ckpt_dir);
    assert_string_equal(decoded.log_file, filled.log_file);
    assert_memory_equal(&decoded, &filled, sizeof filled);
}

static void defaults_round_trip(void **state)
{
    conf_init(&filled);
    assert_true(conf_encode(&filled, text, sizeof text) > 0);
    memset(&decoded, 0, sizeof decoded);
    assert_true(conf_decode(&decoded, text));
    assert_memory_equal(&decoded, &filled, sizeof filled);
}

/* In any smaller buffer it does not fit, and nothing is written past its end. */
static void too_small(void **state)
{
    fill();
    size_t whole = conf_encode(&filled, text, sizeof text);

    for (size_t size = 0; size <= whole; size++) {
        char *small = malloc(size + 1);
        small[size] = '#';
        size_t used = conf_encode(&filled, small, size);
        assert_true(used == 0 || (used == whole && size > whole));
        assert_int_equal(small[size], '#');
        free(small);
    }
}

static void unknown_names(void **state)
{
    conf_init(&decoded);
    assert_true(conf_decode(&decoded, "colour=blue\\n and \\\\\ngzip=0\ngzip_level=3\nsize_of_universe=99999999999999999999\n"));
    assert_int_equal(decoded.gzip, 0);
    assert_int_equal(decoded.gzip_level, 3);
    assert_int_equal(decoded.coord_port, 7779); /* not named: kept */
    assert_true(conf_decode(&decoded, ""));
}

static void hostile_text(void **state)
{
    static const char *const bad[] = {
        "gzip",
        "gzip=",
        "gzip=\n",
        "gzip=1",
        "gzip=one\n",
        "gzip=-1\n",
        "gzip=1 \n",
        "gzip=4294967296\n",
        "gzip=99999999999999999999999999999999\n",
        "host_id=18446744073709551616\n",
        "gzip=1\ntmp_dir=unfinished",
        "tmp_dir=\\",
        "tmp_dir=\\x\n",
        "tmp_dir=a\\",
        "nonsense",
        "=",
        "\n",
        "unknown=\\q\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *copy = strdup(bad[i]); /* its own memory, for the sanitizer */
        conf_init(&decoded);
        if (conf_decode(&decoded, copy))
            fail_msg("taken for good: \"%s\"", bad[i]);
        free(copy);
    }
}

static void values_too_long(void **state)
{
    for (size_t length = 60; length < 70; length++) {
        int head = sprintf(text, "coord_address=");
        memset(text + head, 'a', length);
        strcpy(text + head + length, "\n");
        conf_init(&decoded);
        assert_int_equal(conf_decode(&decoded, text), length < sizeof decoded.coord_address);
    }
}

/* Every byte of a good text replaced: decoded or refused, never out of bounds, always terminated. */
static void damaged_text(void **state)
{
    static const unsigned char values[] = {0, 1, '\n', '\\', '=', '0', '9', 'n', 'z', 0x80, 0xff};

    fill();
    filled.log_file[34] = 0;
    size_t size = conf_encode(&filled, text, sizeof text);
    char *copy = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        for (size_t v = 0; v < sizeof values; v++) {
            memcpy(copy, text, size + 1);
            copy[i] = (char)values[v];
            if (conf_decode(&decoded, copy)) {
                assert_non_null(memchr(decoded.secret_path, 0, sizeof decoded.secret_path));
                assert_non_null(memchr(decoded.coord_address, 0, sizeof decoded.coord_address));
            }
        }
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(defaults_round_trip), cmocka_unit_test(too_small),   cmocka_unit_test(unknown_names),
        cmocka_unit_test(hostile_text), cmocka_unit_test(values_too_long),     cmocka_unit_test(damaged_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
