#include "fmt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct out {
    char *to;
    size_t room; /* without the terminator */
    size_t used;
};

static void put(struct out *out, char c)
{
    if (out->used < out->room)
        out->to[out->used++] = c;
}

static void put_number(struct out *out, uint64_t value, unsigned base, bool negative, int width, char pad)
{
    char digits[24];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative && pad == '0')
        put(out, '-');
    for (int i = n + negative; i < width; i++)
        put(out, pad);
    if (negative && pad != '0')
        put(out, '-');
    while (n)
        put(out, digits[--n]);
}

static void put_string(struct out *out, const char *s, int width, int precision)
{
    int n = 0;

    if (!s)
        s = "(null)";
    while ((precision < 0 || n < precision) && s[n])
        n++;
    for (int i = n; i < width; i++)
        put(out, ' ');
    for (int i = 0; i < n; i++)
        put(out, s[i]);
}

/* The errors that our messages meet; the text is that of strerror(3), so that people can search for it. A switch, not an array of
 * pointers: the loader has no relocations. */
const char *fmt_error(int number)
{
    switch (number < 0 ? -(unsigned)number : (unsigned)number) {
    case 0: return "no error";
    case EPERM: return "Operation not permitted";
    case ENOENT: return "No such file or directory";
    case ESRCH: return "No such process";
    case EINTR: return "Interrupted system call";
    case EIO: return "Input/output error";
    case ENXIO: return "No such device or address";
    case E2BIG: return "Argument list too long";
    case ENOEXEC: return "Exec format error";
    case EBADF: return "Bad file descriptor";
    case ECHILD: return "No child processes";
    case EAGAIN: return "Resource temporarily unavailable";
    case ENOMEM: return "Cannot allocate memory";
    case EACCES: return "Permission denied";
    case EFAULT: return "Bad address";
    case EBUSY: return "Device or resource busy";
    case EEXIST: return "File exists";
    case EXDEV: return "Invalid cross-device link";
    case ENODEV: return "No such device";
    case ENOTDIR: return "Not a directory";
    case EISDIR: return "Is a directory";
    case EINVAL: return "Invalid argument";
    case ENFILE: return "Too many open files in system";
    case EMFILE: return "Too many open files";
    case ENOTTY: return "Inappropriate ioctl for device";
    case ETXTBSY: return "Text file busy";
    case EFBIG: return "File too large";
    case ENOSPC: return "No space left on device";
    case ESPIPE: return "Illegal seek";
    case EROFS: return "Read-only file system";
    case EPIPE: return "Broken pipe";
    case ENAMETOOLONG: return "File name too long";
    case ENOSYS: return "Function not implemented";
    case ELOOP: return "Too many levels of symbolic links";
    case ENODATA: return "No data available";
    case EOVERFLOW: return "Value too large for defined data type";
    case EBADMSG: return "Bad message";
    case EPROTO: return "Protocol error";
    case EOPNOTSUPP: return "Operation not supported";
    case EADDRINUSE: return "Address already in use";
    case EADDRNOTAVAIL: return "Cannot assign requested address";
    case ENETUNREACH: return "Network is unreachable";
    case ECONNABORTED: return "Software caused connection abort";
    case ECONNRESET: return "Connection reset by peer";
    case ETIMEDOUT: return "Connection timed out";
    case ECONNREFUSED: return "Connection refused";
    case EHOSTUNREACH: return "No route to host";
    case EDQUOT: return "Disk quota exceeded";
    case ESTALE: return "Stale file handle";
    default: return NULL;
    }
}

size_t fmt_list(char *to, size_t size, const char *format, va_list list)
{
    struct out out = {.to = to, .room = size ? size - 1 : 0};

    for (; *format; format++) {
        char pad = ' ';
        int width = 0, precision = -1, longs = 0;

        if (*format != '%') {
            put(&out, *format);
            continue;
        }
        if (*++format == '0')
            pad = *format++;
        for (; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + (*format - '0');
        if (format[0] == '.' && format[1] == '*') {
            precision = va_arg(list, int);
            format += 2;
        }
        for (; *format == 'l' || *format == 'z'; format++)
            longs++;
        switch (*format) {
        case 'd': {
            int64_t v = longs ? va_arg(list, int64_t) : va_arg(list, int);
            put_number(&out, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, width, pad);
            break;
        }
        case 'u':
        case 'x':
        case 'o':
            put_number(&out, longs ? va_arg(list, uint64_t) : va_arg(list, unsigned),
                       *format == 'u' ? 10 : *format == 'x' ? 16 : 8, false, width, pad);
            break;
        case 'p':
            put_string(&out, "0x", 0, -1);
            put_number(&out, (uint64_t)va_arg(list, void *), 16, false, 0, '0');
            break;
        case 's':
            put_string(&out, va_arg(list, const char *), width, precision);
            break;
        case 'c':
            put(&out, (char)va_arg(list, int));
            break;
        case 'e': {
            int number = va_arg(list, int);
            const char *words = fmt_error(number);
            if (words) {
                put_string(&out, words, 0, -1);
            } else {
                put_string(&out, "error ", 0, -1);
                put_number(&out, (uint64_t)(number < 0 ? -(long)number : number), 10, false, 0, ' ');
            }
            break;
        }
        case 0:
            format--;
            break;
        default:
            put(&out, *format);
        }
    }
    if (size)
        to[out.used] = 0;
    return out.used;
}

size_t fmt(char *to, size_t size, const char *format, ...)
{
    va_list list;
    size_t n;

    va_start(list, format);
    n = fmt_list(to, size, format, list);
    va_end(list);
    return n;
}
