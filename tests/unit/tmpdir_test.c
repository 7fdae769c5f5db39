/* Where secrets lie, and who may have made that place. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "msg.h"
#include "tmpdir.h"

static char directory[64];

static int set_up(void **state)
{
    strcpy(directory, "/tmp/tmpdir_test.XXXXXX");
    return mkdtemp(directory) && !chdir(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    return chdir("/") || system(command);
}

static void first_choice_wins(void **state)
{
    char path[4096], expected[4096], host[256], small[32];

    host_name(host, sizeof host);
    assert_int_equal(tmpdir_path(path, sizeof path, "/a", "/b", "/c", "me"), 0);
    snprintf(expected, sizeof expected, "/a/dmtcp-me@%s", host);
    assert_string_equal(path, expected);
    assert_int_equal(tmpdir_path(path, sizeof path, NULL, "", "/c", NULL), 0);
    snprintf(expected, sizeof expected, "/c/dmtcp-%u@%s", geteuid(), host);
    assert_string_equal(path, expected);
    assert_int_equal(tmpdir_path(path, sizeof path, NULL, NULL, NULL, "me"), 0);
    snprintf(expected, sizeof expected, "/tmp/dmtcp-me@%s", host);
    assert_string_equal(path, expected);
    assert_int_equal(tmpdir_path(path, sizeof path, "rel", NULL, NULL, "me"), 0);
    snprintf(expected, sizeof expected, "%s/rel/dmtcp-me@%s", directory, host);
    assert_string_equal(path, expected);
    assert_int_equal(tmpdir_path(small, sizeof small, "/a/quite/long/directory/name", NULL, NULL, "me"), -ENAMETOOLONG);
    assert_int_equal(secret_file_path(path, sizeof path, "/t", 7779), 0);
    assert_string_equal(path, "/t/coordinator-7779.secret");
    assert_int_equal(secret_file_path(small, 8, "/t", 7779), -ENAMETOOLONG);
}

static void made_for_us_only(void **state)
{
    struct stat st;

    assert_int_equal(tmpdir_make("new"), 0);
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(tmpdir_make("new"), 0);
    assert_int_equal(chmod("new", 0777), 0);
    assert_int_equal(tmpdir_make("new"), 0);
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(symlink("new", "link"), 0);
    assert_true(tmpdir_make("link") == -ENOTDIR || tmpdir_make("link") == -ELOOP);
    assert_int_equal(close(creat("file", 0600)), 0);
    assert_int_equal(tmpdir_make("file"), -ENOTDIR);
    assert_int_equal(tmpdir_make("no/where"), -ENOENT);
    if (!geteuid()) {
        assert_int_equal(mkdir("theirs", 0700), 0);
        assert_int_equal(chown("theirs", 12345, 12345), 0);
        assert_int_equal(tmpdir_make("theirs"), -EPERM);
    }
}

static void put(const char *name, size_t size, unsigned mode)
{
    char bytes[64];
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    memset(bytes, 's', sizeof bytes);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void only_a_real_secret_is_read(void **state)
{
    uint8_t secret[PROTO_SECRET_SIZE];

    put("good", 32, 0600);
    assert_int_equal(secret_read("good", secret), 0);
    assert_int_equal(secret[31], 's');
    put("strict", 32, 0400);
    assert_int_equal(secret_read("strict", secret), 0);
    put("short", 31, 0600);
    assert_int_equal(secret_read("short", secret), -EINVAL);
    put("long", 33, 0600);
    assert_int_equal(secret_read("long", secret), -EINVAL);
    put("open", 32, 0640);
    assert_int_equal(secret_read("open", secret), -EPERM);
    assert_int_equal(symlink("good", "to_good"), 0);
    assert_int_equal(secret_read("to_good", secret), -ELOOP);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(secret_read("fifo", secret), -EINVAL);
    assert_int_equal(secret_read("nothing", secret), -ENOENT);
    if (!geteuid()) {
        assert_int_equal(chown("good", 12345, 12345), 0);
        assert_int_equal(secret_read("good", secret), -EPERM);
    }
}

static void host_hash(void **state)
{
    /* FNV-1a's published values. */
    assert_int_equal(host_id(""), 0xcbf29ce484222325u);
    assert_int_equal(host_id("a"), 0xaf63dc4c8601ec8cu);
    assert_int_equal(host_id("foobar"), 0x85944171f73967e8u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_choice_wins),
        cmocka_unit_test(made_for_us_only),
        cmocka_unit_test(only_a_real_secret_is_read),
        cmocka_unit_test(host_hash),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
