/* Formatting for free code: a bounded subset of snprintf(3), without locale, allocation or errno. Any thread, any phase. */
#ifndef FMT_H
#define FMT_H

#include <stdarg.h>
#include <stddef.h>

/* %d %u %x %o with l, ll and z, %s (NULL: "(null)"), %.*s, %c, %p, %%; flag 0 and a width; %e: the errno value given as an int (either
 * sign), as words. Writes at most size bytes with the terminator (none if size is 0), returns the bytes written without the terminator. */
size_t fmt(char *to, size_t size, const char *format, ...) __attribute__((nonnull(3)));
size_t fmt_list(char *to, size_t size, const char *format, va_list list);

/* "No space left on device" and the like, for both signs of the number. */
const char *fmt_error(int number);

#endif
