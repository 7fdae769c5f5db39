#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "die.h"
#include "machine.h"
#include "str.h"

enum {
    SCRIPT_DEPTH = 5,    /* linux/fs/exec.c: an interpreter may be a script itself, so deep */
    LINE_MAX_SIZE = 256, /* linux/include/uapi/linux/binfmts.h: BINPRM_BUF_SIZE */
    HEADERS_MAX = 1024,  /* program headers looked at */
};

/* How messages name the program: "prog", or "prog (its interpreter /usr/bin/x)". */
struct subject {
    const char *name;
    char text[2 * PATH_MAX + 64];
};

static void name_interpreter(struct subject *subject, const char *interpreter)
{
    snprintf(subject->text, sizeof subject->text, "%s (its interpreter %s)", subject->name, interpreter);
}

/* Reads at most size bytes at offset; how many there were. */
static size_t read_at(int fd, void *buffer, size_t size, off_t offset)
{
    ssize_t n;

    do
        n = pread(fd, buffer, size, offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? 0 : (size_t)n;
}

/* The PT_INTERP of an ELF file; "" if there is none. */
static void elf_interpreter(int fd, const Elf64_Ehdr *header, char *interpreter, size_t size)
{
    unsigned count = header->e_phnum < HEADERS_MAX ? header->e_phnum : HEADERS_MAX;

    interpreter[0] = 0;
    for (unsigned i = 0; i < count && header->e_phentsize == sizeof(Elf64_Phdr); i++) {
        Elf64_Phdr segment;

        if (read_at(fd, &segment, sizeof segment, (off_t)(header->e_phoff + i * sizeof segment)) != sizeof segment)
            return;
        if (segment.p_type == PT_INTERP && segment.p_filesz && segment.p_filesz < size) {
            interpreter[read_at(fd, interpreter, segment.p_filesz, (off_t)segment.p_offset)] = 0;
            return;
        }
    }
}

static bool same_file(const struct stat *a, const char *path)
{
    struct stat b;

    return !stat(path, &b) && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* ld.so started as a program has no PT_INTERP, but it preloads. */
static bool is_dynamic_linker(int fd)
{
    char linker[PATH_MAX] = "";
    Elf64_Ehdr own;
    struct stat st;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    if (self < 0)
        return false;
    if (read_at(self, &own, sizeof own, 0) == sizeof own)
        elf_interpreter(self, &own, linker, sizeof linker);
    close(self);
    return linker[0] && !fstat(fd, &st) && same_file(&st, linker);
}

static void check_elf(int fd, const struct subject *subject)
{
    char interpreter[PATH_MAX];
    Elf64_Ehdr header;

    if (read_at(fd, &header, sizeof header, 0) < EI_NIDENT)
        die(FAIL_TOOL, "%s: is a cut-off ELF file", subject->text);
    if (header.e_ident[EI_CLASS] == ELFCLASS32)
        die(FAIL_TOOL, "%s: is a 32-bit program; only 64-bit programs can be checkpointed", subject->text);
    if (read_at(fd, &header, sizeof header, 0) != sizeof header)
        die(FAIL_TOOL, "%s: is a cut-off ELF file", subject->text);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != MACHINE_ELF)
        die(FAIL_TOOL, "%s: is a program for another machine (ELF machine %u)", subject->text, header.e_machine);
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        die(FAIL_TOOL, "%s: is an ELF file, but not a program", subject->text);
    elf_interpreter(fd, &header, interpreter, sizeof interpreter);
    if (!interpreter[0]) {
        if (is_dynamic_linker(fd))
            return;
        die(FAIL_TOOL, "%s: is statically linked; link it dynamically (without -static) to checkpoint it", subject->text);
    }
    if (str_after(str_base(interpreter), "ld-musl"))
        die(FAIL_TOOL, "%s: is linked with the musl C library; only glibc programs can be checkpointed", subject->text);
    if (access(interpreter, X_OK))
        die(FAIL_TOOL, "%s: its dynamic linker %s: %m", subject->text, interpreter);
}

/* Would exec give it another identity? Then the dynamic linker ignores LD_PRELOAD (ld.so(8), "Secure-execution mode"). */
static void check_privilege(int fd, const struct subject *subject)
{
    struct statvfs mount;
    struct stat st;

    if (fstat(fd, &st))
        die(FAIL_TOOL, "%s: %m", subject->text);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || (!fstatvfs(fd, &mount) && (mount.f_flag & ST_NOSUID)))
        return; /* those bits have no effect here: execve(2) */
    if ((st.st_mode & S_ISUID) && st.st_uid != geteuid())
        die(FAIL_TOOL, "%s: is a setuid program; those can't be checkpointed", subject->text);
    if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid())
        die(FAIL_TOOL, "%s: is a setgid program; those can't be checkpointed", subject->text);
    if (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        die(FAIL_TOOL, "%s: has file capabilities (getcap %s); such programs can't be checkpointed", subject->text, subject->name);
}

