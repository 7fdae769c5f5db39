/* What can't be restored, and why: asked last. */
#include "fd.h"
#include "sys.h"
#include "fmt.h"
#include "str.h"

#include <sys/sysmacros.h>

static const struct {
    const char *link; /* a beginning */
    const char *what, *way_out;
} objects[] = {
    {"anon_inode:[io_uring]", "an io_uring", "its requests live in the kernel; close it before a checkpoint, or let the program use other input and output"},
    {"anon_inode:[userfaultfd]", "a userfaultfd", "its handler serves page faults of the kernel's book; close it before a checkpoint"},
    {"anon_inode:[perf_event]", "a performance event", "its counters are the processor's; close it before a checkpoint"},
    {"anon_inode:bpf", "a BPF object", "it lives in the kernel; close it before a checkpoint"},
    {"anon_inode:[fanotify]", "a fanotify group", "close it before a checkpoint, or use inotify"},
    {"anon_inode:[fscontext]", "a file system being mounted", "close it before a checkpoint"},
    {"anon_inode:[landlock-ruleset]", "a Landlock rule set", "close it before a checkpoint"},
    {"anon_inode:seccomp notify", "the listener of a seccomp filter", "close it before a checkpoint"},
    {"anon_inode:kvm", "a virtual machine's (KVM)", "its state is the processor's; checkpoint inside the virtual machine, or use its monitor's own snapshot"},
    {"/dev/kvm", "the KVM device", "checkpoint inside the virtual machine, or use its monitor's own snapshot"},
    {"/dev/dri/", "a graphics processor's device", "its memory can't be read; close it before a checkpoint"},
    {"/dev/nvidia", "a graphics processor's device", "its memory can't be read; close it before a checkpoint"},
    {"/dev/kfd", "a graphics processor's device", "its memory can't be read; close it before a checkpoint"},
    {"anon_inode:", "a kernel object", "close it before a checkpoint"},
    {"user:[", "a namespace", "close it before a checkpoint"},
    {"socket:[", "a socket of a family that is not known", "close it before a checkpoint"},
};

long fd_refuse(const struct description *d, char *problem, unsigned long size)
{
    for (unsigned i = 0; i < sizeof objects / sizeof *objects; i++)
        if (str_after(d->link, objects[i].link)) {
            fmt(problem, size, "descriptor %d (%s) is %s, which can't be restored: %s", d->first, d->link, objects[i].what, objects[i].way_out);
            return -EOPNOTSUPP;
        }
    if (S_ISCHR(d->st.st_mode) || S_ISBLK(d->st.st_mode))
        fmt(problem, size, "descriptor %d (%s) is the device %u:%u, whose state is not known here; close it before a checkpoint", d->first, d->link,
            major(d->st.st_rdev), minor(d->st.st_rdev));
    else
        fmt(problem, size, "descriptor %d (%s) is of a kind that can't be restored; close it before a checkpoint", d->first, d->link);
    return -EOPNOTSUPP;
}
