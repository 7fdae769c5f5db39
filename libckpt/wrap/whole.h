/* Between the translation of a number and the call that it is for, no checkpoint may come: a restart from it would go on with a number of the
 * former life, which may by now be a stranger's. What can be asked again is, if there was a restart meanwhile (RETURNED). Others hold the
 * checkpoint's signal back from before the translation to after the call (WHOLE): that one only, since another that is blocked here would
 * be delivered to another thread. Also in the first life, in which nothing is translated: the next one may begin in between, and libc
 * itself asks for a number before it uses it. Not for calls that wait or that can be cancelled: files that use it need no unwinder. */
#ifndef WHOLE_H
#define WHOLE_H

#include <stdbool.h>

#include "ckpt_signal.h"
#include "library.h"
#include "sys.h"

#define RETURNED(call)                                                                                                                     \
    ({                                                                                                                                     \
        uint32_t life_;                                                                                                                    \
        int number_;                                                                                                                       \
        do {                                                                                                                               \
            life_ = __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE);                                                                      \
            number_ = vpid_from_real(call);                                                                                                \
        } while (life_ != __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE));                                                               \
        number_;                                                                                                                           \
    })

static inline bool whole_begin(bool wanted)
{
    const sys_sigset ours = SYS_SIGBIT(ckpt_signal);
    sys_sigset before = ours;

    if (wanted)
        sys_sigprocmask(SIG_BLOCK, &ours, &before);
    return !(before & ours); /* in a handler on top of another such call the outer one ends it */
}

static inline void whole_end(const bool *held)
{
    const sys_sigset ours = SYS_SIGBIT(ckpt_signal);

    if (*held)
        sys_sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

#define WHOLE_IF(wanted) __attribute__((cleanup(whole_end), unused)) const bool whole_ = whole_begin(wanted)
#define WHOLE WHOLE_IF(true)

#endif
