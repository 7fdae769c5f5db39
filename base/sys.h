/* Typed system calls for free code: no errno, no cancellation points, no libc. Each returns what the kernel returns: a result, or
 * -errno. May be called at any time, in any phase, from any thread, handlers included. Only what needs a comment has one. */
#ifndef SYS_H
#define SYS_H

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "syscall.h"

#define SYS_IS_ERROR(result) ((unsigned long)(result) >= (unsigned long)-4095L)

static inline long sys_read(int fd, void *buffer, size_t size)
{
    return syscall3(__NR_read, fd, (long)buffer, (long)size);
}

static inline long sys_write(int fd, const void *buffer, size_t size)
{
    return syscall3(__NR_write, fd, (long)buffer, (long)size);
}

static inline long sys_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
    return syscall6(__NR_pread64, fd, (long)buffer, (long)size, (long)offset, 0, 0);
}

static inline long sys_pwrite(int fd, const void *buffer, size_t size, uint64_t offset)
{
    return syscall6(__NR_pwrite64, fd, (long)buffer, (long)size, (long)offset, 0, 0);
}

static inline long sys_preadv(int fd, const struct iovec *vector, int count, uint64_t offset)
{
    return syscall6(__NR_preadv, fd, (long)vector, count, (long)offset, 0, 0);
}

static inline long sys_pwritev(int fd, const struct iovec *vector, int count, uint64_t offset)
{
    return syscall6(__NR_pwritev, fd, (long)vector, count, (long)offset, 0, 0);
}

static inline long sys_openat(int dir, const char *path, int flags, unsigned mode)
{
    return syscall6(__NR_openat, dir, (long)path, flags, mode, 0, 0);
}

static inline long sys_open(const char *path, int flags, unsigned mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
}

static inline long sys_close(int fd)
{
    return syscall3(__NR_close, fd, 0, 0);
}

static inline long sys_lseek(int fd, int64_t offset, int whence)
{
    return syscall3(__NR_lseek, fd, offset, whence);
}

/* x86_64 and other 64-bit kernels share glibc's struct stat. */
static inline long sys_fstat(int fd, struct stat *st)
{
    return syscall3(__NR_fstat, fd, (long)st, 0);
}

static inline long sys_fstatat(int dir, const char *path, struct stat *st, int flags)
{
    return syscall6(__NR_newfstatat, dir, (long)path, (long)st, flags, 0, 0);
}

static inline long sys_readlink(const char *path, char *buffer, size_t size)
{
    return syscall6(__NR_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)size, 0, 0);
}

static inline long sys_getdents(int fd, void *buffer, size_t size)
{
    return syscall3(__NR_getdents64, fd, (long)buffer, (long)size);
}

static inline long sys_rename(const char *from, const char *to)
{
    return syscall6(__NR_renameat, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0, 0);
}

static inline long sys_unlink(const char *path)
{
    return syscall3(__NR_unlinkat, AT_FDCWD, (long)path, 0);
}

static inline long sys_mkdir(const char *path, unsigned mode)
{
    return syscall3(__NR_mkdirat, AT_FDCWD, (long)path, mode);
}

static inline long sys_chdir(const char *path)
{
    return syscall3(__NR_chdir, (long)path, 0, 0);
}

static inline long sys_getcwd(char *buffer, size_t size)
{
    return syscall3(__NR_getcwd, (long)buffer, (long)size, 0);
}

static inline long sys_fchmod(int fd, unsigned mode)
{
    return syscall3(__NR_fchmod, fd, mode, 0);
}

static inline long sys_uname(struct utsname *name)
{
    return syscall3(__NR_uname, (long)name, 0, 0);
}

static inline long sys_fsync(int fd)
{
    return syscall3(__NR_fsync, fd, 0, 0);
}

static inline long sys_ftruncate(int fd, uint64_t size)
{
    return syscall3(__NR_ftruncate, fd, (long)size, 0);
}

static inline long sys_fcntl(int fd, int command, long argument)
{
    return syscall3(__NR_fcntl, fd, command, argument);
}

static inline long sys_ioctl(int fd, unsigned long request, void *argument)
{
    return syscall3(__NR_ioctl, fd, (long)request, (long)argument);
}

