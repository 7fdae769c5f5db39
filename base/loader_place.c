#include "loader_place.h"

#include <elf.h>

#include "machine.h"
#include "sys.h"

#define PAGE 4096u
#define ADDRESS_LOW 0x10000u /* vm.mmap_min_addr */
#define SEGMENTS_MAX 16

struct loader_head {
    Elf64_Ehdr elf;
    Elf64_Phdr segment[SEGMENTS_MAX];
};

static long read_head(int fd, struct loader_head *head)
{
    long error = sys_pread_all(fd, &head->elf, sizeof head->elf, 0);
    const Elf64_Ehdr *elf = &head->elf;

    if (error)
        return error == -ENODATA ? -ENOEXEC : error;
    if (elf->e_ident[EI_MAG0] != ELFMAG0 || elf->e_ident[EI_MAG1] != ELFMAG1 || elf->e_ident[EI_MAG2] != ELFMAG2 ||
        elf->e_ident[EI_MAG3] != ELFMAG3 || elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_type != ET_EXEC ||
        elf->e_machine != MACHINE_ELF || elf->e_phentsize != sizeof *head->segment || elf->e_phnum == 0 || elf->e_phnum > SEGMENTS_MAX ||
        elf->e_phoff != sizeof *elf)
        return -ENOEXEC;
    return sys_pread_all(fd, head->segment, elf->e_phnum * sizeof *head->segment, elf->e_phoff);
}

/* All that is absolute in it: there are no relocations (linker-scripts/check-loader). */
static long move_head(struct loader_head *head, uint64_t end)
{
    uint64_t first = UINT64_MAX, last = 0, delta;

    for (unsigned i = 0; i < head->elf.e_phnum; i++) {
        const Elf64_Phdr *s = &head->segment[i];
        if (s->p_type != PT_LOAD)
            continue;
        if (s->p_vaddr < first)
            first = s->p_vaddr;
        if (s->p_vaddr + s->p_memsz > last)
            last = s->p_vaddr + s->p_memsz;
    }
    if (first >= last || (first | last) % PAGE)
        return -ENOEXEC;
    if (end % PAGE || end < ADDRESS_LOW + (last - first))
        return -EINVAL;
    delta = end - last;
    for (unsigned i = 0; i < head->elf.e_phnum; i++)
        if (head->segment[i].p_type == PT_LOAD) {
            head->segment[i].p_vaddr += delta;
            head->segment[i].p_paddr += delta;
        }
    head->elf.e_entry += delta;
    return 0;
}

static long copy_file(int from, int to, uint64_t size)
{
    char buffer[4096];
    uint64_t at = 0;

    while (at < size) {
        size_t part = size - at < sizeof buffer ? (size_t)(size - at) : sizeof buffer;
        long error = sys_pread_all(from, buffer, part, at);
        if (!error)
            error = sys_pwrite_all(to, buffer, part, at);
        if (error)
            return error;
        at += part;
    }
    return 0;
}

long loader_place(int loader_fd, uint64_t start_brk)
{
    struct loader_head head;
    struct stat st;
    long fd, error = read_head(loader_fd, &head);

    if (!error)
        error = move_head(&head, start_brk);
    if (!error)
        error = sys_fstat(loader_fd, &st);
    if (error)
        return error;
    fd = syscall3(__NR_memfd_create, (long)"dmtcp_loader", MFD_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    error = copy_file(loader_fd, (int)fd, (uint64_t)st.st_size);
    if (!error)
        error = sys_pwrite_all((int)fd, &head.elf, sizeof head.elf, 0);
    if (!error)
        error = sys_pwrite_all((int)fd, head.segment, head.elf.e_phnum * sizeof *head.segment, head.elf.e_phoff);
    if (error) {
        sys_close((int)fd);
        return error;
    }
    return fd;
}
