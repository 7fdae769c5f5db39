#include "restart_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "descriptors.h"
#include "die.h"
#include "feature.h"
#include "fmt.h"
#include "handoff.h"
#include "installed.h"
#include "loader_place.h"
#include "shared_memory.h"
#include "str.h"
#include "sys.h"
#include "terminals.h"

static void fill_in(struct handoff *handoff, const struct restart_process *request)
{
    *handoff = (struct handoff){.magic = HANDOFF_MAGIC,
                                .version = HANDOFF_VERSION,
                                .size = sizeof *handoff,
                                .image_fd = request->image->fd,
                                .disabled = request->conf->disabled,
                                .workers = request->workers,
                                .debug_pause = request->pause,
                                .fail_rc = request->fail_rc,
                                .personality = ~0ull};
    str_copy(handoff->image_path, sizeof handoff->image_path, request->image->path);
    if (!conf_encode(request->conf, handoff->conf, sizeof handoff->conf))
        die(FAIL_TOOL, "%s: its settings don't fit: choose shorter paths", request->image->path);
}

/* Can the kernel be told where heap, stack and arguments are? Only if built with CONFIG_CHECKPOINT_RESTORE: prctl(2), PR_SET_MM. */
static bool can_set_mm_map(const struct conf *conf)
{
    unsigned size = 0;

    return !(conf->disabled & FEATURE_SET_MM_MAP) && !prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0);
}

/* The loader to exec: the file itself, or a copy that makes the kernel begin the heap where the program's did. */
static int open_loader(struct handoff *handoff, const struct restart_process *request)
{
    char path[PATH_MAX];
    long placed = 0;
    int loader;

    installed_path(path, sizeof path, "lib/dmtcp/dmtcp_loader");
    loader = open(path, O_RDONLY | O_CLOEXEC);
    if (loader < 0 || can_set_mm_map(request->conf))
        return loader;
    placed = loader_place(loader, request->image->image.mm->start_brk);
    if (placed < 0) {
        warn("%s: sbrk(2) will fail in the restarted program: %s", request->image->path, fmt_error((int)placed));
        return loader;
    }
    close(loader);
    handoff->flags |= HANDOFF_BRK_PLACED;
    return (int)placed;
}

static _Noreturn void become(int loader, struct handoff *handoff, int handoff_fd)
{
    char number[16];
    char *arguments[] = {(char *)"dmtcp_loader", number, NULL}, *environment[] = {NULL};
    int before = personality(0xffffffff);

    if (handoff->flags & HANDOFF_BRK_PLACED) {
        if (before >= 0 && personality((unsigned long)before | ADDR_NO_RANDOMIZE) >= 0)
            handoff->personality = (uint64_t)before;
        else
            warn("%s: sbrk(2) will fail in the restarted program: personality: %m", handoff->image_path);
    }
    snprintf(number, sizeof number, "%d", handoff_fd);
    descriptors_close_on_exec();
    terminals_hand_over(handoff);
    if (sys_pwrite_all(handoff_fd, handoff, sizeof *handoff, 0))
        _exit((int)handoff->fail_rc);
    fcntl(handoff_fd, F_SETFD, 0);
    fcntl(handoff->image_fd, F_SETFD, 0);
    for (uint32_t i = 0; i < handoff->shared_count; i++)
        if (handoff->shared[i].fd >= 0)
            fcntl(handoff->shared[i].fd, F_SETFD, 0);
    execveat(loader, "", arguments, environment, AT_EMPTY_PATH);
    warn("the restart failed: dmtcp_loader: %m");
    _exit((int)handoff->fail_rc);
}

/* The objects that this image has mappings or descriptors of stay open for the loader and libckpt. */
static void pass_shared(struct handoff *handoff, const struct restart_process *request)
{
    for (size_t i = 0; i < request->shared_count; i++)
        if (shared_memory_concerns(&request->image->image, &request->shared[i]))
            handoff->shared[handoff->shared_count++] = request->shared[i];
}

void restart_process_check(const struct restart_process *request)
{
    static struct handoff handoff;
    int loader;

    fill_in(&handoff, request);
    loader = open_loader(&handoff, request);
    if (loader < 0)
        die(FAIL_TOOL, "the restart loader (lib/dmtcp/dmtcp_loader of the installation): %m");
    close(loader);
}

_Noreturn void restart_process(const struct restart_process *request)
{
    static struct handoff handoff;
    int loader, handoff_fd;

    fill_in(&handoff, request);
    if (request->with_pid)
        handoff.flags |= HANDOFF_SET_TID;
    if (request->foreground)
        handoff.flags |= HANDOFF_FOREGROUND;
    handoff.restart_group = request->restart_group;
    loader = open_loader(&handoff, request);
    handoff_fd = memfd_create("dmtcp handoff", MFD_CLOEXEC);
    if (loader < 0 || handoff_fd < 0) {
        warn("the restart failed: %s: %m", loader < 0 ? "dmtcp_loader" : "memfd_create");
        _exit((int)request->fail_rc);
    }
    pass_shared(&handoff, request);
    become(loader, &handoff, handoff_fd);
}
