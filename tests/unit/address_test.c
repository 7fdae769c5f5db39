/* address_parse() reads what inet_pton(3) reads, and nothing else but a numeric scope. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static const char *const seeds[] = {
    "127.0.0.1", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1..2.3", "", ".", ":", "::", ":::", "::1", "1::", "1::2",
    "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "fe80::abcd:EF01",
    "::ffff:10.0.0.1", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.4::", "g::", "localhost", "1:", "::1:",
    "::ffff:1.2.3.4:5", "0001::0000", "00001::",
};

static void same_as_libc(const char *text)
{
    union address address;
    unsigned char expected[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    int valid = inet_pton(family, text, expected);
    long size = address_parse(text, 4711, &address);

    if (valid != 1) {
        if (size >= 0)
            fail_msg("'%s' is taken", text);
        return;
    }
    if (size < 0)
        fail_msg("'%s' is not taken", text);
    assert_int_equal(address.any.sa_family, family);
    if (family == AF_INET) {
        assert_int_equal(size, sizeof address.v4);
        assert_int_equal(ntohs(address.v4.sin_port), 4711);
        assert_memory_equal(&address.v4.sin_addr, expected, 4);
    } else {
        assert_int_equal(size, sizeof address.v6);
        assert_int_equal(ntohs(address.v6.sin6_port), 4711);
        assert_memory_equal(&address.v6.sin6_addr, expected, 16);
    }
}

static void examples(void **state)
{
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        same_as_libc(seeds[i]);
}

/* Each example with one character changed, taken out or put in. */
static void neighbours(void **state)
{
    static const char letters[] = "0159afg:.% ";

    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        size_t length = strlen(seeds[i]);

        for (size_t at = 0; at <= length; at++)
            for (const char *letter = letters; *letter; letter++) {
                char text[128];

                if (*letter == '%')
                    continue;
                snprintf(text, sizeof text, "%.*s%c%s", (int)at, seeds[i], *letter, seeds[i] + at);
                same_as_libc(text);
                if (at < length) {
                    snprintf(text, sizeof text, "%.*s%c%s", (int)at, seeds[i], *letter, seeds[i] + at + 1);
                    same_as_libc(text);
                    snprintf(text, sizeof text, "%.*s%s", (int)at, seeds[i], seeds[i] + at + 1);
                    same_as_libc(text);
                }
            }
    }
}

static void scopes_and_ports(void **state)
{
    union address address;

    assert_int_equal(address_parse("fe80::1%3", 1, &address), sizeof address.v6);
    assert_int_equal(address.v6.sin6_scope_id, 3);
    assert_true(address_parse("fe80::1%", 1, &address) < 0);
    assert_true(address_parse("fe80::1%eth0", 1, &address) < 0);
    assert_true(address_parse("fe80::1%4294967296", 1, &address) < 0);
    assert_true(address_parse("127.0.0.1%1", 1, &address) < 0);
    assert_true(address_parse("127.0.0.1", 65535, &address) > 0);
    assert_true(address_parse("127.0.0.1", 65536, &address) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(scopes_and_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
