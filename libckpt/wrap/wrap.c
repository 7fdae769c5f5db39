#include "wrap.h"

#include <dlfcn.h>
#include <errno.h>

extern struct wrap __start_dmtcp_wraps[] __attribute__((visibility("hidden")));
extern struct wrap __stop_dmtcp_wraps[] __attribute__((visibility("hidden")));

static long absent(void)
{
    errno = ENOSYS;
    return -1;
}

void *wrap_resolve_one(struct wrap *wrap)
{
    int saved = errno;
    void *real = dlsym(RTLD_NEXT, wrap->symbol);

    errno = saved;
    if (!real)
        real = (void *)absent;
    __atomic_store_n(&wrap->real, real, __ATOMIC_RELAXED);
    return real;
}

void wrap_resolve(void)
{
    for (struct wrap *wrap = __start_dmtcp_wraps; wrap < __stop_dmtcp_wraps; wrap++)
        if (!wrap->real)
            wrap_resolve_one(wrap);
}
