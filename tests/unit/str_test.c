#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "str.h"

static void comparing(void **state)
{
    assert_true(str_equal("", ""));
    assert_true(str_equal("abc", "abc"));
    assert_false(str_equal("abc", "abcd"));
    assert_false(str_equal("abcd", "abc"));
    assert_false(str_equal("", "a"));
    assert_false(str_equal("\xff", "\x7f"));
}

static void prefixes(void **state)
{
    const char *text = "name=value";

    assert_ptr_equal(str_after(text, "name="), text + 5);
    assert_ptr_equal(str_after(text, ""), text);
    assert_null(str_after(text, "nome="));
    assert_null(str_after("na", "name"));
    assert_null(str_after("", "n"));
    assert_string_equal(str_after("name", "name"), "");
}

static void finding(void **state)
{
    const char *text = "a:b:c";

    assert_ptr_equal(str_find(text, ':'), text + 1);
    assert_null(str_find(text, 'x'));
    assert_null(str_find("", 'x'));
}

static void base_names(void **state)
{
    assert_string_equal(str_base("/usr/bin/python3"), "python3");
    assert_string_equal(str_base("python3"), "python3");
    assert_string_equal(str_base("/"), "/");
    assert_string_equal(str_base("./a"), "a");
    assert_string_equal(str_base(""), "");
}

static void copying(void **state)
{
    for (size_t size = 0; size < 12; size++) {
        char *buffer = malloc(size + 1);
        buffer[size] = '#';
        bool whole = str_copy(buffer, size, "12345678");
        assert_int_equal(whole, size > 8);
        if (size) {
            assert_int_equal(strlen(buffer), size > 8 ? 8 : size - 1);
            assert_memory_equal(buffer, "12345678", strlen(buffer));
        }
        assert_int_equal(buffer[size], '#');
        free(buffer);
    }
}

static void appending(void **state)
{
    char buffer[8] = "abc";

    assert_true(str_append(buffer, sizeof buffer, "defg"));
    assert_string_equal(buffer, "abcdefg");
    assert_false(str_append(buffer, sizeof buffer, "h"));
    assert_string_equal(buffer, "abcdefg");
    assert_true(str_append(buffer, sizeof buffer, ""));
    memset(buffer, 'x', sizeof buffer); /* not terminated: left alone */
    assert_false(str_append(buffer, sizeof buffer, "y"));
    assert_int_equal(buffer[7], 'x');
}

static void numbers(void **state)
{
    uint64_t value = 7;
    const char *at = "123abc";

    assert_true(str_number(&at, 10, &value));
    assert_int_equal(value, 123);
    assert_string_equal(at, "abc");
    assert_true(str_number(&at, 16, &value));
    assert_int_equal(value, 0xabc);
    assert_false(str_number(&at, 10, &value));
    assert_int_equal(value, 0xabc); /* untouched */
    at = "ffffffffffffffff";
    assert_true(str_number(&at, 16, &value));
    assert_true(value == UINT64_MAX);
    at = "10000000000000000";
    assert_false(str_number(&at, 16, &value));
    at = "18446744073709551615";
    assert_true(str_number(&at, 10, &value));
    assert_true(value == UINT64_MAX);
    at = "18446744073709551616";
    assert_false(str_number(&at, 10, &value));
    at = "-1";
    assert_false(str_number(&at, 10, &value));
    at = " 1";
    assert_false(str_number(&at, 10, &value));
}

static void bounded_numbers(void **state)
{
    uint64_t value;

    assert_true(str_to_number("0", 0, 65535, &value));
    assert_true(str_to_number("65535", 0, 65535, &value));
    assert_false(str_to_number("65536", 0, 65535, &value));
    assert_false(str_to_number("0", 1, 65535, &value));
    assert_false(str_to_number("", 0, 65535, &value));
    assert_false(str_to_number("12x", 0, 65535, &value));
    assert_false(str_to_number("12 ", 0, 65535, &value));
    assert_false(str_to_number("+12", 0, 65535, &value));
    assert_false(str_to_number("0x12", 0, 65535, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing), cmocka_unit_test(prefixes), cmocka_unit_test(finding), cmocka_unit_test(base_names),
        cmocka_unit_test(copying),   cmocka_unit_test(appending), cmocka_unit_test(numbers), cmocka_unit_test(bounded_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
