/* loader_case LOADER BLOB CASE FORM WORKERS: builds the image of a made-up process, has the loader restore it in a child, and checks what
 * comes of it: the process's own checks (blob.c) and what it printed of /proc. FORM: raw, gzip, or zcat (a compressed image's raw
 * contents).
 * Files go to the directory TEST_TMP. Exit code: 0 passed, 1 failed, 77 can't be tested here. */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "../image/image_build.h"
#include "conf.h"
#include "feature.h"
#include "handoff.h"
#include "loader_place.h"
#include "plan.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)
#define RW (PROT_READ | PROT_WRITE)

struct segment_list {
    struct image_segment segment;
    const char *name;
    struct {
        uint64_t address;
        const void *bytes;
        size_t size;
        unsigned flags;
    } run[600];
    unsigned runs;
};

/* The process under construction. */
static struct {
    struct segment_list *list[256];
    unsigned count;
    struct plan plan;
    struct image_mm mm;
    struct image_vdso_symbol vdso_symbol[32];
    unsigned vdso_symbols;
    struct image_guard guard[8];
    unsigned guards;
    uint32_t disabled;
    bool place_brk;
    bool seal; /* the loader's vDSO is sealed before it runs */
    unsigned chunk_pages;
    /* what must come of it */
    const char *message; /* part of the loader's last line; the restart must fail */
    const char *also; /* part of its output */
    void (*look)(void);
    void (*damage)(unsigned char *bytes, size_t size);
} it;

static char output[1 << 24];
static size_t output_size;
static const char *directory;
static Elf64_Addr blob_start;

