#include "sock_options.h"

#include <sys/time.h>

#include "arena.h"
#include "log.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "fd"

/* Numbers that older headers do not have. */
#define BUF_LOCK 72
#define FLAG(name_) {SOL_SOCKET, name_, sizeof(int), SOCK_AFTER}

const struct sock_option sock_option_rows[] = {
    {SOL_SOCKET, SO_REUSEADDR, sizeof(int), SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_REUSEPORT, sizeof(int), SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_BINDTODEVICE, 16, SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_MARK, sizeof(int), SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_DONTROUTE, sizeof(int), SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_BROADCAST, sizeof(int), SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_PRIORITY, sizeof(int), SOCK_BEFORE_BIND},
    {SOL_SOCKET, SO_RCVTIMEO, sizeof(struct timeval), SOCK_AFTER},
    {SOL_SOCKET, SO_SNDTIMEO, sizeof(struct timeval), SOCK_AFTER},
    {SOL_SOCKET, SO_LINGER, sizeof(struct linger), SOCK_AFTER},
    {SOL_SOCKET, SO_MAX_PACING_RATE, sizeof(uint64_t), SOCK_AFTER},
    {SOL_SOCKET, 61 /* SO_TXTIME */, 8, SOCK_AFTER},
    /* The newer forms of time stamps are in effect when they read as set, and then take the place of the older ones. */
    {SOL_SOCKET, SO_TIMESTAMPING, 8, SOCK_AFTER},
    {SOL_SOCKET, 65 /* SO_TIMESTAMPING_NEW */, 8, SOCK_AFTER},
    FLAG(SO_TIMESTAMP),
    FLAG(SO_TIMESTAMPNS),
    FLAG(63 /* SO_TIMESTAMP_NEW */),
    FLAG(64 /* SO_TIMESTAMPNS_NEW */),
    FLAG(SO_DEBUG),
    FLAG(SO_KEEPALIVE),
    FLAG(SO_OOBINLINE),
    FLAG(SO_NO_CHECK),
    FLAG(SO_RCVLOWAT),
    FLAG(SO_PASSCRED),
    FLAG(SO_PASSSEC),
    FLAG(76 /* SO_PASSPIDFD */),
    FLAG(83 /* SO_PASSRIGHTS */),
    FLAG(SO_RXQ_OVFL),
    FLAG(SO_WIFI_STATUS),
    FLAG(SO_PEEK_OFF),
    FLAG(SO_NOFCS),
    FLAG(SO_SELECT_ERR_QUEUE),
    FLAG(SO_BUSY_POLL),
    FLAG(69 /* SO_PREFER_BUSY_POLL */),
    FLAG(70 /* SO_BUSY_POLL_BUDGET */),
    FLAG(SO_INCOMING_CPU),
    FLAG(60 /* SO_ZEROCOPY */),
    FLAG(73 /* SO_RESERVE_MEM */),
    FLAG(74 /* SO_TXREHASH */),
    FLAG(75 /* SO_RCVMARK */),
    FLAG(82 /* SO_RCVPRIORITY */),
};
const unsigned sock_option_row_count = sizeof sock_option_rows / sizeof *sock_option_rows;

static const struct sock_option buffer_rows[] = {FLAG(SO_SNDBUF), FLAG(SO_RCVBUF), FLAG(BUF_LOCK)};

static void read_rows(int fd, struct sock_options *options, const struct sock_option *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct sock_value *at = &options->value[options->count];
        unsigned size = rows[i].size;

        if (sys_getsockopt(fd, rows[i].level, rows[i].name, at->value, &size) < 0)
            continue;
        at->level = rows[i].level;
        at->name = rows[i].name;
        at->when = rows[i].when;
        at->size = size;
        options->count++;
    }
}

static uint32_t number(int fd, int name)
{
    uint32_t value = 0;
    unsigned size = sizeof value;

    sys_getsockopt(fd, SOL_SOCKET, name, &value, &size);
    return value;
}

struct sock_options *sock_options_save(int fd, const struct sock_option *rows, unsigned count)
{
    unsigned room = rows ? count : sock_option_row_count + sizeof buffer_rows / sizeof *buffer_rows;
    struct sock_options *options = arena_alloc(sizeof *options + room * sizeof *options->value);

    if (!options)
        return NULL;
    options->domain = number(fd, SO_DOMAIN);
    options->type = number(fd, SO_TYPE);
    options->protocol = number(fd, SO_PROTOCOL);
    if (rows) {
        read_rows(fd, options, rows, count);
        return options;
    }
    read_rows(fd, options, buffer_rows, sizeof buffer_rows / sizeof *buffer_rows);
    read_rows(fd, options, sock_option_rows, sock_option_row_count);
    return options;
}

size_t sock_options_size(const struct sock_options *options)
{
    return sizeof *options + options->count * sizeof *options->value;
}

static const struct sock_value *find(const struct sock_options *options, int level, int name)
{
    for (uint32_t i = 0; i < options->count; i++)
        if (options->value[i].level == level && options->value[i].name == name)
            return &options->value[i];
    return NULL;
}

const void *sock_options_find(const struct sock_options *options, int level, int name)
{
    const struct sock_value *at = find(options, level, name);

    return at ? at->value : NULL;
}

/* --- restart --- */

/* getsockopt tells twice what setsockopt was told: socket(7). Beyond net.core.*mem_max only root may go. */
static void set_buffer(int fd, const struct sock_value *at, int force)
{
    int half = *(const int *)(const void *)at->value / 2;

    sys_setsockopt(fd, SOL_SOCKET, at->name, &half, sizeof half);
    if ((int)number(fd, at->name) < half * 2)
        sys_setsockopt(fd, SOL_SOCKET, force, &half, sizeof half);
}

/* A buffer that nobody set a size for grows by itself in TCP, and setting one would end that. Where the kernel does not tell whether anybody has
 * (before 5.14), only other sockets' sizes are set. */
static bool is_buffer(int fd, const struct sock_options *options, const struct sock_value *at)
{
    const int *lock = sock_options_find(options, SOL_SOCKET, BUF_LOCK);
    bool grows = options->type == SOCK_STREAM && options->domain != AF_UNIX;

    if (at->level != SOL_SOCKET || (at->name != SO_SNDBUF && at->name != SO_RCVBUF))
        return false;
    bool set = lock ? *lock & (at->name == SO_SNDBUF ? 1 : 2) : !grows;
    if (set || (!grows && number(fd, at->name) != *(const uint32_t *)(const void *)at->value))
        set_buffer(fd, at, at->name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE);
    return true;
}

static bool already(int fd, const struct sock_value *at)
{
    char now[SOCK_OPTION_MAX];
    unsigned size = sizeof now;

    return sys_getsockopt(fd, at->level, at->name, now, &size) == 0 && size == at->size && !memcmp(now, at->value, size);
}

void sock_options_set(int fd, const struct sock_options *options, enum sock_when when, const char *link)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct sock_value *at = &options->value[i];

        /* A size of a buffer counts from the beginning, and again when what filled it may have had another. */
        if (is_buffer(fd, options, at))
            continue;
        if ((at->when != (uint32_t)when && !(at->level == SOL_SOCKET && at->name == BUF_LOCK)) || already(fd, at))
            continue;
        long error = sys_setsockopt(fd, at->level, at->name, at->value, at->size);
        if (error < 0)
            log_warn("%s: option %d of level %d can't be set as it was: %e", link, at->name, at->level, (int)error);
    }
}