static inline long sys_dup3(int from, int to, int flags)
{
    return syscall3(__NR_dup3, from, to, flags);
}

/* close_range(2): first and last inclusive; ENOSYS before 5.9. */
static inline long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return syscall3(__NR_close_range, first, last, flags);
}

static inline void *sys_mmap(void *address, size_t size, int prot, int flags, int fd, uint64_t offset)
{
    return (void *)syscall6(__NR_mmap, (long)address, (long)size, prot, flags, fd, (long)offset);
}

static inline long sys_munmap(void *address, size_t size)
{
    return syscall3(__NR_munmap, (long)address, (long)size, 0);
}

static inline long sys_mprotect(void *address, size_t size, int prot)
{
    return syscall3(__NR_mprotect, (long)address, (long)size, prot);
}

static inline void *sys_mremap(void *old, size_t old_size, size_t new_size, int flags, void *to)
{
    return (void *)syscall6(__NR_mremap, (long)old, (long)old_size, (long)new_size, flags, (long)to, 0);
}

static inline long sys_madvise(void *address, size_t size, int advice)
{
    return syscall3(__NR_madvise, (long)address, (long)size, advice);
}

static inline long sys_mlock2(void *address, size_t size, int flags)
{
    return syscall3(__NR_mlock2, (long)address, (long)size, flags);
}

static inline unsigned long sys_brk(unsigned long address)
{
    return (unsigned long)syscall3(__NR_brk, (long)address, 0, 0);
}

static inline long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return syscall6(__NR_prctl, option, (long)a, (long)b, (long)c, (long)d, 0);
}

static inline int sys_getpid(void)
{
    return (int)syscall3(__NR_getpid, 0, 0, 0);
}

static inline int sys_getppid(void)
{
    return (int)syscall3(__NR_getppid, 0, 0, 0);
}

static inline int sys_gettid(void)
{
    return (int)syscall3(__NR_gettid, 0, 0, 0);
}

static inline long sys_kill(int pid, int signal)
{
    return syscall3(__NR_kill, pid, signal, 0);
}

static inline long sys_tgkill(int pid, int tid, int signal)
{
    return syscall3(__NR_tgkill, pid, tid, signal);
}

static inline _Noreturn void sys_exit_group(int status)
{
    for (;;)
        syscall3(__NR_exit_group, status, 0, 0);
}

static inline _Noreturn void sys_exit_thread(int status)
{
    for (;;)
        syscall3(__NR_exit, status, 0, 0);
}

/* The kernel's signal sets are 64 bits; bit n-1 is signal n. */
typedef uint64_t sys_sigset;
#define SYS_SIGBIT(signal) (1ull << ((signal)-1))

/* struct kernel_sigaction of rt_sigaction(2), as x86_64 and aarch64 (with SA_RESTORER) have it. */
struct sys_sigaction {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    sys_sigset mask;
};

static inline long sys_sigaction(int signal, const struct sys_sigaction *set, struct sys_sigaction *old)
{
    return syscall6(__NR_rt_sigaction, signal, (long)set, (long)old, sizeof(sys_sigset), 0, 0);
}

static inline long sys_sigprocmask(int how, const sys_sigset *set, sys_sigset *old)
{
    return syscall6(__NR_rt_sigprocmask, how, (long)set, (long)old, sizeof(sys_sigset), 0, 0);
}

static inline long sys_sigpending(sys_sigset *set)
{
    return syscall3(__NR_rt_sigpending, (long)set, sizeof(sys_sigset), 0);
}

static inline long sys_sigtimedwait(const sys_sigset *set, siginfo_t *info, const struct timespec *timeout)
{
    return syscall6(__NR_rt_sigtimedwait, (long)set, (long)info, (long)timeout, sizeof(sys_sigset), 0, 0);
}

static inline long sys_tgsigqueueinfo(int pid, int tid, int signal, const siginfo_t *info)
{
    return syscall6(__NR_rt_tgsigqueueinfo, pid, tid, signal, (long)info, 0, 0);
}

static inline long sys_sigqueueinfo(int pid, int signal, const siginfo_t *info)
{
    return syscall3(__NR_rt_sigqueueinfo, pid, signal, (long)info);
}