static void failed(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void failed(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    exit(1);
}

/* --- building --- */

static struct segment_list *segment(uint64_t start, uint64_t size, uint32_t kind, int prot, uint32_t vm_flags, const char *name)
{
    struct segment_list *s = calloc(1, sizeof *s);

    s->segment = (struct image_segment){
        .start = start, .end = start + size, .kind = kind, .prot = (uint32_t)prot, .vm_flags = vm_flags};
    s->name = name;
    it.list[it.count++] = s;
    return s;
}

static void contents(struct segment_list *s, uint64_t address, const void *bytes, size_t size, unsigned flags)
{
    if (s->runs == sizeof s->run / sizeof *s->run)
        errx(1, "too many runs");
    s->run[s->runs].address = address;
    s->run[s->runs].bytes = bytes;
    s->run[s->runs].size = size;
    s->run[s->runs++].flags = flags;
}

static void expect(uint32_t kind, uint64_t address, uint64_t size, uint64_t seed)
{
    if (it.plan.check_count == sizeof it.plan.check / sizeof *it.plan.check)
        errx(1, "too many checks");
    it.plan.check[it.plan.check_count++] = (struct plan_check){address, size, seed, kind, 0};
}

static uint64_t *pattern(uint64_t address, uint64_t size, uint64_t seed)
{
    uint64_t *bytes = malloc(size);

    for (uint64_t i = 0; i < size / 8; i++)
        bytes[i] = plan_word(seed, address + i * 8);
    return bytes;
}

/* Contents that the process checks. */
static void filled(struct segment_list *s, uint64_t address, uint64_t size)
{
    contents(s, address, pattern(address, size, address >> 12), size, 0);
    expect(PLAN_PATTERN, address, size, address >> 12);
}

static void print_there(const char *path)
{
    unsigned i = 0;

    while (it.plan.print[i][0])
        i++;
    strcpy(it.plan.print[i], path);
}

static void put_blob(const char *path)
{
    static unsigned char file[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const Elf64_Ehdr *elf = (void *)file;
    const Elf64_Phdr *ph;

    if (fd < 0 || read(fd, file, sizeof file) < (ssize_t)sizeof *elf)
        err(1, "%s", path);
    close(fd);
    ph = (const void *)(file + elf->e_phoff);
    for (int i = 0; i < elf->e_phnum; i++)
        if (ph[i].p_type == PT_LOAD) {
            uint64_t start = ph[i].p_vaddr & ~(PAGE - 1), end = (ph[i].p_vaddr + ph[i].p_memsz + PAGE - 1) & ~(PAGE - 1);
            int prot = (ph[i].p_flags & PF_R ? PROT_READ : 0) | (ph[i].p_flags & PF_W ? PROT_WRITE : 0) |
                       (ph[i].p_flags & PF_X ? PROT_EXEC : 0);
            struct segment_list *s = segment(start, end - start, IMAGE_ANON, prot, 0, "");
            uint64_t lead = ph[i].p_vaddr - start;
            unsigned char *bytes = calloc(1, end - start);
            memcpy(bytes + lead, file + ph[i].p_offset, ph[i].p_filesz);
            if (ph[i].p_filesz)
                contents(s, start, bytes, lead + ph[i].p_filesz, 0);
        }
    blob_start = elf->e_entry;
}

/* The live vDSO with its data pages, as if the process had had them at `at`. */
static void put_vdso(uint64_t at, bool differs)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], *name;
    uint64_t start, end, base = 0;

    while (fgets(line, sizeof line, maps)) {
        bool code = strstr(line, "[vdso]") != NULL;
        struct segment_list *s;
        if ((!code && !strstr(line, "[vvar")) || sscanf(line, "%lx-%lx", &start, &end) != 2)
            continue;
        name = strdup(strchr(line, '['));
        name[strcspn(name, "\n")] = 0;
        if (!base)
            base = start;
        s = segment(at + (start - base), end - start, code ? IMAGE_VDSO : IMAGE_VVAR, code ? PROT_READ | PROT_EXEC : PROT_READ, 0, name);
        if (!code)
            continue;
        unsigned char *bytes = malloc(end - start);
        memcpy(bytes, (void *)start, end - start);
        if (differs)
            bytes[EI_PAD]++; /* nobody reads this byte */
        contents(s, at + (start - base), bytes, end - start, 0);

        const Elf64_Ehdr *elf = (void *)start;
        const Elf64_Shdr *sh = (const void *)(start + elf->e_shoff);
        for (int i = 0; i < elf->e_shnum; i++)
            for (uint64_t n = 0; sh[i].sh_type == SHT_DYNSYM && n < sh[i].sh_size / sizeof(Elf64_Sym); n++) {
                const Elf64_Sym *symbol = (const Elf64_Sym *)(start + sh[i].sh_offset) + n;
                const char *text = (const char *)(start + sh[sh[i].sh_link].sh_offset + symbol->st_name);
                struct image_vdso_symbol *v = &it.vdso_symbol[it.vdso_symbols];
                uint64_t address = at + (start - base) + symbol->st_value;
                if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_shndx)
                    continue;
                v->offset = symbol->st_value;
                strncpy(v->name, text, sizeof v->name - 1);
                it.vdso_symbols++;
                if (!strcmp(text, "__vdso_clock_gettime"))
                    it.plan.clock_gettime = address;
                if (!strcmp(text, "__vdso_gettimeofday"))
                    it.plan.gettimeofday = address;
                if (!strcmp(text, "__vdso_time"))
                    it.plan.time = address;
                if (!strcmp(text, "__vdso_getcpu"))
                    it.plan.getcpu = address;
            }
    }
    fclose(maps);
    if (!base) {
        printf("no vDSO here\n");
        exit(77);
    }
}

static int by_start(const void *a, const void *b)
{
    const struct segment_list *const *x = a, *const *y = b;

    return (*x)->segment.start < (*y)->segment.start ? -1 : 1;
}

static unsigned char *inflate_all(const unsigned char *bytes, size_t size, size_t *raw_size)
{
    size_t room = 64 * MIB, at = 0;
    unsigned char *raw = malloc(room);
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)size};

    while (z.avail_in) { /* as zcat: member after member */
        if (inflateInit2(&z, 15 + 16) != Z_OK)
            errx(1, "inflateInit2");
        z.next_out = raw + at;
        z.avail_out = (unsigned)(room - at);
        if (inflate(&z, Z_FINISH) != Z_STREAM_END)
            errx(1, "the image is not valid gzip");
        at = room - z.avail_out;
        inflateEnd(&z);
    }
    *raw_size = at;
    return raw;
}

