/* Timers that tell by SIGEV_THREAD, after a restart that could not take the threads' old numbers back.
 *
 * libc has one thread for all of them and keeps its number in a variable of its own, which it hands to the kernel: timer_create(3) then fails, for
 * that is the old number. Nothing tells where the variable is, but its value is known, and so is where libc has its variables. It gets the
 * real number for the length of the call. */
#include "timer_helper.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#include "threads.h"
#include "vpid.h"

struct attempt {
    timer_create_function *real;
    clockid_t clock;
    struct sigevent *event;
    timer_t *timer;
    int result;
};

static struct thread *known_by(int number)
{
    struct thread *thread = number > 0 ? threads_by_tid(number) : NULL;

    return thread && thread->real_tid != number && vpid_to_real(number) == thread->real_tid ? thread : NULL;
}

static int try_words(struct attempt *attempt, int *from, int *to)
{
    for (int *word = from; word < to; word++) {
        int number = *word;
        struct thread *thread = known_by(number);

        if (!thread)
            continue;
        *word = thread->real_tid;
        attempt->result = attempt->real(attempt->clock, attempt->event, attempt->timer);
        *word = number;
        if (attempt->result == 0)
            return 1;
    }
    return 0;
}

static int try_library(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct attempt *attempt = argument;
    uintptr_t function = (uintptr_t)attempt->real;
    uintptr_t constant = 0; /* up to here: PT_GNU_RELRO */
    bool libc = false;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        libc |= part->p_type == PT_LOAD && function - (info->dlpi_addr + part->p_vaddr) < part->p_memsz;
        if (part->p_type == PT_GNU_RELRO)
            constant = (info->dlpi_addr + part->p_vaddr + part->p_memsz) & ~4095ul;
    }
    for (int i = 0; libc && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;

        start = (start > constant ? start : constant) + 3;
        if (part->p_type == PT_LOAD && part->p_flags & PF_W && try_words(attempt, (int *)(start & ~3ul), (int *)(end & ~3ul)))
            return 1;
    }
    return libc;
}

int timer_create_in_thread(timer_create_function *real, clockid_t clock, struct sigevent *event, timer_t *timer)
{
    struct attempt attempt = {real, clock, event, timer, real(clock, event, timer)};

    if (attempt.result && errno == EINVAL && vpid_active) {
        dl_iterate_phdr(try_library, &attempt);
        errno = attempt.result ? EINVAL : errno;
    }
    return attempt.result;
}
