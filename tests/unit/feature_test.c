#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "feature.h"

static bool parse(const char *text, uint32_t *bits, size_t *unknown_at)
{
    const char *unknown = NULL;
    char *copy = strdup(text);
    bool good = feature_parse(copy, bits, &unknown);

    if (unknown_at)
        *unknown_at = unknown ? (size_t)(unknown - copy) : SIZE_MAX;
    free(copy);
    return good;
}

static void names(void **state)
{
    uint32_t bits = 0;

    assert_true(parse("", &bits, NULL));
    assert_int_equal(bits, 0);
    assert_true(parse("uring", &bits, NULL));
    assert_int_equal(bits, FEATURE_URING);
    assert_true(parse("set_tid,vdso_move", &bits, NULL)); /* added to what was there */
    assert_int_equal(bits, FEATURE_URING | FEATURE_SET_TID | FEATURE_VDSO_MOVE);
    bits = 0;
    assert_true(parse("uring,pagemap_scan,kcmp,set_mm_map,set_tid,vdso_move,snapshot,close_range,procmap_query,timer_ids,timer_ticks", &bits, NULL));
    assert_int_equal(bits, FEATURE_ALL);
}

static void unknown_names(void **state)
{
    uint32_t bits = 0;
    size_t at;

    assert_false(parse("uring,warp_drive,kcmp", &bits, &at));
    assert_int_equal(at, 6);
    assert_false(parse("uringx", &bits, &at));
    assert_int_equal(at, 0);
    assert_false(parse("urin", &bits, NULL));
    assert_false(parse("URING", &bits, NULL));
    assert_false(parse("uring kcmp", &bits, NULL));
    assert_false(parse(",", &bits, NULL));
    assert_false(parse("uring,,kcmp", &bits, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(unknown_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
