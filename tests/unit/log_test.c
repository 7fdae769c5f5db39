/* A log line is one write, ends with a newline, and is cut off rather than split. */
#define LOG_MODULE "unit"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "phase.h"

static int ends[2];

/* A sequenced-packet socket keeps the boundaries of writes. */
static int setup(void **state)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends))
        return -1;
    log_state.fd = ends[0];
    log_state.level = LOG_WARN;
    return 0;
}

static int teardown(void **state)
{
    close(ends[0]);
    close(ends[1]);
    log_state.fd = -1;
    return 0;
}

static ssize_t take(char *line, size_t size)
{
    ssize_t n = read(ends[1], line, size - 1);

    line[n > 0 ? n : 0] = 0;
    return n;
}

static void plain(void **state)
{
    char line[2048];

    log_warn("open %s: %d", "/x", 5);
    assert_true(take(line, sizeof line) > 0);
    assert_string_equal(line, "dmtcp unit: open /x: 5\n");
    assert_int_equal(take(line, sizeof line), -1);
}

static void levels(void **state)
{
    char line[2048];

    log_note("no");
    log_trace("no");
    assert_int_equal(take(line, sizeof line), -1);
    log_error("yes");
    assert_true(take(line, sizeof line) > 0);
    log_state.level = LOG_ERROR;
    log_warn("no");
    assert_int_equal(take(line, sizeof line), -1);
}

static void with_time(void **state)
{
    char line[2048];
    unsigned long seconds;
    unsigned microseconds;
    int tid;

    log_state.level = LOG_TRACE;
    log_trace("step %d", 7);
    assert_true(take(line, sizeof line) > 0);
    char *text = strstr(line, "unit: step 7\n");
    assert_non_null(text);
    assert_int_equal(sscanf(line, "%lu.%6u %d", &seconds, &microseconds, &tid), 3);
    assert_int_equal(tid, gettid());
    assert_true(seconds > 1000000000);
}

static void too_long(void **state)
{
    char line[8192], text[6000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    log_error("%s", text);
    ssize_t n = take(line, sizeof line);
    assert_true(n > 500 && n <= 1024);
    assert_int_equal(line[n - 1], '\n');
    assert_null(memchr(line, 0, (size_t)n));
    assert_int_equal(take(line, sizeof line), -1);
    log_state.level = LOG_TRACE;
    log_trace("%s", text);
    n = take(line, sizeof line);
    assert_true(n > 500 && n <= 1024);
    assert_int_equal(line[n - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain, setup, teardown),
        cmocka_unit_test_setup_teardown(levels, setup, teardown),
        cmocka_unit_test_setup_teardown(with_time, setup, teardown),
        cmocka_unit_test_setup_teardown(too_long, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