static void save_image(const char *path, const char *form)
{
    struct image_build build;
    unsigned char *bytes;
    size_t size;
    int fd;

    it.plan.personality = (unsigned)personality(0xffffffff);
    struct segment_list *p = segment(PLAN_ADDRESS, (sizeof it.plan + PAGE - 1) & ~(PAGE - 1), IMAGE_ANON, PROT_READ, 0, "");
    contents(p, PLAN_ADDRESS, &it.plan, sizeof it.plan, 0);
    qsort(it.list, it.count, sizeof *it.list, by_start);
    image_build_start(&build);
    if (it.chunk_pages)
        build.chunk_pages = it.chunk_pages;
    build.header.entry = blob_start;
    build.mm = it.mm;
    for (unsigned i = 0; i < it.count; i++) {
        struct segment_list *s = it.list[i];
        s->segment.name = s->name[0] ? image_build_string(&build, s->name) : 0;
        image_build_segment(&build, &s->segment);
        for (unsigned r = 0; r < s->runs; r++)
            image_build_contents(&build, i, s->run[r].address, s->run[r].bytes, s->run[r].size, s->run[r].flags);
    }
    image_build_record(&build, IMAGE_REC_VDSO, it.vdso_symbol, it.vdso_symbols * sizeof *it.vdso_symbol);
    if (it.guards)
        image_build_record(&build, IMAGE_REC_GUARDS, it.guard, it.guards * sizeof *it.guard);
    bytes = image_build_finish(&build, strcmp(form, "raw") != 0, &size);
    if (!strcmp(form, "zcat"))
        bytes = inflate_all(bytes, size, &size);
    if (it.damage)
        it.damage(bytes, size);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd))
        err(1, "write %s", path);
    image_build_end(&build);
}

/* --- cases --- */

#define STACK_TOP 0x7ffe12340000ull

static void with_stack(uint64_t top)
{
    struct segment_list *s = segment(top - 132 * 1024, 132 * 1024, IMAGE_STACK, RW, IMAGE_VM_GROWSDOWN, "[stack]");

    filled(s, top - 8 * PAGE, 7 * PAGE);
    static char text[PAGE];
    memcpy(text, "the old command\0-x\0HOME=/nowhere\0", 34);
    contents(s, top - PAGE, text, sizeof text, 0);
    it.mm.start_stack = top - PAGE - 64;
    it.mm.arg_start = top - PAGE;
    it.mm.arg_end = it.mm.env_start = top - PAGE + 19;
    it.mm.env_end = top - PAGE + 33;
    it.plan.grow_from = top - 132 * 1024;
    it.plan.grow_bytes = 3 * MIB;
}

static void with_heap(uint64_t start, uint64_t size)
{
    struct segment_list *s = segment(start, size, IMAGE_ANON, RW, 0, "[heap]");

    filled(s, start + PAGE, 3 * PAGE);
    expect(PLAN_ZERO, start + 4 * PAGE, size - 4 * PAGE, 0);
    it.mm.start_brk = start;
    it.mm.brk = start + size;
    it.plan.brk = start + size;
}

