/* The records of an image: what is not page data. What the kernel knows about the process is asked here, in the frozen copy, which
 * inherited it (proc_pid_stat(5), auxv, the vDSO's symbols). */
#include "writer.h"

#include <elf.h>
#include <sys/utsname.h>

#include "fd/object_list.h"
#include "fmt.h"
#include "resource/resource.h"
#include "str.h"
#include "sys.h"

static long no_memory(struct engine *engine)
{
    return snapshot_fail(engine->snapshot, -ENOMEM, "no memory for the records of the image: %e", -ENOMEM);
}

static long add(struct engine *engine, struct scratch_array *records, uint32_t type, const void *payload, size_t size)
{
    size_t padded = (size + 7) & ~(size_t)7;
    struct image_record *record = scratch_append(records, sizeof *record + padded);

    if (!record)
        return no_memory(engine);
    *record = (struct image_record){type, (uint32_t)size};
    memset((char *)(record + 1) + size, 0, padded - size);
    memcpy(record + 1, payload, size);
    return 0;
}

static long add_process(struct engine *engine, struct scratch_array *records)
{
    const struct snapshot_request *request = engine->request;
    struct image_process process = *request->process_record;
    struct utsname system;
    long host, program, kernel, libc;

    if (syscall3(__NR_uname, (long)&system, 0, 0))
        system.release[0] = 0;
    if ((host = plan_string(&engine->plan, request->host_name)) < 0 || (program = plan_string(&engine->plan, request->program_name)) < 0 ||
        (kernel = plan_string(&engine->plan, system.release)) < 0 ||
        (libc = plan_string(&engine->plan, request->libc_name ? request->libc_name : "")) < 0)
        return -ENOMEM;
    process.host_name = (uint32_t)host;
    process.program_name = (uint32_t)program;
    process.kernel_name = (uint32_t)kernel;
    process.libc_name = (uint32_t)libc;
    return add(engine, records, IMAGE_REC_PROCESS, &process, sizeof process);
}

static long read_file(const char *path, void *buffer, size_t size)
{
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0), n;
    size_t used = 0;

    if (fd < 0)
        return fd;
    while ((n = sys_read((int)fd, (char *)buffer + used, size - used)) > 0)
        used += (size_t)n;
    sys_close((int)fd);
    return n < 0 ? n : (long)used;
}

/* proc_pid_stat(5): fields are numbered from 1; after the name in parentheses comes field 3. */
static bool parse_stat(const char *text, struct image_mm *mm)
{
    const struct {
        unsigned field;
        uint64_t *value;
    } wanted[] = {{26, &mm->start_code}, {27, &mm->end_code},  {28, &mm->start_stack}, {45, &mm->start_data}, {46, &mm->end_data},
                  {47, &mm->start_brk},  {48, &mm->arg_start}, {49, &mm->arg_end},     {50, &mm->env_start},  {51, &mm->env_end}};
    const char *at = text;

    for (const char *p = text; *p; p++)
        if (*p == ')')
            at = p + 1;
    unsigned field = 2;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted;) {
        if (*at != ' ')
            return false;
        at++;
        if (++field == wanted[i].field) {
            if (!str_number(&at, 10, wanted[i].value))
                return false;
            i++;
        }
        for (; *at && *at != ' '; at++)
            ;
    }
    return true;
}

