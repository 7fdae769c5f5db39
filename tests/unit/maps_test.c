/* Lines of /proc/PID/maps, the strange ones included; then our own, which must agree with what we map. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "maps.h"

/* From memory that ends where the line ends, so that the sanitizer sees a read too far. */
static bool parse(const char *text, struct map *map)
{
    size_t size = strlen(text);
    char *line = malloc(size ? size : 1);

    memcpy(line, text, size);
    memset(map, 0xee, sizeof *map);
    bool good = maps_parse_line(line, size, map);
    free(line);
    return good;
}

static void usual_lines(void **state)
{
    struct map map;

    assert_true(parse("00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/dbus-daemon", &map));
    assert_int_equal(map.start, 0x400000);
    assert_int_equal(map.end, 0x452000);
    assert_int_equal(map.prot, PROT_READ | PROT_EXEC);
    assert_false(map.shared);
    assert_false(map.deleted);
    assert_int_equal(map.offset, 0x1000);
    assert_int_equal(map.major, 8);
    assert_int_equal(map.minor, 2);
    assert_int_equal(map.inode, 173521);
    assert_string_equal(map.name, "/usr/bin/dbus-daemon");

    assert_true(parse("7f0000000000-7f0000001000 rw-s 00000000 00:01 2062                       /dev/zero (deleted)", &map));
    assert_true(map.shared);
    assert_true(map.deleted);
    assert_string_equal(map.name, "/dev/zero");

    assert_true(parse("7ffc0000-7ffd0000 ---p 00000000 00:00 0 ", &map));
    assert_int_equal(map.prot, PROT_NONE);
    assert_string_equal(map.name, "");

    assert_true(parse("7ffc0000-7ffd0000 rwxp 00000000 00:00 0", &map));
    assert_string_equal(map.name, "");

    assert_true(parse("7ffc0000-7ffd0000 rw-p 00000000 00:00 0                          [heap]", &map));
    assert_string_equal(map.name, "[heap]");

    assert_true(parse("7ffc0000-7ffd0000 rw-p 00000000 00:00 0                          [anon:dmtcp scratch]", &map));
    assert_string_equal(map.name, "[anon:dmtcp scratch]");

    assert_true(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]", &map));
    assert_true(map.end == 0xffffffffff601000u);
    assert_string_equal(map.name, "[vsyscall]");

    assert_true(parse("1000-2000 r--p ffffffff000 103:ff 18446744073709551615 /a", &map));
    assert_int_equal(map.major, 0x103);
    assert_int_equal(map.minor, 0xff);
    assert_true(map.inode == UINT64_MAX);
}

static void strange_names(void **state)
{
    struct map map;

    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /home/a user/my  file ", &map));
    assert_string_equal(map.name, "/home/a user/my  file ");
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /two\\012lines", &map));
    assert_string_equal(map.name, "/two\nlines");
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /back\\slash\\01", &map));
    assert_string_equal(map.name, "/back\\slash\\01");
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /x (deleted) (deleted)", &map));
    assert_true(map.deleted);
    assert_string_equal(map.name, "/x (deleted)");
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /x (deleted) ", &map));
    assert_false(map.deleted);
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /memfd:name (deleted)", &map));
    assert_true(map.deleted);
    assert_string_equal(map.name, "/memfd:name");
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 (deleted)", &map));
    assert_false(map.deleted);
    assert_true(parse("1000-2000 r--p 00000000 08:02 5 /\xff\xfe\x01", &map));
    assert_string_equal(map.name, "/\xff\xfe\x01");
}

static void long_names(void **state)
{
    static char line[9000];
    struct map map;

    for (size_t length = 4080; length < 4110; length++) {
        int head = sprintf(line, "1000-2000 r--p 00000000 08:02 5 /");
        memset(line + head, 'n', length);
        line[(size_t)head + length] = 0;
        if (parse(line, &map))
            assert_true(strlen(map.name) < sizeof map.name);
        assert_int_equal(map.name[0], '/');
    }
}

static void what_is_no_line(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "1000",
        "1000-",
        "1000-2000",
        "1000-2000 ",
        "1000-2000 r",
        "1000-2000 r--",
        "1000-2000 r--p",
        "1000-2000 r--p ",
        "1000-2000 r--p 0",
        "1000-2000 r--p 00000000 ",
        "1000-2000 r--p 00000000 08",
        "1000-2000 r--p 00000000 08:",
        "1000-2000 r--p 00000000 08:02",
        "1000-2000 r--p 00000000 08:02 ",
        "1000-2000 r--p 00000000 08:02 x",
        "2000-1000 r--p 00000000 08:02 5 /a",
        "1000-1000 r--p 00000000 08:02 5 /a",
        "-2000 r--p 00000000 08:02 5 /a",
        " 1000-2000 r--p 00000000 08:02 5 /a",
        "1000 2000 r--p 00000000 08:02 5 /a",
        "10000000000000000-20000000000000000 r--p 00000000 08:02 5 /a",
        "1000-2000  r--p 00000000 08:02 5 /a",
    };
    struct map map;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i], &map))
            fail_msg("taken for a line: \"%s\"", bad[i]);
}

