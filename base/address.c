#include "address.h"

#include <errno.h>

#include "str.h"

/* Dotted decimal as inet_pton(3) reads it: four parts, no leading zeros (some take them for octal). Advances *at. */
static bool parse_v4(const char **at, uint8_t bytes[4])
{
    for (int i = 0; i < 4; i++) {
        const char *start = *at;
        uint64_t part;

        if (!str_number(at, 10, &part) || part > 255 || *at - start > (*start == '0' ? 1 : 3))
            return false;
        bytes[i] = (uint8_t)part;
        if (i < 3 && *(*at)++ != '.')
            return false;
    }
    return true;
}

/* RFC 4291, section 2.2. Stops at the end or at '%'. */
static bool parse_v6(const char **at, uint8_t bytes[16])
{
    int used = 0, gap = -1;

    memset(bytes, 0, 16);
    if ((*at)[0] == ':' && (*at)[1] == ':') {
        gap = 0;
        *at += 2;
    }
    while (**at && **at != '%') {
        const char *start = *at;
        uint64_t group;

        if (used + 2 > 16 || !str_number(at, 16, &group) || group > 0xffff || *at - start > 4)
            return false;
        if (**at == '.') {
            *at = start;
            if (used + 4 > 16 || !parse_v4(at, bytes + used))
                return false;
            used += 4;
            break;
        }
        bytes[used++] = (uint8_t)(group >> 8);
        bytes[used++] = (uint8_t)group;
        if ((*at)[0] == ':' && (*at)[1] == ':') {
            if (gap >= 0)
                return false;
            gap = used;
            *at += 2;
        } else if (**at == ':') {
            ++*at;
            if (!**at || **at == '%')
                return false;
        } else {
            break;
        }
    }
    if (gap < 0)
        return used == 16;
    if (used > 14) /* "::" stands for at least one group */
        return false;
    memmove(bytes + 16 - (used - gap), bytes + gap, (size_t)(used - gap));
    memset(bytes + gap, 0, (size_t)(16 - used));
    return true;
}

long address_parse(const char *text, unsigned port, union address *to)
{
    uint64_t scope = 0;

    if (port > 65535)
        return -EINVAL;
    memset(to, 0, sizeof *to);
    if (!str_find(text, ':')) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons((uint16_t)port);
        if (!parse_v4(&text, (uint8_t *)&to->v4.sin_addr) || *text)
            return -EINVAL;
        return sizeof to->v4;
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons((uint16_t)port);
    if (!parse_v6(&text, to->v6.sin6_addr.s6_addr))
        return -EINVAL;
    if (*text == '%' && (text++, !str_number(&text, 10, &scope) || scope > UINT32_MAX))
        return -EINVAL;
    to->v6.sin6_scope_id = (uint32_t)scope;
    return *text ? -EINVAL : (long)sizeof to->v6;
}