static void ordinary(void)
{
    struct segment_list *s;

    it.mm.start_code = it.mm.start_data = BLOB_ADDRESS;
    it.mm.end_code = it.mm.end_data = BLOB_ADDRESS + PAGE;
    it.mm.auxv[0] = AT_PAGESZ;
    it.mm.auxv[1] = 4096;
    it.mm.auxv[2] = AT_SECURE;
    it.mm.auxv[3] = 0;
    it.mm.auxv[4] = AT_RANDOM;
    it.mm.auxv[5] = STACK_TOP - 128;
    it.mm.auxv_size = 8 * 8;
    with_stack(STACK_TOP);
    with_heap(0x30000000, 33 * PAGE);
    /* every other page of a large mapping, over several chunks */
    s = segment(0x7f2000000000, 4 * MIB, IMAGE_ANON, RW, 0, "");
    for (unsigned i = 0; i < 512; i++) {
        uint64_t address = 0x7f2000000000 + i * 2 * PAGE;
        contents(s, address, pattern(address, PAGE, 7), PAGE, 0);
        if (i % 16 == 0) {
            expect(PLAN_PATTERN, address, PAGE, 7);
            if (it.plan.check_count < 64)
                expect(PLAN_ZERO, address + PAGE, PAGE, 0);
        }
    }
    s = segment(0x7f2100000000, 5 * MIB, IMAGE_ANON, PROT_READ, 0, "");
    filled(s, 0x7f2100000000, 2 * MIB);
    segment(0x7f2200000000, 16 * GIB, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    expect(PLAN_FAULT, 0x7f2200000000, PAGE, 0);
    it.plan.flags_mask |= HANDOFF_MM_MAP_DONE;
    it.plan.flags_value |= HANDOFF_MM_MAP_DONE;
    print_there("/proc/self/cmdline");
    print_there("/proc/self/environ");
    print_there("/proc/self/auxv");
    print_there("/proc/self/maps");
}

static void vdso_moved(void)
{
    put_vdso(0x7f3000000000, false);
    it.plan.flags_mask |= HANDOFF_VDSO_MOVED | HANDOFF_VDSO_PATCHED;
    it.plan.flags_value |= HANDOFF_VDSO_MOVED;
}

static void vdso_patched(void)
{
    put_vdso(0x7f3000000000, true);
    it.plan.flags_mask |= HANDOFF_VDSO_MOVED | HANDOFF_VDSO_PATCHED;
    it.plan.flags_value |= HANDOFF_VDSO_PATCHED;
}

/* What the process printed of a file. */
static const char *part(const char *name)
{
    char head[80];
    const char *at;
    size_t left = output_size;

    snprintf(head, sizeof head, "== %s\n", name);
    at = memmem(output, left, head, strlen(head));
    if (!at)
        failed("the process did not print %s", name);
    return at + strlen(head);
}

static void look_at_identity(void)
{
    const char *maps = part("/proc/self/maps"), *heap = strstr(maps, "[heap]"), *stack = strstr(maps, "[stack]");

    if (memcmp(part("/proc/self/cmdline"), "the old command\0-x", 19))
        failed("cmdline is not the old one");
    if (memcmp(part("/proc/self/environ"), "HOME=/nowhere", 14))
        failed("environ is not the old one");
    if (memcmp(part("/proc/self/auxv"), it.mm.auxv, it.mm.auxv_size))
        failed("auxv is not the old one");
    if (!heap || !stack)
        failed("no heap or no stack");
    if (!strstr(maps, "30000000-30021000 rw-p") || !strstr(maps, "-7ffe12340000 rw-p"))
        failed("heap or stack are not where they were:\n%s", maps);
    if (strstr(maps, "dmtcp_loader"))
        failed("the loader is still there:\n%s", maps);
}

static void case_ordinary(void)
{
    ordinary();
    vdso_moved();
    it.look = look_at_identity;
}

static void case_vdso_differs(void)
{
    ordinary();
    vdso_patched();
}

static void case_loader_in_the_way(void)
{
    struct segment_list *s;

    ordinary();
    vdso_moved();
    s = segment(0x69fffff00000, 16 * MIB, IMAGE_ANON, RW, 0, "");
    filled(s, 0x69fffff00000, 2 * MIB);
    it.plan.loader_moved = 1;
}

/* Reservations all over the address space, so that there is hardly a place for the loader and everything of the new process is in the
 * way. They must cost nothing. */
static void case_crowded(void)
{
    uint64_t hole = 0x555500000000;

    case_ordinary();
    it.look = NULL;
    segment(0x40000000, hole - 0x40000000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    segment(hole + 64 * MIB, 0x7f2000000000 - hole - 64 * MIB, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    segment(0x7f4000000000, 0x7ffe00000000 - 0x7f4000000000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    segment(0x7ffe20000000, 0x7fffff000000 - 0x7ffe20000000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    it.plan.loader_moved = 1;
    /* The holes are smaller than what find_hole likes. */
}

/* The live vDSO can't be moved and comes to lie somewhere in here half of the time. */
static void case_sealed_in_the_way(void)
{
    ordinary();
    vdso_patched();
    segment(0x7f8000000000, 0x7fc000000000 - 0x7f8000000000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    it.disabled |= FEATURE_VDSO_MOVE;
}

/* Always, unless the layout changes altogether. */
static void case_sealed_top_full(void)
{
    ordinary();
    vdso_patched();
    segment(0x7e0000000000, 0x7f2000000000 - 0x7e0000000000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    segment(0x7f2600000000, 0x7f3000000000 - 0x7f2600000000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    segment(0x7f3000100000, 0x7ffe00000000 - 0x7f3000100000, IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    it.disabled |= FEATURE_VDSO_MOVE;
}

static void case_sealed_nowhere(void)
{
    case_crowded();
    static const uint64_t gaps[][2] = {
        {0x7f2000400000, 0x7f2100000000}, {0x7f2100500000, 0x7f2200000000}, {0x7f2600000000, 0x7f3000000000},
        {0x7f3000100000, 0x7f4000000000}, {0x7ffe00000000, 0x7ffe11c00000}, {0x7ffe12340000, 0x7ffe20000000},
        {0x7fffff000000, 0x7fffffffe000},
    };
    for (unsigned i = 0; i < sizeof gaps / sizeof *gaps; i++)
        segment(gaps[i][0], gaps[i][1] - gaps[i][0], IMAGE_ANON, PROT_NONE, IMAGE_VM_NORESERVE, "");
    it.disabled |= FEATURE_VDSO_MOVE;
    it.message = "vDSO is in the way";
}

static void case_sealed_same(void)
{
    ordinary();
    put_vdso(0x7f3000000000, false);
    it.plan.flags_mask |= HANDOFF_VDSO_MOVED | HANDOFF_VDSO_PATCHED;
    it.plan.flags_value |= HANDOFF_VDSO_PATCHED;
    it.disabled |= FEATURE_VDSO_MOVE;
}

/* As some kernels do from the start (CONFIG_MSEAL_SYSTEM_MAPPINGS). */
static void case_really_sealed(void)
{
    ordinary();
    vdso_patched();
    it.seal = true;
}

static void case_really_sealed_in_the_way(void)
{
    case_sealed_in_the_way();
    it.disabled = 0;
    it.seal = true;
}

static void case_brk_placed(void)
{
    ordinary();
    vdso_moved();
    it.disabled |= FEATURE_SET_MM_MAP;
    it.plan.flags_mask = HANDOFF_BRK_PLACED | HANDOFF_MM_MAP_DONE;
    it.plan.flags_value = HANDOFF_BRK_PLACED;
    it.place_brk = true;
    /* what used to be just below the heap */
    filled(segment(0x30000000 - 64 * PAGE, 64 * PAGE, IMAGE_ANON, RW, 0, ""), 0x30000000 - 64 * PAGE, 64 * PAGE);
    it.plan.loader_moved = 1;
}

/* Neither way: must not go on with a heap that corrupts itself. */
static void case_brk_lost(void)
{
    case_brk_placed();
    it.place_brk = false;
    it.message = "its heap can't be put back";
}

static const char *file_path(void)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/mapped", directory);
    return path;
}

static void make_file(uint64_t size, uint64_t address, uint64_t seed)
{
    int fd = open(file_path(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, pattern(address, size, seed), size) != (ssize_t)size || close(fd))
        err(1, "write %s", file_path());
}

static struct segment_list *file_segment(uint64_t address, uint64_t size, uint32_t kind, int prot)
{
    struct segment_list *s = segment(address, size, kind, prot, 0, file_path());
    struct stat st;

    if (stat(file_path(), &st))
        err(1, "stat");
    s->segment.device = st.st_dev;
    s->segment.inode = st.st_ino;
    s->segment.file_size = (uint64_t)st.st_size;
    s->segment.mtime_ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
    return s;
}

/* The stored clean pages are not those of the file, to tell them apart. */
static void private_file(uint64_t clean_seed)
{
    uint64_t at = 0x7f4000000000;
    struct segment_list *s;

    ordinary();
    vdso_moved();
    make_file(64 * PAGE, at, 1);
    s = file_segment(at, 64 * PAGE, IMAGE_FILE_PRIVATE, PROT_READ | PROT_EXEC);
    contents(s, at, pattern(at, 32 * PAGE, 2), 32 * PAGE, IMAGE_RUN_CLEAN);
    contents(s, at + 32 * PAGE, pattern(at + 32 * PAGE, 2 * PAGE, 3), 2 * PAGE, 0);
    contents(s, at + 34 * PAGE, pattern(at + 34 * PAGE, 30 * PAGE, 2), 30 * PAGE, IMAGE_RUN_CLEAN);
    expect(PLAN_PATTERN, at, 32 * PAGE, clean_seed);
    expect(PLAN_PATTERN, at + 32 * PAGE, 2 * PAGE, 3);
    expect(PLAN_PATTERN, at + 34 * PAGE, 30 * PAGE, clean_seed);
}

static void case_private_file_same(void)
{
    private_file(1);
}

static void case_private_file_changed(void)
{
    private_file(2);
    make_file(64 * PAGE, 0x7f4000000000, 5);
}

static void case_private_file_gone(void)
{
    private_file(2);
    unlink(file_path());
}

static void shared_file(void)
{
    uint64_t at = 0x7f4000000000;

    ordinary();
    vdso_moved();
    make_file(8 * PAGE, at, 1);
    file_segment(at, 8 * PAGE, IMAGE_FILE_SHARED, RW);
    expect(PLAN_PATTERN, at, 4 * PAGE, 1);
    expect(PLAN_WRITE, at + 4 * PAGE, PAGE, 0);
}

static void look_at_file(void)
{
    uint64_t word = 0;
    int fd = open(file_path(), O_RDONLY | O_CLOEXEC);

    if (pread(fd, &word, sizeof word, 4 * PAGE) != sizeof word || word != 0x7f4000004000)
        failed("the file did not change");
    close(fd);
}

static void case_shared_file(void)
{
    shared_file();
    it.look = look_at_file;
}

static void case_shared_file_gone(void)
{
    shared_file();
    unlink(file_path());
    it.message = "No such file or directory";
    it.also = "mapped, which it had mapped";
}

static void case_shared_file_short(void)
{
    shared_file();
    if (truncate(file_path(), 4 * PAGE))
        err(1, "truncate");
    it.message = "with 32768 bytes; it has 16384 now";
}

static void case_shared_memory(void)
{
    struct segment_list *a, *b;
    uint64_t at = 0x7f4000000000;

    ordinary();
    vdso_moved();
    a = segment(at, 8 * PAGE, IMAGE_SHARED, RW, 0, "/memfd:ours");
    b = segment(at + MIB, 4 * PAGE, IMAGE_SHARED, RW, 0, "/memfd:ours");
    a->segment.device = b->segment.device = 1;
    a->segment.inode = b->segment.inode = 4711;
    b->segment.offset = 6 * PAGE;
    filled(a, at, 2 * PAGE);
    filled(b, at + MIB + 2 * PAGE, PAGE);
    it.plan.alias_a = at + 7 * PAGE + 8;
    it.plan.alias_b = at + MIB + PAGE + 8;
    struct segment_list *c = segment(at + 2 * MIB, 2 * PAGE, IMAGE_SHARED, PROT_READ, 0, "/dev/zero");
    c->segment.inode = 4712;
    filled(c, at + 2 * MIB, 2 * PAGE);
}

/* VmFlags of the mapping that begins at `start`, as "rd wr …". */
static void vm_flags(uint64_t start, char flags[256])
{
    const char *smaps = part("/proc/self/smaps"), *at;
    char head[32];

    snprintf(head, sizeof head, "\n%lx-", start);
    at = strstr(smaps, head);
    at = at ? strstr(at, "VmFlags:") : NULL;
    if (!at)
        failed("no mapping at %lx", start);
    snprintf(flags, 256, "%.*s ", (int)strcspn(at, "\n"), at);
}

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    {IMAGE_VM_NORESERVE, " nr "}, {IMAGE_VM_DONTDUMP, " dd "},  {IMAGE_VM_DONTFORK, " dc "},    {IMAGE_VM_WIPEONFORK, " wf "},
    {IMAGE_VM_LOCKED, " lo "},    {IMAGE_VM_HUGEPAGE, " hg "},  {IMAGE_VM_NOHUGEPAGE, " nh "},  {IMAGE_VM_MERGEABLE, " mg "},
    {IMAGE_VM_SEQUENTIAL, " sr "}, {IMAGE_VM_RANDOM, " rr "},
};
#define FLAG_COUNT (sizeof flag_names / sizeof *flag_names)

static void look_at_flags(void)
{
    char flags[256];

    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        vm_flags(0x7f4000000000 + i * MIB, flags);
        if (!strstr(flags, flag_names[i].name))
            failed("flag%sis missing: %s", flag_names[i].name, flags);
        if (i && strstr(flags, flag_names[0].name))
            failed("flag nr where it was not: %s", flags);
    }
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, &flags, 0, 0) == 0 && !strstr(part("/proc/self/smaps"), "[anon:arena one]"))
        failed("the mapping lost its name");
    vm_flags(STACK_TOP - 132 * 1024, flags);
    if (!strstr(flags, " gd "))
        failed("the stack does not grow down: %s", flags);
}

static void case_flags(void)
{
    ordinary();
    vdso_moved();
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        uint64_t at = 0x7f4000000000 + i * MIB;
        filled(segment(at, 4 * PAGE, IMAGE_ANON, RW, flag_names[i].flag, ""), at + PAGE, PAGE);
    }
    segment(0x7f4800000000, 4 * PAGE, IMAGE_ANON, RW, 0, "[anon:arena one]");
    print_there("/proc/self/smaps");
    it.look = look_at_flags;
}

static void case_guards(void)
{
    uint64_t at = 0x7f4000000000;

    ordinary();
    vdso_moved();
    filled(segment(at, 16 * PAGE, IMAGE_ANON, RW, 0, ""), at, 4 * PAGE);
    it.guard[it.guards++] = (struct image_guard){at + 8 * PAGE, at + 9 * PAGE};
    expect(PLAN_FAULT, at + 8 * PAGE, PAGE, 0);
    expect(PLAN_WRITE, at + 9 * PAGE, PAGE, 0);
}

static void case_huge_pages(void)
{
    uint64_t at = 0x7f4000000000;
    struct segment_list *s;

    ordinary();
    vdso_moved();
    s = segment(at, 4 * MIB, IMAGE_ANON, RW, IMAGE_VM_HUGETLB, "/anon_hugepage");
    s->segment.huge_page_size = 2 * MIB;
    filled(s, at, MIB);
    void *probe = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (probe == MAP_FAILED)
        it.also = "warning: no huge pages for 0x7f4000000000";
    else
        munmap(probe, 4 * MIB);
}

static void case_small_chunks(void)
{
    ordinary();
    vdso_moved();
    it.chunk_pages = 3;
}

/* A bit of the stored pages, in the middle of the file. */
static void flip(unsigned char *bytes, size_t size)
{
    bytes[size / 2] ^= 1;
}

static void case_flipped_bit(void)
{
    case_ordinary();
    it.damage = flip;
    it.message = "is damaged (chunk ";
}

static void cut(unsigned char *bytes, size_t size)
{
    memset(bytes + size / 2, 0, size - size / 2);
}

static void case_half_zero(void)
{
    case_ordinary();
    it.damage = cut;
    it.message = "is damaged";
}

static const struct {
    const char *name;
    void (*build)(void);
} cases[] = {
    {"ordinary", case_ordinary},
    {"vdso_differs", case_vdso_differs},
    {"vdso_sealed", case_sealed_same},
    {"vdso_sealed_in_the_way", case_sealed_in_the_way},
    {"vdso_sealed_top_full", case_sealed_top_full},
    {"vdso_sealed_nowhere", case_sealed_nowhere},
    {"vdso_really_sealed", case_really_sealed},
    {"vdso_really_sealed_in_the_way", case_really_sealed_in_the_way},
    {"loader_in_the_way", case_loader_in_the_way},
    {"crowded", case_crowded},
    {"brk_placed", case_brk_placed},
    {"brk_lost", case_brk_lost},
    {"private_file_same", case_private_file_same},
    {"private_file_changed", case_private_file_changed},
    {"private_file_gone", case_private_file_gone},
    {"shared_file", case_shared_file},
    {"shared_file_gone", case_shared_file_gone},
    {"shared_file_short", case_shared_file_short},
    {"shared_memory", case_shared_memory},
    {"flags", case_flags},
    {"guards", case_guards},
    {"huge_pages", case_huge_pages},
    {"small_chunks", case_small_chunks},
    {"flipped_bit", case_flipped_bit},
    {"half_zero", case_half_zero},
};

/* --- running --- */

static _Noreturn void exec_loader(const char *loader, const char *image_path, unsigned workers, int out)
{
    struct handoff handoff = {
        .magic = HANDOFF_MAGIC, .version = HANDOFF_VERSION, .size = sizeof handoff, .disabled = it.disabled, .workers = workers,
        .fail_rc = 42, .personality = ~0ull};
    int image = open(image_path, O_RDONLY), memfd = memfd_create("handoff", 0), program = open(loader, O_RDONLY | O_CLOEXEC);
    struct conf conf;
    char number[16];

    if (image < 0 || memfd < 0 || program < 0)
        err(1, "%s", image < 0 ? image_path : loader);
    conf_init(&conf);
    conf_encode(&conf, handoff.conf, sizeof handoff.conf);
    strncpy(handoff.image_path, image_path, sizeof handoff.image_path - 1);
    handoff.image_fd = image;
    if (it.place_brk) {
        long placed = loader_place(program, it.mm.start_brk);
        if (placed < 0)
            errx(1, "loader_place: %s", strerror((int)-placed));
        close(program);
        program = (int)placed;
        handoff.flags |= HANDOFF_BRK_PLACED;
        handoff.personality = (unsigned)personality(0xffffffff);
        personality((unsigned)handoff.personality | ADDR_NO_RANDOMIZE);
    }
    if (pwrite(memfd, &handoff, sizeof handoff, 0) != sizeof handoff)
        err(1, "write the handoff");
    snprintf(number, sizeof number, "%d", memfd);
    if (it.seal)
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    dup2(out, 1);
    dup2(out, 2);
    char *argv[] = {(char *)"dmtcp_loader", number, NULL}, *envp[] = {(char *)"OF=dmtcp_restart", NULL};
    execveat(program, "", argv, envp, AT_EMPTY_PATH);
    err(1, "exec %s", loader);
}

/* Has the stopped process make a system call: the instruction is put where it stands. */
static long call_in(pid_t pid, long number, uint64_t a, uint64_t b)
{
    struct user_regs_struct before, regs;
    long text;
    int status;

    ptrace(PTRACE_GETREGS, pid, NULL, &before);
    regs = before;
    regs.rax = (unsigned long)number;
    regs.orig_rax = (unsigned long)-1;
    regs.rdi = a;
    regs.rsi = b;
    regs.rdx = 0;
    text = ptrace(PTRACE_PEEKTEXT, pid, regs.rip, NULL);
    ptrace(PTRACE_POKETEXT, pid, regs.rip, (text & ~0xffffl) | 0x050f);
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        errx(1, "the traced loader did not stop");
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    ptrace(PTRACE_POKETEXT, pid, before.rip, text);
    ptrace(PTRACE_SETREGS, pid, NULL, &before);
    return (long)regs.rax;
}

static void seal_vdso(pid_t pid)
{
    char path[64], line[512];
    uint64_t start, end;
    int status;
    FILE *maps;

    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) /* at exec */
        errx(1, "the traced loader did not stop");
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps))
        if ((strstr(line, "[vdso]") || strstr(line, "[vvar")) && sscanf(line, "%lx-%lx", &start, &end) == 2) {
            long error = call_in(pid, 462 /* mseal */, start, end - start);
            if (error) {
                printf("mseal: %s\n", strerror((int)-error));
                kill(pid, SIGKILL);
                exit(77);
            }
        }
    fclose(maps);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static int run(const char *loader, const char *image_path, unsigned workers)
{
    int pipe_fds[2], status;
    size_t used = 0;
    ssize_t n;
    pid_t child;

    if (pipe2(pipe_fds, O_CLOEXEC))
        err(1, "pipe");
    fflush(NULL);
    child = fork();
    if (child < 0)
        err(1, "fork");
    if (!child)
        exec_loader(loader, image_path, workers, pipe_fds[1]);
    close(pipe_fds[1]);
    if (it.seal)
        seal_vdso(child);
    while ((n = read(pipe_fds[0], output + used, sizeof output - 1 - used)) > 0)
        used += (size_t)n;
    close(pipe_fds[0]);
    if (waitpid(child, &status, 0) != child)
        err(1, "wait");
    output[used] = 0;
    output_size = used;
    return status;
}

static bool output_has(const char *text)
{
    return memmem(output, output_size, text, strlen(text)) != NULL;
}

int main(int argc, char **argv)
{
    char path[512], end[64];
    int status;
    size_t i = 0;

    if (argc != 6)
        errx(1, "usage: loader_case LOADER BLOB CASE raw|gzip|zcat WORKERS");
    directory = getenv("TEST_TMP");
    if (!directory)
        errx(1, "TEST_TMP is not set");
    while (i < sizeof cases / sizeof *cases && strcmp(cases[i].name, argv[3]))
        i++;
    if (i == sizeof cases / sizeof *cases)
        errx(1, "no case %s", argv[3]);
    put_blob(argv[2]);
    cases[i].build();
    snprintf(path, sizeof path, "%s/%s-%s.dmtcp", directory, argv[3], argv[4]);
    save_image(path, argv[4]);
    status = run(argv[1], path, (unsigned)atoi(argv[5]));
    if (it.also && !output_has(it.also))
        failed("no \"%s\" in: %s", it.also, output);
    snprintf(end, sizeof end, "dmtcp_restart: %.20s", path);
    if (it.message) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 42 || !output_has(it.message) || !output_has(end))
            failed("status %x, not a clean failure with \"%s\": %s", status, it.message, output);
    } else {
        if (status || !output_has("ok\n"))
            failed("status %x: %s", status, output);
        if (it.look)
            it.look();
    }
    unlink(path);
    unlink(file_path());
    return 0;
}
