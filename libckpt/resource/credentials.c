/* Who a thread is: user and group numbers, supplementary groups, capabilities, securebits. A program that was started by root and gave its rights up
 * must not have them again after a restart by root. It gives them up last of all, when its files are open again.
 *
 * In the thread itself: in its handler, and before it leaves it. */
#include "credentials.h"

#include <linux/prctl.h>

#include "log.h"
#include "str.h"
#include "sys.h"
#include "thread.h"

#define LOG_MODULE "credentials"

#define KEEP_CAPS 0x10u /* SECBIT_KEEP_CAPS of capabilities(7): may be set without a privilege, by a prctl of its own */
#define CAPABILITY_VERSION 0x20080522u /* capget(2) */

struct capability_header {
    uint32_t version;
    int32_t pid;
};

void credentials_save(struct thread_credentials *now)
{
    struct capability_header header = {CAPABILITY_VERSION, 0};

    memset(now, 0, sizeof *now);
    syscall3(__NR_getresuid, (long)&now->uid[0], (long)&now->uid[1], (long)&now->uid[2]);
    syscall3(__NR_getresgid, (long)&now->gid[0], (long)&now->gid[1], (long)&now->gid[2]);
    now->group_count = (int32_t)syscall3(__NR_getgroups, THREAD_GROUPS, (long)now->group, 0);
    syscall3(__NR_capget, (long)&header, (long)now->capability, 0);
    now->securebits = (uint32_t)sys_prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
}

static bool same_users(const struct thread_credentials *a, const struct thread_credentials *b)
{
    return !memcmp(a->uid, b->uid, sizeof a->uid) && !memcmp(a->gid, b->gid, sizeof a->gid) && a->group_count == b->group_count &&
           !memcmp(a->group, b->group, sizeof a->group);
}

static long set_securebits(uint32_t bits, uint32_t now)
{
    if ((bits ^ now) == KEEP_CAPS)
        return sys_prctl(PR_SET_KEEPCAPS, (bits & KEEP_CAPS) != 0, 0, 0, 0);
    return sys_prctl(PR_SET_SECUREBITS, bits, 0, 0, 0);
}

static long set_users(const struct thread_credentials *wanted)
{
    long error = wanted->group_count < 0 ? 0 : syscall3(__NR_setgroups, wanted->group_count, (long)wanted->group, 0);

    if (!error)
        error = syscall3(__NR_setresgid, (long)wanted->gid[0], (long)wanted->gid[1], (long)wanted->gid[2]);
    if (!error) /* what the change takes away and the thread had is lost; KEEP_CAPS would leave what it had not */
        error = syscall3(__NR_setresuid, (long)wanted->uid[0], (long)wanted->uid[1], (long)wanted->uid[2]);
    return error;
}

bool credentials_restore(const struct thread_credentials *wanted)
{
    struct capability_header header = {CAPABILITY_VERSION, 0};
    struct thread_credentials now;
    long error = 0;

    credentials_save(&now);
    if (!memcmp(wanted, &now, sizeof now))
        return false;
    bool users = !same_users(wanted, &now);
    if (users) {
        /* Capabilities outlive the change of users, so that those that the thread had can be chosen then. */
        sys_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        error = set_users(wanted);
        sys_prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
        now.securebits &= ~KEEP_CAPS;
    }
    if (!error && wanted->securebits != now.securebits) {
        /* Wants CAP_SETPCAP, which is effective no more if the user has changed. */
        if (users)
            syscall3(__NR_capset, (long)&header, (long)now.capability, 0);
        error = set_securebits(wanted->securebits, now.securebits);
    }
    if (!error)
        error = syscall3(__NR_capset, (long)&header, (long)wanted->capability, 0);
    if (error && now.uid[1] == 0 && wanted->uid[1] != 0) {
        /* It would run with rights that it had given up. */
        log_error("thread %d can't become user %u again: %e", sys_gettid(), wanted->uid[1], (int)error);
        sys_exit_group(99);
    }
    if (error)
        log_trace("the rights that the thread had are not permitted here: %e", (int)error);
    return true;
}
