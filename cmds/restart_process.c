#include "restart_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptors.h"
#include "die.h"
#include "feature.h"
#include "handoff.h"
#include "installed.h"
#include "str.h"
#include "sys.h"

static void fill_in(struct handoff *handoff, const struct restart_process *request)
{
    *handoff = (struct handoff){.magic = HANDOFF_MAGIC, .version = HANDOFF_VERSION, .size = sizeof *handoff,
                                .image_fd = request->image->fd, .disabled = request->conf->disabled, .workers = request->workers,
                                .debug_pause = request->pause, .fail_rc = request->fail_rc, .personality = ~0ull};
    str_copy(handoff->image_path, sizeof handoff->image_path, request->image->path);
    if (!conf_encode(request->conf, handoff->conf, sizeof handoff->conf))
        die(FAIL_TOOL, "%s: its settings don't fit: choose shorter paths", request->image->path);
}

/* fork(2) with a pid of our choice: clone3(2), set_tid. */
static pid_t fork_as(pid_t pid)
{
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};

    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* In the child. The kernel's own calls: libc keeps two signals to itself. */
static void quiet_signals(void)
{
    static const sys_sigset all = ~0ull;
    struct sys_sigaction usual = {.handler = NULL};

    sys_sigprocmask(SIG_SETMASK, &all, NULL);
    for (int s = 1; s <= 64; s++)
        sys_sigaction(s, &usual, NULL);
}

static _Noreturn void become(const char *loader, struct handoff *handoff, int handoff_fd)
{
    char number[16];
    char *arguments[] = {(char *)loader, number, NULL}, *environment[] = {NULL};

    quiet_signals();
    snprintf(number, sizeof number, "%d", handoff_fd);
    if (sys_pwrite_all(handoff_fd, handoff, sizeof *handoff, 0))
        _exit((int)handoff->fail_rc);
    fcntl(handoff_fd, F_SETFD, 0);
    fcntl(handoff->image_fd, F_SETFD, 0);
    descriptors_close_but(handoff_fd, handoff->image_fd);
    execve(loader, arguments, environment);
    warn("%s: %m", loader);
    _exit((int)handoff->fail_rc);
}

pid_t restart_process(const struct restart_process *request)
{
    static struct handoff handoff;
    char loader[PATH_MAX];
    int handoff_fd;
    pid_t pid = -1;

    installed_path(loader, sizeof loader, "lib/dmtcp/dmtcp_loader");
    fill_in(&handoff, request);
    handoff_fd = memfd_create("dmtcp handoff", MFD_CLOEXEC);
    if (handoff_fd < 0)
        return -1;
    if (!(request->conf->disabled & FEATURE_SET_TID)) {
        pid = fork_as((pid_t)request->image->image.process->pid);
        handoff.flags |= HANDOFF_SET_TID;
    }
    if (pid < 0) { /* no privilege, pid taken or above pid_max, an old kernel: the program will be told its old pid all the same */
        handoff.flags &= ~(uint32_t)HANDOFF_SET_TID;
        pid = fork();
    }
    if (!pid)
        become(loader, &handoff, handoff_fd);
    close(handoff_fd);
    return pid;
}
