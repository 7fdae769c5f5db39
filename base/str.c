#include "str.h"

bool str_copy(char *to, size_t size, const char *from)
{
    size_t i = 0;

    if (!size)
        return false;
    for (; i + 1 < size && from[i]; i++)
        to[i] = from[i];
    to[i] = 0;
    return !from[i];
}

bool str_append(char *to, size_t size, const char *from)
{
    size_t used = 0;

    while (used < size && to[used])
        used++;
    return used < size && str_copy(to + used, size - used, from);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

bool str_number(const char **at, unsigned base, uint64_t *value)
{
    const char *p = *at;
    uint64_t v = 0;

    for (; (unsigned)digit_of(*p) < base; p++)
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)digit_of(*p), &v))
            return false;
    if (p == *at)
        return false;
    *at = p;
    *value = v;
    return true;
}

bool str_to_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
    return str_number(&text, 10, value) && !*text && *value >= low && *value <= high;
}
