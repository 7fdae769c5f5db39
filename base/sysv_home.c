#include "sysv_home.h"

#include "str.h"
#include "sys.h"

static uint64_t mix(uint64_t hash, const char *text, long size)
{
    for (long i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull; /* FNV-1a */
    return hash;
}

uint64_t sysv_home(void)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    char text[128];
    long fd = sys_open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0);

    if (fd >= 0) {
        hash = mix(hash, text, sys_read((int)fd, text, sizeof text));
        sys_close((int)fd);
    }
    hash = mix(hash, text, sys_readlink("/proc/thread-self/ns/ipc", text, sizeof text));
    return hash | 1;
}
