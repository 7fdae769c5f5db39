#include "proc_path.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "fmt.h"
#include "str.h"

#define PROC "/proc/"

struct writer {
    char *text;
    size_t used;
    bool changed;
};

static bool put(struct writer *to, const char *from, size_t n)
{
    if (to->used + n >= PROC_PATH_MAX)
        return false;
    memcpy(to->text + to->used, from, n);
    to->used += n;
    to->text[to->used] = 0;
    return true;
}

/* One component; a number is translated. proc(5) takes no leading zeros. */
static bool put_component(struct writer *to, const char **at, int (*number)(int))
{
    const char *from = *at;
    size_t length = 0, digits = 0;
    long value = 0;

    for (; from[length] && from[length] != '/'; length++)
        if (from[length] >= '0' && from[length] <= '9' && ++digits <= 10)
            value = value * 10 + (from[length] - '0');
    *at += length;
    if (!length || digits != length || length > 10 || *from == '0')
        return put(to, from, length);
    int other = value > INT_MAX ? 0 : number((int)value);
    if (!other || other == (int)value)
        return put(to, from, length);
    char text[16];
    to->changed = true;
    return put(to, text, fmt(text, sizeof text, "%d", other));
}

/* What comes after "/proc/": PID, PID/task/TID, self/task/TID; then the rest as it is. */
static bool put_below_proc(struct writer *to, const char *at, int (*number)(int))
{
    if (!put_component(to, &at, number))
        return false;
    if (str_after(at, "/task/")) {
        put(to, at, 6);
        at += 6;
        if (!put_component(to, &at, number))
            return false;
    }
    return put(to, at, strlen(at));
}

/* /proc/self/exe, and where the path is not what the kernel would tell. */
static bool is_executable(const char *path)
{
    const char *at = path ? str_after(path, PROC) : NULL, *rest;
    uint64_t pid = 0;

    if (!at || !lib.executable_differs || !lib.executable[0])
        return false;
    rest = str_after(at, "self");
    if (!rest)
        rest = str_after(at, "thread-self");
    if (!rest && *at >= '1' && *at <= '9' && str_number(&at, 10, &pid) && pid == (uint64_t)lib.pid)
        rest = at;
    return rest && str_equal(rest, "/exe");
}

const char *proc_path_translate(const char *path, struct proc_path *room)
{
    struct writer to = {.text = room->text};

    if (!path || !str_after(path, PROC))
        return ptys_differ ? ptys_real_path(path, room->text, sizeof room->text) : path;
    if (is_executable(path))
        return lib.executable;
    if (!vpid_active)
        return path;
    put(&to, path, sizeof PROC - 1);
    return put_below_proc(&to, path + sizeof PROC - 1, vpid_to_real) && to.changed ? room->text : path;
}

ssize_t proc_link(const char *path, char *target, size_t size, ssize_t result)
{
    char from[64];
    struct proc_path room;
    struct writer to = {.text = room.text};

    if (is_executable(path)) {
        size_t length = strlen(lib.executable);
        if (!size)
            return result;
        memcpy(target, lib.executable, length < size ? length : size);
        return (ssize_t)(length < size ? length : size);
    }
    if (!vpid_active || result <= 0 || (size_t)result >= sizeof from || (!str_equal(path, "/proc/self") && !str_equal(path, "/proc/thread-self")))
        return result;
    memcpy(from, target, (size_t)result);
    from[result] = 0;
    if (!put_below_proc(&to, from, vpid_from_real) || !to.changed)
        return result;
    if (to.used > size)
        to.used = size; /* cut short, as readlink does */
    memcpy(target, room.text, to.used);
    return (ssize_t)to.used;
}
