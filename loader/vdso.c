/* The vDSO: code that the kernel puts into every process, and that the program has pointers into (glibc looks the functions up once).
 *
 * Where the live one is byte for byte the image's, it is moved to the old address; its data pages ([vvar], which it addresses relative
 * to itself) go along at the same distance. All pieces first go to a hole together, because the old place may overlap the live one.
 *
 * Where it differs (another kernel, another processor), the saved code becomes ordinary memory at the old address, and every function in it
 * a jump to the live vDSO's function of that name, or the system call itself where that has none.
 *
 * A kernel may seal the live one (mremap and munmap fail with EPERM). Then it stays where it is; if that is in the image's way, the loader
 * execs itself again, for another layout. Switching FEATURE_VDSO_MOVE off makes any kernel behave like that. */
#include "feature.h"
#include "fmt.h"
#include "loader.h"

#include <elf.h>
#include <sys/personality.h>

/* Random layouts differ by up to a terabyte; a program may have reserved more than that at just this end of the address space. So after
 * some attempts the kernel is asked for the old layout, where mappings begin at a third of it. */
#define ATTEMPTS_RANDOM 6
#define ATTEMPTS_MAX 12

static bool movable, same;

bool vdso_is_same(void)
{
    return same;
}

static const struct image_segment *image_code(void)
{
    for (size_t i = 0; i < loader.image.segment_count; i++)
        if (loader.image.segments[i].kind == IMAGE_VDSO)
            return &loader.image.segments[i];
    return NULL;
}

static const struct special *live_code(void)
{
    for (unsigned i = 0; i < loader.special_count; i++)
        if (loader.special[i].code)
            return &loader.special[i];
    return NULL;
}

/* Same pieces in the same order at the same distances? Sets *start to the image's first. */
static bool same_layout(uint64_t *start)
{
    const struct image *image = &loader.image;
    unsigned n = 0;

    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *s = &image->segments[i];
        const struct special *live = &loader.special[n];

        if (s->kind != IMAGE_VDSO && s->kind != IMAGE_VVAR)
            continue;
        if (n == loader.special_count)
            return false;
        if (!n++)
            *start = s->start;
        if (s->start - *start != live->range.start - loader.special_range.start ||
            s->end - s->start != live->range.end - live->range.start ||
            !str_equal(image_string(image, s->name), live->name))
            return false;
    }
    return n && n == loader.special_count;
}

/* Moves all pieces by delta. -EPERM: sealed, nothing has moved. */
static long move_special(uint64_t delta)
{
    for (unsigned i = 0; i < loader.special_count; i++) {
        struct special *special = &loader.special[i];
        uint64_t size = special->range.end - special->range.start;
        void *to = (void *)(special->range.start + delta), *at;

        at = sys_mremap((void *)special->range.start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
        if (SYS_IS_ERROR(at)) {
            if (!i)
                return (long)at;
            die("can't be restored: moving %s: %e", special->name, (int)(long)at);
        }
        special->range.start += delta;
        special->range.end += delta;
    }
    loader.special_range.start += delta;
    loader.special_range.end += delta;
    return 0;
}

static _Noreturn void exec_again(void)
{
    long before = syscall3(__NR_personality, 0xffffffff, 0, 0), error;
    char attempt[16], personality_before[16];
    char *argv[] = {loader.argv[0], loader.argv[1], attempt, personality_before, NULL};

    if (loader.attempt + 1 >= ATTEMPTS_MAX)
        die("can't be restored: this kernel's vDSO is in the way of its memory, and can't be moved");
    fmt(attempt, sizeof attempt, "%u", loader.attempt + 1);
    fmt(personality_before, sizeof personality_before, "%u", (unsigned)before);
    if (before >= 0 && loader.attempt >= ATTEMPTS_RANDOM)
        syscall3(__NR_personality, before | ADDR_COMPAT_LAYOUT, 0, 0);
    error = syscall3(__NR_execve, (long)"/proc/self/exe", (long)argv, (long)loader.envp);
    die("can't be restored: exec of the loader: %e", (int)error);
}

void vdso_park(void)
{
    const struct image_segment *code = image_code();
    uint64_t start = 0;

    if (!loader.special_count)
        return;
    same = code && live_code() && same_layout(&start) &&
           contents_equal((uint32_t)(code - loader.image.segments), (const unsigned char *)live_code()->range.start);
    if (!(loader.handoff.disabled & FEATURE_VDSO_MOVE)) {
        uint64_t size = loader.special_range.end - loader.special_range.start;
        long error = move_special(take_hole(size) - loader.special_range.start);

        if (error && error != -EPERM)
            die("can't be restored: moving the vDSO: %e", (int)error);
        movable = !error;
    }
    if (movable)
        return;
    if (same && start == loader.special_range.start) /* there by chance, or without randomisation */
        return;
    same = false;
    if (in_the_way(loader.special_range))
        exec_again();
}

void vdso_place(void)
{
    uint64_t start;
    long error;

    if (!same)
        return;
    if (movable && same_layout(&start)) {
        error = move_special(start - loader.special_range.start);
        if (error)
            die("can't be restored: moving the vDSO: %e", (int)error);
    }
    loader.handoff.flags |= HANDOFF_VDSO_MOVED;
}

/* --- the saved code as a table of jumps --- */

/* Functions whose system call does the same. getrandom's state belongs to the vDSO that made it, so it is always made a call. */
static const struct {
    char name[24];
    uint16_t number;
    bool always;
} calls[] = {
    {"__vdso_clock_gettime", __NR_clock_gettime, false}, {"__vdso_gettimeofday", __NR_gettimeofday, false},
    {"__vdso_time", __NR_time, false},                   {"__vdso_getcpu", __NR_getcpu, false},
    {"__vdso_clock_getres", __NR_clock_getres, false},   {"__vdso_getrandom", __NR_getrandom, true},
};

struct live_symbols {
    const unsigned char *base; /* what symbol values are relative to */
    const Elf64_Sym *symbols;
    const char *names;
    uint32_t count;
};

/* Number of symbols from a DT_GNU_HASH table: one past the end of the last chain. */
static uint32_t gnu_hash_count(const uint32_t *hash)
{
    uint32_t buckets = hash[0], first = hash[1], last = 0;
    const uint32_t *bucket = hash + 4 + 2 * (size_t)hash[2], *chain = bucket + buckets;

    for (uint32_t i = 0; i < buckets; i++)
        if (bucket[i] > last)
            last = bucket[i];
    if (last < first)
        return first;
    while (!(chain[last - first] & 1))
        last++;
    return last + 1;
}

/* The kernel's own ELF image: trusted. */
static bool live_symbols_find(struct live_symbols *live)
{
    const struct special *code = live_code();
    const Elf64_Ehdr *elf;
    const Elf64_Phdr *segment;
    const Elf64_Dyn *dynamic = NULL;

    if (!code)
        return false;
    elf = (const void *)code->range.start;
    segment = (const void *)(code->range.start + elf->e_phoff);
    memset(live, 0, sizeof *live);
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        if (segment[i].p_type == PT_LOAD && !live->base)
            live->base = (const unsigned char *)code->range.start + segment[i].p_offset - segment[i].p_vaddr;
        if (segment[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(code->range.start + segment[i].p_offset);
    }
    if (!live->base || !dynamic)
        return false;
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *at = live->base + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SYMTAB)
            live->symbols = at;
        else if (dynamic->d_tag == DT_STRTAB)
            live->names = at;
        else if (dynamic->d_tag == DT_HASH)
            live->count = ((const uint32_t *)at)[1];
        else if (dynamic->d_tag == DT_GNU_HASH && !live->count)
            live->count = gnu_hash_count(at);
    }
    return live->symbols && live->names && live->count;
}