static long add_mm(struct engine *engine, struct scratch_array *records)
{
    struct image_mm mm = {.brk = sys_brk(0)};
    char text[4096];
    long n = read_file("/proc/thread-self/stat", text, sizeof text - 1), name;

    if (n >= 0)
        text[n] = 0;
    if (n < 0 || !parse_stat(text, &mm))
        return snapshot_fail(engine->snapshot, n < 0 ? n : -EPROTO, "read /proc/self/stat: %e", n < 0 ? (int)n : -EPROTO);
    if ((n = read_file("/proc/thread-self/auxv", mm.auxv, sizeof mm.auxv)) < 0)
        return snapshot_fail(engine->snapshot, n, "read /proc/self/auxv: %e", (int)n);
    mm.auxv_size = (uint32_t)n;
    n = sys_readlink("/proc/self/exe", text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    if ((name = plan_string(&engine->plan, text)) < 0)
        return name;
    mm.exe_name = (uint32_t)name;
    return add(engine, records, IMAGE_REC_MM, &mm, sizeof mm);
}

/* The dynamic symbols of the vDSO, which the kernel maps whole; still every offset is checked against its size. */
static long add_vdso(struct engine *engine, struct scratch_array *records)
{
    const struct image_segment *vdso = NULL;
    struct scratch_array symbols = {0};
    long error = 0;

    for (size_t i = 0; i < plan_segment_count(&engine->plan); i++)
        if (plan_segment(&engine->plan, i)->image.kind == IMAGE_VDSO)
            vdso = &plan_segment(&engine->plan, i)->image;
    if (!vdso)
        return 0;
    const char *base = (const char *)vdso->start;
    uint64_t size = vdso->end - vdso->start;
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)base;
    if (memcmp(elf->e_ident, ELFMAG, SELFMAG) || elf->e_shentsize != sizeof(Elf64_Shdr) || elf->e_shoff > size ||
        elf->e_shnum > (size - elf->e_shoff) / sizeof(Elf64_Shdr))
        return 0;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(base + elf->e_shoff);
    for (unsigned i = 0; i < elf->e_shnum && !error; i++) {
        const Elf64_Shdr *table = &sections[i], *names = table->sh_link < elf->e_shnum ? &sections[table->sh_link] : NULL;

        if (table->sh_type != SHT_DYNSYM || !names || table->sh_offset > size || table->sh_size > size - table->sh_offset ||
            names->sh_offset > size || names->sh_size > size - names->sh_offset)
            continue;
        const Elf64_Sym *symbol = (const Elf64_Sym *)(base + table->sh_offset);
        for (uint64_t left = table->sh_size / sizeof *symbol; left && !error; left--, symbol++) {
            if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF || symbol->st_name >= names->sh_size)
                continue;
            struct image_vdso_symbol *to = scratch_append(&symbols, sizeof *to);
            if (!to)
                return no_memory(engine);
            *to = (struct image_vdso_symbol){.offset = symbol->st_value};
            str_copy(to->name, sizeof to->name, base + names->sh_offset + symbol->st_name);
        }
    }
    if (symbols.used)
        error = add(engine, records, IMAGE_REC_VDSO, symbols.memory, symbols.used);
    scratch_free(&symbols);
    return error;
}

static long add_conf(struct engine *engine, struct scratch_array *records)
{
    struct scratch_array text = {0};
    char *buffer = scratch_append(&text, CONF_TEXT_MAX);
    long error;

    if (!buffer)
        return no_memory(engine);
    error = add(engine, records, IMAGE_REC_CONF, buffer, conf_encode(engine->request->conf, buffer, CONF_TEXT_MAX) + 1);
    scratch_free(&text);
    return error;
}

static long add_objects(struct engine *engine, struct scratch_array *records)
{
    struct scratch_array list = {0};
    long error = 0;

    for (const struct fd_object *object = engine->request->objects; object && !error; object = object->next) {
        long name = plan_string(&engine->plan, object->name);
        struct image_object *to = scratch_append(&list, sizeof *to);
        if (name < 0 || !to)
            return no_memory(engine);
        *to = (struct image_object){.device = object->device, .inode = object->inode, .size = object->size, .name = (uint32_t)name,
                                    .huge_page_size = object->named ? IMAGE_OBJECT_NAMED : object->huge_page_size};
    }
    if (list.used)
        error = add(engine, records, IMAGE_REC_OBJECTS, list.memory, list.used);
    scratch_free(&list);
    return error;
}

static long add_sysv(struct engine *engine, struct scratch_array *records)
{
    long error = 0;

    for (const struct sysv_object *object = engine->request->sysv; object && !error; object = object->next)
        error = add(engine, records, IMAGE_REC_SYSV, &object->image, object->size);
    return error;
}

long records_build(struct engine *engine, struct scratch_array *records)
{
    const struct snapshot_request *request = engine->request;
    const struct scratch_array *guards = &engine->plan.guards;
    long error;

    if ((error = add_process(engine, records)) || (error = add_mm(engine, records)) || (error = add_vdso(engine, records)) ||
        (error = add_conf(engine, records)) ||
        (error = add_objects(engine, records)) ||
        (error = add_sysv(engine, records)) ||
        (error = add(engine, records, IMAGE_REC_THREADS, request->tids, request->tid_count * sizeof *request->tids)) ||
        (error = request->zombie_count
                     ? add(engine, records, IMAGE_REC_ZOMBIES, request->zombies, request->zombie_count * sizeof *request->zombies)
                     : 0) ||
                (error = guards->used ? add(engine, records, IMAGE_REC_GUARDS, guards->memory, guards->used) : 0) ||
        (error = request->pty_count ? add(engine, records, IMAGE_REC_PTYS, request->ptys, request->pty_count * sizeof *request->ptys) : 0))
        return error;
    return request->descriptors ? add(engine, records, IMAGE_REC_DESCRIPTORS, request->descriptors, strlen(request->descriptors)) : 0;
}
