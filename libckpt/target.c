/* Can a program be followed? What dmtcp_launch refuses at the start (cmds/program.c says it to people), a running program may start at will: it then
 * runs outside the computation. Free of allocation and of libc: also called in a child of vfork. */
#include <elf.h>
#include <linux/prctl.h>

#include "follow.h"
#include "machine.h"
#include "str.h"

#define DEPTH 5 /* of interpreters: fs/exec.c */

static long open_target(const char *path, char *head, size_t size, struct stat *st)
{
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);

    if (fd < 0)
        return fd;
    long n = sys_pread((int)fd, head, size, 0);
    if (n < 0 || sys_fstat((int)fd, st) < 0) {
        sys_close((int)fd);
        return -EIO;
    }
    head[n < (long)size ? n : (long)size - 1] = 0;
    return fd;
}

/* The dynamic linker; "" if there is none. */
static void elf_interpreter(int fd, const Elf64_Ehdr *header, char *path, size_t size)
{
    path[0] = 0;
    for (unsigned i = 0; i < header->e_phnum && i < 128; i++) {
        Elf64_Phdr segment;
        if (sys_pread(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment) != sizeof segment)
            return;
        if (segment.p_type == PT_INTERP) {
            long n = sys_pread(fd, path, segment.p_filesz < size ? segment.p_filesz : size - 1, segment.p_offset);
            path[n > 0 ? n : 0] = 0;
            return;
        }
    }
}

static enum ptable_reason elf_refusal(int fd, const char *head, const struct stat *st)
{
    const Elf64_Ehdr *header = (const void *)head;
    char linker[256];

    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != MACHINE_ELF)
        return PTABLE_FOREIGN;
    elf_interpreter(fd, header, linker, sizeof linker);
    if (!linker[0])
        return PTABLE_STATIC;
    if (str_after(str_base(linker), "ld-musl"))
        return PTABLE_MUSL;
    if (sys_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return PTABLE_STAYS;
    if ((st->st_mode & S_ISUID) && st->st_uid != (uid_t)syscall3(__NR_geteuid, 0, 0, 0))
        return PTABLE_SETUID;
    if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP) && st->st_gid != (gid_t)syscall3(__NR_getegid, 0, 0, 0))
        return PTABLE_SETGID;
    if (syscall3(__NR_geteuid, 0, 0, 0) && syscall6(__NR_fgetxattr, fd, (long)"security.capability", 0, 0, 0, 0) > 0)
        return PTABLE_CAPABILITIES;
    return PTABLE_STAYS;
}

/* "#! interpreter argument": execve(2), "Interpreter scripts". */
static bool interpreter_of(const char *head, char *path, size_t size)
{
    const char *at = str_after(head, "#!");
    size_t n = 0;

    if (!at)
        return false;
    while (*at == ' ' || *at == '\t')
        at++;
    while (at[n] && at[n] != ' ' && at[n] != '\t' && at[n] != '\n' && n + 1 < size)
        n++;
    memcpy(path, at, n);
    path[n] = 0;
    return n > 0;
}

enum ptable_reason follow_refusal(const char *path)
{
    char head[256] __attribute__((aligned(8))), next[256];

    if (str_equal(str_base(path), "dmtcp_nocheckpoint"))
        return PTABLE_ASKED;
    for (int depth = 0; depth < DEPTH; depth++) {
        struct stat st;
        long fd = open_target(path, head, sizeof head, &st);
        if (fd < 0)
            return PTABLE_STAYS;
        if (str_after(head, "\177ELF")) {
            enum ptable_reason reason = elf_refusal((int)fd, head, &st);
            sys_close((int)fd);
            return reason;
        }
        sys_close((int)fd);
        if (!interpreter_of(head, next, sizeof next))
            return PTABLE_STAYS;
        path = next;
    }
    return PTABLE_STAYS;
}
