/* Libraries loaded by dlopen before and between checkpoints work, with their thread-local storage; so do dlsym, dladdr and unloading. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include "step.h"

/* Any library that is there on a Debian system and not yet loaded. */
static const char *const candidates[] = {"libresolv.so.2", "libutil.so.1", "libnsl.so.1", "libanl.so.1", "libthread_db.so.1"};
#define CANDIDATES (sizeof candidates / sizeof *candidates)

static int count_object(struct dl_phdr_info *info, size_t size, void *count)
{
    ++*(int *)count;
    return 0;
}

static int objects(void)
{
    int count = 0;

    dl_iterate_phdr(count_object, &count);
    return count;
}

static void *open_in_thread(void *name)
{
    return dlopen(name, RTLD_NOW);
}

int main(void)
{
    void *math = dlopen("libm.so.6", RTLD_NOW), *late[CANDIDATES];
    double (*cosine)(double) = (double (*)(double))dlsym(math, "cos");
    unsigned next = 0;
    Dl_info info;

    CHECK(math && cosine && cosine(0) == 1);
    while (step()) {
        pthread_t thread;
        int before = objects();

        CHECK(cosine(0) == 1);
        CHECK(dlsym(math, "cos") == (void *)cosine);
        CHECK(dladdr((void *)cosine, &info) && strstr(info.dli_fname, "libm"));
        if (next < CANDIDATES) {
            void *handle;
            ZERO(pthread_create(&thread, NULL, open_in_thread, (void *)candidates[next]));
            ZERO(pthread_join(thread, &handle));
            late[next] = handle;
            if (handle) {
                CHECK(objects() >= before);
                CHECK(dlclose(handle) == 0);
                late[next] = dlopen(candidates[next], RTLD_LAZY);
                CHECK(late[next]);
            }
            next++;
        }
    }
    for (unsigned i = 0; i < next; i++)
        CHECK(!late[i] || dlclose(late[i]) == 0);
    CHECK(dlclose(math) == 0);
    puts("libraries work");
    return 0;
}