/* Every prefix of a good line, and the line with every byte replaced: no crash, nothing out of bounds. */
static void damaged_lines(void **state)
{
    static const char line[] = "7f0000000000-7f0000001000 rw-s 0012f000 fd:01 2062                       /usr/lib/a\\012b (deleted)";
    char copy[sizeof line];
    struct map map;

    for (size_t size = 0; size < sizeof line; size++) {
        memcpy(copy, line, size);
        copy[size] = 0;
        parse(copy, &map);
    }
    for (size_t i = 0; i + 1 < sizeof line; i++)
        for (int value = 1; value < 256; value++) {
            memcpy(copy, line, sizeof line);
            copy[i] = (char)value;
            if (parse(copy, &map))
                assert_true(map.start < map.end);
        }
}

static void own_maps(void **state)
{
    static struct maps_reader reader;
    char name[] = "/tmp/dmtcp-test maps\nXXXXXX";
    int fd = mkstemp(name);
    struct map map;
    uint64_t last = 0;
    unsigned found = 0;
    long result;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8192), 0);
    char *private = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0), *shared = mmap(NULL, 4096, PROT_NONE, MAP_SHARED, fd, 4096);
    unlink(name);
    assert_int_equal(maps_open(&reader, "/proc/self/maps"), 0);
    while ((result = maps_next(&reader, &map)) == 1) {
        assert_true(map.start >= last);
        last = map.end;
        if (map.start == (uintptr_t)private) {
            assert_int_equal(map.end - map.start, 8192);
            assert_int_equal(map.prot, PROT_READ);
            assert_false(map.shared);
            assert_true(map.deleted);
            assert_string_equal(map.name, name);
            found++;
        }
        if (map.start == (uintptr_t)shared) {
            assert_int_equal(map.prot, PROT_NONE);
            assert_true(map.shared);
            assert_int_equal(map.offset, 4096);
            assert_string_equal(map.name, name);
            found++;
        }
    }
    assert_int_equal(result, 0);
    assert_int_equal(found, 2);
    maps_close(&reader);
    munmap(private, 8192);
    munmap(shared, 4096);
    close(fd);
}

/* Through a file: lines that straddle the buffer, an unterminated last one, one that is no line, one that is too long. */
static void reading(void **state)
{
    static struct maps_reader reader;
    char name[] = "/tmp/dmtcp-test-maps-XXXXXX";
    int fd = mkstemp(name);
    FILE *file = fdopen(fd, "w");
    struct map map;

    assert_int_equal(maps_open(&reader, "/nonexistent/maps"), -ENOENT);
    assert_non_null(file);
    for (unsigned i = 0; i < 2000; i++)
        fprintf(file, "%x000-%x000 rw-p 00000000 00:00 %u /%0*d\n", 2 * i, 2 * i + 1, i, (int)(i % 300) + 1, 7);
    fflush(file);
    assert_int_equal(maps_open(&reader, name), 0);
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(maps_next(&reader, &map), 1);
        assert_int_equal(map.inode, i);
        assert_int_equal(map.start, 0x2000ul * i);
        assert_int_equal(strlen(map.name), i % 300 + 2);
    }
    assert_int_equal(maps_next(&reader, &map), 0);
    assert_int_equal(maps_next(&reader, &map), 0);
    maps_close(&reader);

    fprintf(file, "f000000-f001000 rw-p");
    fflush(file);
    assert_int_equal(maps_open(&reader, name), 0);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(maps_next(&reader, &map), 1);
    assert_int_equal(maps_next(&reader, &map), -EPROTO);
    maps_close(&reader);

    assert_int_equal(ftruncate(fd, 0), 0);
    rewind(file);
    for (unsigned i = 0; i < 40000; i++)
        fputc('1', file);
    fflush(file);
    assert_int_equal(maps_open(&reader, name), 0);
    assert_int_equal(maps_next(&reader, &map), -EOVERFLOW);
    maps_close(&reader);
    unlink(name);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_lines),   cmocka_unit_test(strange_names), cmocka_unit_test(long_names), cmocka_unit_test(what_is_no_line),
        cmocka_unit_test(damaged_lines), cmocka_unit_test(own_maps),      cmocka_unit_test(reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