/* Opens a file that exec would take, or says why it can't be. */
static int open_program(const char *path, const struct subject *subject)
{
    struct stat st;
    int fd;

    if (stat(path, &st))
        die(FAIL_TOOL, "%s: %m", subject->text);
    if (S_ISDIR(st.st_mode))
        die(FAIL_TOOL, "%s: is a directory, not a program", subject->text);
    if (!S_ISREG(st.st_mode))
        die(FAIL_TOOL, "%s: is no regular file, so not a program", subject->text);
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
        die(FAIL_TOOL, errno == EACCES ? "%s: is not executable (%m)" : "%s: %m", subject->text);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die(FAIL_TOOL, "%s: may be executed but not read (%m), so it can't be checkpointed", subject->text);
    return fd;
}

/* Is there a file of that name which exec would start? 0, or errno. */
static int executable(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return errno;
    return S_ISREG(st.st_mode) && !faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? 0 : EACCES;
}

/* As execvp(3): names with a slash as they are, others along PATH; what may not be executed is passed over, but remembered. */
static bool search(char *path, size_t size, const char *name)
{
    const char *list = getenv("PATH");
    bool denied = false;

    if (!*name || strchr(name, '/'))
        return str_copy(path, size, name);
    if (!list)
        list = "/bin:/usr/bin";
    for (;;) {
        size_t length = strcspn(list, ":");
        char candidate[PATH_MAX];
        int n = snprintf(candidate, sizeof candidate, "%.*s/%s", length ? (int)length : 1, length ? list : ".", name), problem;

        if (n > 0 && (size_t)n < sizeof candidate) {
            problem = executable(candidate);
            if (!problem || (problem == EACCES && !denied)) {
                str_copy(path, size, candidate);
                denied = true;
            }
            if (!problem)
                return true;
        }
        if (!list[length])
            return denied;
        list += length + 1;
    }
}

/* First word at *at, of a line; "" at its end. */
static void take_word(const char **at, char *word, size_t size)
{
    size_t length;

    *at += strspn(*at, " \t");
    length = strcspn(*at, " \t\n");
    snprintf(word, size, "%.*s", (int)length, *at);
    *at += length;
}

/* What runs a file that is no ELF file: the interpreter of its #! line, or the shell (execvp(3), on ENOEXEC). For `#!/usr/bin/env NAME`
 * also NAME, if it can be seen which one that is. Dies for a file that is neither. */
static void script_interpreters(int fd, const struct subject *subject, char *interpreter, char *by_env, size_t size)
{
    char line[LINE_MAX_SIZE + 1], word[LINE_MAX_SIZE + 1];
    size_t n = read_at(fd, line, LINE_MAX_SIZE, 0);
    const char *at = line + 2;

    line[n] = 0;
    by_env[0] = 0;
    if (!str_after(line, "#!")) {
        if (memchr(line, 0, n))
            die(FAIL_TOOL, "%s: is neither an ELF program nor a script", subject->text);
        str_copy(interpreter, size, "/bin/sh");
        return;
    }
    take_word(&at, word, sizeof word);
    if (!word[0])
        die(FAIL_TOOL, "%s: names no interpreter in its #! line", subject->text);
    str_copy(interpreter, size, word);
    if (!str_equal(str_base(interpreter), "env"))
        return;
    do /* `env -S VAR=x program` and the like: options and assignments come first */
        take_word(&at, word, sizeof word);
    while (word[0] == '-' || strchr(word, '='));
    if (word[0] && search(line, sizeof line, word) && !executable(line))
        str_copy(by_env, size, line);
}

static void check(const char *path, struct subject *subject, int depth)
{
    char interpreter[PATH_MAX], by_env[PATH_MAX];
    unsigned char magic[SELFMAG];
    int fd;

    if (depth > SCRIPT_DEPTH)
        die(FAIL_TOOL, "%s: its #! lines go in a circle", subject->name);
    fd = open_program(path, subject);
    if (read_at(fd, magic, SELFMAG, 0) == SELFMAG && !memcmp(magic, ELFMAG, SELFMAG)) {
        check_privilege(fd, subject);
        check_elf(fd, subject);
        close(fd);
        return;
    }
    /* setuid bits of scripts have no effect: execve(2) */
    script_interpreters(fd, subject, interpreter, by_env, sizeof interpreter);
    close(fd);
    name_interpreter(subject, interpreter);
    check(interpreter, subject, depth + 1);
    if (by_env[0]) {
        name_interpreter(subject, by_env);
        check(by_env, subject, depth + 1);
    }
}

void program_find(char *path, size_t size, const char *name)
{
    static struct subject subject;

    subject.name = name;
    snprintf(subject.text, sizeof subject.text, "%s", name);
    if (!*name)
        die(FAIL_TOOL, "the command's name is empty");
    if (!search(path, size, name))
        die(FAIL_TOOL, strchr(name, '/') ? "%s: the path is too long" : "%s: no such program in PATH", name);
    check(path, &subject, 0);
}
