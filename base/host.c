#include "host.h"

#include "str.h"
#include "sys.h"

void host_name(char *name, size_t size)
{
    struct utsname system;
    bool known = !sys_uname(&system) && system.nodename[0];

    str_copy(name, size, known ? system.nodename : "localhost");
}

uint64_t host_id(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}
