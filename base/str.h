/* Strings for free code. Any thread, any phase. */
#ifndef STR_H
#define STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h> /* memcpy, memset, memmove, memcmp, strlen only: base/mem.c has them where there is no libc */

static inline bool str_equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Where `text` goes on after `prefix`, or NULL when it does not start with it. */
static inline const char *str_after(const char *text, const char *prefix)
{
    while (*prefix)
        if (*text++ != *prefix++)
            return NULL;
    return text;
}

/* First occurrence of c, or NULL. */
static inline const char *str_find(const char *text, char c)
{
    for (; *text; text++)
        if (*text == c)
            return text;
    return NULL;
}

/* Last component of a path. */
static inline const char *str_base(const char *path)
{
    const char *base = path;

    for (; *path; path++)
        if (*path == '/' && path[1])
            base = path + 1;
    return base;
}

/* Copies with truncation; always terminates if size > 0. False: truncated. */
bool str_copy(char *to, size_t size, const char *from);

/* Appends like str_copy. */
bool str_append(char *to, size_t size, const char *from);

/* Reads digits of the base (10 or 16, no prefix, no sign) at *at, advances *at. False: no digit, or more than 64 bits. */
bool str_number(const char **at, unsigned base, uint64_t *value);

/* The whole of `text` as a decimal number in [low, high]. */
bool str_to_number(const char *text, uint64_t low, uint64_t high, uint64_t *value);

#endif