static inline long sys_wait4(int pid, int *status, int options, void *usage)
{
    return syscall6(__NR_wait4, pid, (long)status, options, (long)usage, 0, 0);
}

/* futex(2), private to the process; timeout relative, NULL: none. EAGAIN when *word != value. */
static inline long sys_futex_wait(uint32_t *word, uint32_t value, const struct timespec *timeout)
{
    return syscall6(__NR_futex, (long)word, 128 /* FUTEX_WAIT_PRIVATE */, value, (long)timeout, 0, 0);
}

static inline long sys_futex_wake(uint32_t *word, int count)
{
    return syscall6(__NR_futex, (long)word, 129 /* FUTEX_WAKE_PRIVATE */, count, 0, 0, 0);
}

static inline long sys_clock_gettime(int clock, struct timespec *ts)
{
    return syscall3(__NR_clock_gettime, clock, (long)ts, 0);
}

static inline long sys_nanosleep(const struct timespec *duration)
{
    return syscall3(__NR_nanosleep, (long)duration, 0, 0);
}

static inline long sys_ppoll(struct pollfd *fds, unsigned count, const struct timespec *timeout)
{
    return syscall6(__NR_ppoll, (long)fds, count, (long)timeout, 0, sizeof(sys_sigset), 0);
}

static inline long sys_socket(int domain, int type, int protocol)
{
    return syscall3(__NR_socket, domain, type, protocol);
}

static inline long sys_connect(int fd, const void *address, unsigned size)
{
    return syscall3(__NR_connect, fd, (long)address, size);
}

static inline long sys_sendto(int fd, const void *buffer, size_t size, int flags, const void *address, unsigned address_size)
{
    return syscall6(__NR_sendto, fd, (long)buffer, (long)size, flags, (long)address, address_size);
}

static inline long sys_recvfrom(int fd, void *buffer, size_t size, int flags)
{
    return syscall6(__NR_recvfrom, fd, (long)buffer, (long)size, flags, 0, 0);
}

static inline long sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return syscall3(__NR_sendmsg, fd, (long)message, flags);
}

static inline long sys_getsockname(int fd, void *address, unsigned *size)
{
    return syscall3(__NR_getsockname, fd, (long)address, (long)size);
}

static inline unsigned sys_geteuid(void)
{
    return (unsigned)syscall3(__NR_geteuid, 0, 0, 0);
}

static inline long sys_setsockopt(int fd, int level, int option, const void *value, unsigned size)
{
    return syscall6(__NR_setsockopt, fd, level, option, (long)value, size, 0);
}

static inline long sys_getsockopt(int fd, int level, int option, void *value, unsigned *size)
{
    return syscall6(__NR_getsockopt, fd, level, option, (long)value, (long)size, 0);
}

static inline long sys_getrandom(void *buffer, size_t size, unsigned flags)
{
    return syscall3(__NR_getrandom, (long)buffer, (long)size, flags);
}

static inline long sys_process_vm_readv(int pid, const struct iovec *local, unsigned long locals, const struct iovec *remote,
                                        unsigned long remotes)
{
    return syscall6(__NR_process_vm_readv, pid, (long)local, (long)locals, (long)remote, (long)remotes, 0);
}

static inline uint64_t sys_now_ns(int clock)
{
    struct timespec ts;

    sys_clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Whole buffer, across short counts and EINTR. 0, or -errno; -EIO where the file gives no more. */
static inline long sys_write_all(int fd, const void *buffer, size_t size)
{
    const char *at = buffer;

    while (size) {
        long n = sys_write(fd, at, size);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : -EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static inline long sys_pwrite_all(int fd, const void *buffer, size_t size, uint64_t offset)
{
    const char *at = buffer;

    while (size) {
        long n = sys_pwrite(fd, at, size, offset);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : -EIO;
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* -ENODATA: the file ends before. */
static inline long sys_pread_all(int fd, void *buffer, size_t size, uint64_t offset)
{
    char *at = buffer;

    while (size) {
        long n = sys_pread(fd, at, size, offset);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : -ENODATA;
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

#endif