/* Address of the live function, or 0. */
static uint64_t live_symbol(const struct live_symbols *live, const char *name)
{
    for (uint32_t i = 0; i < live->count; i++) {
        const Elf64_Sym *symbol = &live->symbols[i];
        if (symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && str_equal(live->names + symbol->st_name, name))
            return (uint64_t)(live->base + symbol->st_value);
    }
    return 0;
}

/* jmp *0(%rip), and the address behind it. */
static void patch_jump(unsigned char *at, uint64_t target)
{
    static const unsigned char code[6] = {0xff, 0x25, 0, 0, 0, 0};

    memcpy(at, code, sizeof code);
    memcpy(at + sizeof code, &target, sizeof target);
}

/* mov $number, %eax; syscall; ret */
static void patch_call(unsigned char *at, uint32_t number)
{
    static const unsigned char code[8] = {0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};

    memcpy(at, code, sizeof code);
    memcpy(at + 1, &number, sizeof number);
}

#define PATCH_MAX 14

static void patch_symbol(const struct image_segment *code, const struct image_vdso_symbol *symbol, const struct live_symbols *live)
{
    uint64_t size = code->end - code->start, target;
    unsigned char *at = (unsigned char *)code->start + symbol->offset;
    bool always = false;
    int call = -1;

    if (size < PATCH_MAX || symbol->offset > size - PATCH_MAX)
        die("is damaged (vDSO symbol %s)", symbol->name);
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (str_equal(symbol->name, calls[i].name)) {
            call = calls[i].number;
            always = calls[i].always;
        }
    target = live->count && !always ? live_symbol(live, symbol->name) : 0;
    if (target)
        patch_jump(at, target);
    else if (call >= 0)
        patch_call(at, (uint32_t)call);
    /* else: as saved; none of those that exist (sgx) looks at [vvar] */
}

void vdso_patch(void)
{
    const struct image_segment *code = image_code();
    const struct image_vdso_symbol *symbol;
    struct live_symbols live = {0};
    uint32_t size;

    if (!code || same)
        return;
    if (!live_symbols_find(&live))
        live.count = 0;
    for (unsigned n = 0; (symbol = image_record(&loader.image, IMAGE_REC_VDSO, n, &size)); n++)
        for (uint32_t i = 0; i < size / sizeof *symbol; i++)
            patch_symbol(code, &symbol[i], &live);
    loader.handoff.flags |= HANDOFF_VDSO_PATCHED;
}
