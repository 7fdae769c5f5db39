/* fmt() writes what snprintf() would, for the subset that it has. */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmt.h"

/* Both, with every size of buffer from none to more than enough; canaries stand around the buffer. */
#define SAME(...)                                                                                                                          \
    do {                                                                                                                                   \
        char expected_[512];                                                                                                               \
        size_t length_ = (size_t)snprintf(expected_, sizeof expected_, __VA_ARGS__);                                                       \
        for (size_t size_ = 0; size_ <= length_ + 2; size_++) {                                                                            \
            char *buffer_ = malloc(size_ + 2);                                                                                             \
            memset(buffer_, '#', size_ + 2);                                                                                               \
            size_t used_ = fmt(buffer_ + 1, size_, __VA_ARGS__);                                                                           \
            size_t wanted_ = size_ == 0 ? 0 : length_ < size_ ? length_ : size_ - 1;                                                       \
            assert_int_equal(used_, wanted_);                                                                                              \
            assert_memory_equal(buffer_ + 1, expected_, used_);                                                                            \
            if (size_)                                                                                                                     \
                assert_int_equal(buffer_[1 + used_], 0);                                                                                   \
            assert_int_equal(buffer_[0], '#');                                                                                             \
            assert_int_equal(buffer_[size_ + 1], '#');                                                                                     \
            free(buffer_);                                                                                                                 \
        }                                                                                                                                  \
    } while (0)

static const int ints[] = {0, 1, -1, 9, 10, -10, 99, 12345, INT_MAX, INT_MIN, INT_MIN + 1, 0x7f, 0x80};
static const int64_t longs[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1, 1000000000000, -1000000000000, 0x123456789abcdef};

static void decimal(void **state)
{
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        SAME("%d", ints[i]);
        SAME("<%5d>", ints[i]);
        SAME("<%05d>", ints[i]);
        SAME("<%020d>", ints[i]);
        SAME("%u|%x|%o", (unsigned)ints[i], (unsigned)ints[i], (unsigned)ints[i]);
        SAME("%08x %2u %012o", (unsigned)ints[i], (unsigned)ints[i], (unsigned)ints[i]);
    }
    for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
        SAME("%ld %lld", (long)longs[i], (long long)longs[i]);
        SAME("%lu %lx %lo", (unsigned long)longs[i], (unsigned long)longs[i], (unsigned long)longs[i]);
        SAME("%zu %zx", (size_t)longs[i], (size_t)longs[i]);
        SAME("<%30ld><%030ld><%016lx>", (long)longs[i], (long)longs[i], (unsigned long)longs[i]);
    }
}

static void many_numbers(void **state)
{
    uint64_t random = 1;

    for (int i = 0; i < 20000; i++) {
        char mine[96], theirs[96];

        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t value = random >> (random % 64);
        size_t used = fmt(mine, sizeof mine, "%ld %lu %lx %lo %d", (long)value, value, value, value, (int)value);
        size_t expected = (size_t)snprintf(theirs, sizeof theirs, "%ld %lu %lx %lo %d", (long)value, value, value, value, (int)value);
        assert_int_equal(used, expected);
        assert_string_equal(mine, theirs);
    }
}

static void text(void **state)
{
    SAME("nothing");
    SAME("%s", "");
    SAME("%s and %s", "one", "two");
    SAME("<%10s>", "right");
    SAME("<%2s>", "longer");
    SAME("%.*s|", 3, "cut off");
    SAME("%.*s|", 0, "cut off");
    SAME("%.*s|", 100, "not cut off");
    SAME("%.*s|", -1, "negative: all of it");
    SAME("%c%c%c", 'a', 'b', 'c');
    SAME("100 %%");
    SAME("%p", (void *)0x1234abcd);
    SAME("%s %d %s", "mixed", 42, "text");

    char buffer[32];
    const char *volatile none = NULL;
    fmt(buffer, sizeof buffer, "%s", none);
    assert_string_equal(buffer, "(null)");
}

/* Precision must not read past what it allows: the text here has no terminator. */
static void bounded_text(void **state)
{
    char *raw = malloc(4), buffer[16];

    memcpy(raw, "abcd", 4);
    assert_int_equal(fmt(buffer, sizeof buffer, "%.*s", 4, raw), 4);
    assert_string_equal(buffer, "abcd");
    free(raw);
}

static void errors(void **state)
{
    char buffer[128], expected[128];

    for (int number = 1; number < 134; number++) {
        const char *words = fmt_error(number);
        if (words)
            assert_string_equal(words, strerror(number));
        assert_ptr_equal(words, fmt_error(-number));
        if (words)
            snprintf(expected, sizeof expected, "open: %s.", strerror(number));
        else
            snprintf(expected, sizeof expected, "open: error %d.", number);
        fmt(buffer, sizeof buffer, "open: %e.", number);
        assert_string_equal(buffer, expected);
        fmt(buffer, sizeof buffer, "open: %e.", -number);
        assert_string_equal(buffer, expected);
    }
    fmt(buffer, sizeof buffer, "%e", 4000);
    assert_string_equal(buffer, "error 4000");
    fmt(buffer, sizeof buffer, "%e", INT_MIN);
    assert_string_equal(buffer, "error 2147483648");
}

static void odd_formats(void **state)
{
    char buffer[32];

    assert_int_equal(fmt(buffer, sizeof buffer, "end %"), 4);
    assert_string_equal(buffer, "end ");
    assert_int_equal(fmt(buffer, sizeof buffer, "%5"), 0);
    assert_string_equal(buffer, "");
    assert_int_equal(fmt(buffer, 1, "%s", "text"), 0);
    assert_string_equal(buffer, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal), cmocka_unit_test(many_numbers), cmocka_unit_test(text),
        cmocka_unit_test(bounded_text), cmocka_unit_test(errors), cmocka_unit_test(odd_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
