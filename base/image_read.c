#include "image_read.h"

#include <elf.h>

#define ZLIB_CONST
#include <zlib.h>

#include "conf.h"
#include "crc32c.h"
#include "fmt.h"
#include "machine.h"
#include "str.h"
#include "sys.h"

/* A gzip member as images have it: RFC 1952 with FEXTRA and nothing else, one subfield 'D','C' of 8 bytes, raw deflate data, trailer. */
#define MEMBER_HEAD 24u
#define MEMBER_TAIL 8u
/* Deflate makes at most 1032 bytes from one (a match of 258 bytes in two bits): what claims more lies, and is not given memory. */
#define DEFLATE_RATIO 1032u
/* The header page is a stored block, but a reader need not insist on it: anything that inflates from this much will do. */
#define HEADER_MEMBER_MAX 8192u
/* User addresses end below this on every x86_64 kernel, five-level page tables included. */
#define ADDRESS_END (1ull << 56)

/* What images of all versions begin with. */
#define IMAGE_FAMILY "DMTCP_CHECKPOINT_IMAGE_"

#define problem_is(...) fmt(problem, IMAGE_PROBLEM_MAX, __VA_ARGS__)

static uint32_t little32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool member_head_is_ours(const unsigned char *p)
{
    return p[0] == 0x1f && p[1] == 0x8b && p[2] == Z_DEFLATED && p[3] == 4 /* FEXTRA */ && p[10] == 12 && p[11] == 0 && p[12] == 'D' &&
           p[13] == 'C' && p[14] == 8 && p[15] == 0;
}

/* zlib's memory: handed out from a window and never taken back; inflate asks twice (its state, its 32 KiB window). */
struct inflate_memory {
    unsigned char *at, *end;
};

static void *inflate_take(void *opaque, unsigned items, unsigned size)
{
    struct inflate_memory *memory = opaque;
    size_t bytes = ((size_t)items * size + 15) & ~(size_t)15;

    if (bytes > (size_t)(memory->end - memory->at))
        return Z_NULL;
    memory->at += bytes;
    return memory->at - bytes;
}

static void inflate_give(void *opaque, void *address)
{
}

/* Inflates the member of `size` bytes at `offset` into the pieces of target, which it must fill exactly. Contents are not yet checked. */
static long member_load(int fd, uint64_t offset, uint64_t size, const struct iovec *target, unsigned count, void *work)
{
    struct inflate_memory memory = {work, (unsigned char *)work + IMAGE_INFLATE_MEMORY};
    unsigned char *input = (unsigned char *)work + IMAGE_INFLATE_MEMORY;
    z_stream z;
    uint64_t raw = 0, left, made = 0;
    unsigned piece = 0;
    int status = Z_OK;
    long error;

    for (unsigned i = 0; i < count; i++)
        raw += target[i].iov_len;
    if (size < MEMBER_HEAD + MEMBER_TAIL + 1)
        return -EBADMSG;
    error = sys_pread_all(fd, input, MEMBER_HEAD, offset);
    if (error)
        return error;
    if (!member_head_is_ours(input) || little32(input + 16) != (uint32_t)size || little32(input + 20) != (uint32_t)raw)
        return -EBADMSG;
    offset += MEMBER_HEAD;
    left = size - MEMBER_HEAD - MEMBER_TAIL;

    memset(&z, 0, sizeof z);
    z.zalloc = inflate_take;
    z.zfree = inflate_give;
    z.opaque = &memory;
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return -ENOMEM;
    while (status == Z_OK) {
        while (piece < count && !z.avail_out) {
            z.next_out = target[piece].iov_base;
            z.avail_out = (unsigned)target[piece++].iov_len;
        }
        if (!z.avail_in && left) {
            unsigned part = left < IMAGE_INPUT_MEMORY ? (unsigned)left : IMAGE_INPUT_MEMORY;
            error = sys_pread_all(fd, input, part, offset);
            if (error)
                return error;
            z.next_in = input;
            z.avail_in = part;
            offset += part;
            left -= part;
        }
        unsigned room = z.avail_out;
        status = inflate(&z, Z_NO_FLUSH);
        made += room - z.avail_out;
    }
    /* Z_BUF_ERROR means here: input used up before the end, or the pieces full before it. inflateEnd would only free. */
    if (status != Z_STREAM_END || made != raw || z.avail_in || left)
        return -EBADMSG;
    return 0;
}

static long raw_load(int fd, uint64_t offset, const struct iovec *target, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        unsigned vectors = count - i < 1024 /* UIO_MAXIOV */ ? count - i : 1024;
        long n = sys_preadv(fd, target + i, (int)vectors, offset);

        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : -ENODATA;
        offset += (uint64_t)n;
        while (i < count && (size_t)n >= target[i].iov_len)
            n -= (long)target[i++].iov_len;
        if (n) { /* it ended within a piece */
            size_t rest = target[i].iov_len - (size_t)n;
            long error = sys_pread_all(fd, (char *)target[i].iov_base + n, rest, offset);
            if (error)
                return error;
            offset += rest;
            i++;
        }
    }
    return 0;
}

static uint32_t crc_of(const struct iovec *target, unsigned count)
{
    uint32_t crc = 0;

    for (unsigned i = 0; i < count; i++)
        crc = crc32c(crc, target[i].iov_base, target[i].iov_len);
    return crc;
}

/* What a failed read means to people. `what` names the part. */
static void load_problem(char *problem, const char *what, uint64_t number, long error)
{
    if (error == -EBADMSG)
        problem_is("is damaged (%s %lu)", what, number);
    else if (error == -ENODATA)
        problem_is("is cut off (%s %lu)", what, number);
    else
        problem_is("can't be read (%s %lu): %e", what, number, (int)error);
}

long image_load_chunk(const struct image *image, int fd, const struct image_chunk *chunk, const struct iovec *target, unsigned count,
                      void *work, char *problem)
{
    long error;

    if (image->compressed)
        error = member_load(fd, chunk->file_offset, chunk->file_size, target, count, work);
    else
        error = raw_load(fd, chunk->raw_offset, target, count);
    if (!error && crc_of(target, count) != chunk->crc)
        error = -EBADMSG;
    if (error)
        load_problem(problem, "chunk", (uint64_t)(chunk - image->chunks), error);
    return error;
}

/* --- header --- */

static long map_memory(size_t size, void **memory)
{
    *memory = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return SYS_IS_ERROR(*memory) ? (long)*memory : 0;
}

static bool str_starts(const unsigned char *bytes, const char *text)
{
    return !memcmp(bytes, text, strlen(text));
}

/* The 4096 bytes of the header page, from either form of file. */
static long read_header_page(int fd, unsigned char *page, bool *compressed, char *problem)
{
    unsigned char head[MEMBER_HEAD];
    struct iovec target = {page, IMAGE_PAGE};
    struct stat st;
    void *work;
    long error = sys_fstat(fd, &st);

    if (error) {
        problem_is("can't be read: %e", (int)error);
        return error;
    }
    if (!S_ISREG(st.st_mode)) {
        problem_is("is not a regular file");
        return -EINVAL;
    }
    if (st.st_size == 0) {
        problem_is("is empty");
        return -EBADMSG;
    }
    error = sys_pread_all(fd, head, sizeof head, 0);
    if (error == -ENODATA || (!error && !str_starts(head, IMAGE_FAMILY) && !(head[0] == 0x1f && head[1] == 0x8b))) {
        problem_is("is not a checkpoint image");
        return -EBADMSG;
    }
    if (error) {
        problem_is("can't be read: %e", (int)error);
        return error;
    }
    *compressed = head[0] == 0x1f;
    if (!*compressed) {
        error = sys_pread_all(fd, page, IMAGE_PAGE, 0);
    } else if (!member_head_is_ours(head)) {
        problem_is("is not a checkpoint image, or was compressed by another program: try it uncompressed (zcat)");
        return -EBADMSG;
    } else if (little32(head + 16) > HEADER_MEMBER_MAX) {
        error = -EBADMSG;
    } else {
        error = map_memory(IMAGE_LOAD_MEMORY, &work);
        if (!error) {
            error = member_load(fd, 0, little32(head + 16), &target, 1, work);
            sys_munmap(work, IMAGE_LOAD_MEMORY);
        }
    }
    if (error == -EBADMSG)
        problem_is("is damaged (header)");
    else if (error == -ENODATA)
        problem_is("is cut off (%lu bytes)", (uint64_t)st.st_size);
    else if (error)
        problem_is("can't be read: %e", (int)error);
    return error;
}

static long header_check(const struct image_header *header, const unsigned char *page, bool compressed, char *problem)
{
    static const unsigned char zero[4];
    const size_t crc_at = offsetof(struct image_header, crc);
    uint32_t crc = crc32c(0, page, crc_at);

    if (memcmp(header->magic, IMAGE_MAGIC, sizeof IMAGE_MAGIC - 1)) {
        problem_is("is not a checkpoint image of this version of DMTCP");
        return -EBADMSG;
    }
    crc = crc32c(crc, zero, sizeof zero);
    crc = crc32c(crc, page + crc_at + sizeof zero, IMAGE_PAGE - crc_at - sizeof zero);
    if (header->version != IMAGE_VERSION) {
        problem_is("has format version %u, this program reads %u", header->version, IMAGE_VERSION);
        return -EBADMSG;
    }
    if (crc != header->crc) {
        problem_is("is damaged (header)");
        return -EBADMSG;
    }
    if (header->machine != MACHINE_ELF) {
        problem_is("is of another kind of machine (ELF number %u)", header->machine);
        return -EBADMSG;
    }
    if (header->page_size != IMAGE_PAGE) {
        problem_is("has pages of %u bytes, this program reads %u", header->page_size, IMAGE_PAGE);
        return -EBADMSG;
    }
    return 0;
}

long image_read_header(int fd, struct image_header *header, bool *compressed, char *problem)
{
    unsigned char page[IMAGE_PAGE];
    long error = read_header_page(fd, page, compressed, problem);

    if (error)
        return error;
    memcpy(header, page, sizeof *header);
    return header_check(header, page, *compressed, problem);
}

/* --- sections --- */

static size_t section_entry_size(unsigned id)
{
    switch (id) {
    case IMAGE_SEGMENTS: return sizeof(struct image_segment);
    case IMAGE_CHUNKS: return sizeof(struct image_chunk);
    case IMAGE_RUNS: return sizeof(struct image_run);
    default: return 1;
    }
}

static size_t section_room(const struct image_section *section)
{
    return (section->raw_size + 63) & ~63ull;
}

/* Does [offset, offset + size) lie in a file of `whole` bytes? */
static bool range_fits(uint64_t offset, uint64_t size, uint64_t whole)
{
    return offset <= whole && size <= whole - offset;
}

/* Every section's place and size against the file; the sum is the memory to map. */
static long sections_check(const struct image *image, size_t *memory_size, char *problem)
{
    const struct image_header *header = &image->header;
    size_t sum = 0;

    for (unsigned i = 0; i < IMAGE_SECTIONS; i++) {
        const struct image_section *s = &header->section[i];
        bool fits = range_fits(s->raw_offset, s->raw_size, header->raw_size) && s->raw_size % section_entry_size(i) == 0;

        if (image->compressed && s->raw_size) /* gzip's own size fields have 32 bits */
            fits = fits && range_fits(s->file_offset, s->file_size, header->file_size) && s->file_size <= UINT32_MAX &&
                   s->raw_size <= UINT32_MAX && s->raw_size / DEFLATE_RATIO <= s->file_size;
        if (!fits || s->raw_size > 1ull << 40) {
            problem_is("is damaged (place of section %u)", i);
            return -EBADMSG;
        }
        sum += section_room(s);
    }
    *memory_size = (sum + IMAGE_PAGE - 1) & ~(size_t)(IMAGE_PAGE - 1);
    return 0;
}

static long section_load(const struct image *image, int fd, unsigned id, void *to, void *work, char *problem)
{
    const struct image_section *s = &image->header.section[id];
    struct iovec pieces[4]; /* zlib counts pieces in 32 bits, and one read(2) moves at most 2 GiB */
    uint64_t done = 0;
    long error = 0;
    unsigned count = 0;

    if (!s->raw_size)
        return 0;
    if (!image->compressed) {
        error = sys_pread_all(fd, to, s->raw_size, s->raw_offset);
    } else {
        for (; done < s->raw_size; count++) {
            uint64_t part = s->raw_size - done < 1u << 30 ? s->raw_size - done : 1u << 30;
            pieces[count] = (struct iovec){(char *)to + done, part};
            done += part;
        }
        error = member_load(fd, s->file_offset, s->file_size, pieces, count, work);
    }
    if (!error && crc32c(0, to, s->raw_size) != s->crc)
        error = -EBADMSG;
    if (error)
        load_problem(problem, "section", id, error);
    return error;
}

/* --- contents of sections --- */

static bool segment_is_sound(const struct image *image, size_t n)
{
    const struct image_segment *s = &image->segments[n];

    if (s->start >= s->end || s->end > ADDRESS_END || s->start < IMAGE_PAGE || (s->start | s->end | s->offset) % IMAGE_PAGE)
        return false;
    if (n && s->start < image->segments[n - 1].end)
        return false;
    if (s->kind < IMAGE_ANON || s->kind > IMAGE_VVAR || s->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC) ||
        s->vm_flags >= IMAGE_VM_NAMED << 1 || (s->vm_flags & IMAGE_VM_NAMED && s->kind != IMAGE_SHARED) || s->name >= image->strings_size || s->offset > INT64_MAX - (s->end - s->start))
        return false;
    if (s->vm_flags & IMAGE_VM_HUGETLB)
        return s->huge_page_size >= IMAGE_PAGE && !(s->huge_page_size & (s->huge_page_size - 1)) &&
               (s->start | s->end) % s->huge_page_size == 0;
    return s->huge_page_size == 0;
}

static bool segment_has_contents(const struct image_segment *s)
{
    return s->kind != IMAGE_FILE_SHARED && s->kind != IMAGE_VVAR;
}

/* A run's pages lie in its segment; flags are known ones. Its length, or 0. */
static uint64_t run_size(const struct image *image, const struct image_run *run)
{
    uint64_t address = run->address & ~(uint64_t)(IMAGE_PAGE - 1), size = (uint64_t)run->pages * IMAGE_PAGE;
    const struct image_segment *s;

    if ((run->address & (IMAGE_PAGE - 1)) > IMAGE_RUN_CLEAN || run->segment >= image->segment_count)
        return 0;
    s = &image->segments[run->segment];
    if (!segment_has_contents(s) || address < s->start || address >= s->end || size > s->end - address)
        return 0;
    return size;
}

static bool chunk_is_sound(const struct image *image, size_t n, uint64_t first_run)
{
    const struct image_chunk *c = &image->chunks[n];
    const struct image_header *header = &image->header;
    uint64_t pages = 0;

    if (!c->raw_size || c->raw_size > IMAGE_MAX_CHUNK || c->raw_size % IMAGE_PAGE || c->raw_offset % IMAGE_PAGE ||
        !range_fits(c->raw_offset, c->raw_size, header->raw_size))
        return false;
    if (n && c->raw_offset < c[-1].raw_offset + c[-1].raw_size)
        return false;
    if (image->compressed && !range_fits(c->file_offset, c->file_size, header->file_size))
        return false;
    if (c->first_run != first_run || !c->run_count || c->run_count > image->run_count - first_run)
        return false;
    for (uint32_t i = 0; i < c->run_count; i++) {
        uint64_t size = run_size(image, &image->runs[first_run + i]);
        if (!size || size > c->raw_size - pages)
            return false;
        pages += size;
    }
    return pages == c->raw_size;
}

static long tables_check(const struct image *image, char *problem)
{
    uint64_t run = 0;

    if (image->strings_size == 0 || image->strings[0] || image->strings[image->strings_size - 1]) {
        problem_is("is damaged (strings)");
        return -EBADMSG;
    }
    for (size_t i = 0; i < image->segment_count; i++)
        if (!segment_is_sound(image, i)) {
            problem_is("is damaged (segment %lu)", i);
            return -EBADMSG;
        }
    for (size_t i = 0; i < image->chunk_count; i++) {
        if (!chunk_is_sound(image, i, run)) {
            problem_is("is damaged (place of chunk %lu)", i);
            return -EBADMSG;
        }
        run += image->chunks[i].run_count;
    }
    if (run != image->run_count) {
        problem_is("is damaged (runs)");
        return -EBADMSG;
    }
    return 0;
}

size_t image_segment_at(const struct image *image, uint64_t address)
{
    size_t low = 0, high = image->segment_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->segments[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < image->segment_count && image->segments[low].start <= address ? low : image->segment_count;
}

/* Guard regions may reach over several adjacent segments, but not over a hole: there, what the loader itself uses may lie. */
static bool guard_is_sound(const struct image *image, const struct image_guard *guard)
{
    uint64_t at = guard->start;

    if (guard->start >= guard->end || (guard->start | guard->end) % IMAGE_PAGE)
        return false;
    for (size_t i = image_segment_at(image, at); i < image->segment_count && image->segments[i].start <= at; i++) {
        at = image->segments[i].end;
        if (at >= guard->end)
            return true;
    }
    return false;
}

static bool process_is_sound(const struct image *image, const struct image_process *p)
{
    return p->host_name < image->strings_size && p->program_name < image->strings_size && p->kernel_name < image->strings_size &&
           p->libc_name < image->strings_size;
}

static bool mm_is_sound(const struct image *image, const struct image_mm *mm)
{
    return mm->auxv_size <= sizeof mm->auxv && mm->auxv_size % 16 == 0 && mm->exe_name < image->strings_size;
}

/* Exited, or killed by a signal; nothing else is an end (wait(2)). */
static bool zombie_is_sound(const struct image_zombie *zombie)
{
    uint32_t status = (uint32_t)zombie->status;
    bool exited = !(status & ~0xff00u), killed = !(status & ~0xffu) && (status & 0x7f) && (status & 0x7f) <= 64;

    return zombie->pid && zombie->pid <= INT32_MAX && (exited || killed) && !zombie->name[sizeof zombie->name - 1];
}

static bool sysv_is_sound(const void *payload, uint32_t size)
{
    const struct image_sysv *object = payload;
    uint64_t at = sizeof *object;

    if (size < sizeof *object || (object->huge_page_size & (object->huge_page_size - 1)))
        return false;
    if (object->kind == IMAGE_SYSV_SEM)
        return object->size <= 0x10000 && size == at + object->size * 2;
    if (object->kind == IMAGE_SYSV_MSG) {
        for (uint32_t i = 0; i < object->count; i++) {
            const struct image_sysv_message *message = (const void *)((const char *)payload + at);
            if (size - at < sizeof *message || message->type < 1 || size - at - sizeof *message < ((message->size + 7ull) & ~7ull))
                return false;
            at += sizeof *message + ((message->size + 7ull) & ~7ull);
        }
        return at == size;
    }
    return object->kind == IMAGE_SYSV_SHM && size == at && object->size;
}

/* Known types with their rules; -1: unknown, 0: unsound, 1: sound. */
static int record_is_sound(const struct image *image, uint32_t type, const void *payload, uint32_t size)
{
    switch (type) {
    case IMAGE_REC_PROCESS: return size == sizeof(struct image_process) && process_is_sound(image, payload);
    case IMAGE_REC_MM: return size == sizeof(struct image_mm) && mm_is_sound(image, payload);
    case IMAGE_REC_VDSO: {
        const struct image_vdso_symbol *symbol = payload;
        if (size % sizeof *symbol)
            return 0;
        for (uint32_t i = 0; i < size / sizeof *symbol; i++)
            if (symbol[i].name[sizeof symbol[i].name - 1])
                return 0;
        return 1;
    }
    case IMAGE_REC_THREADS: return size && size % 4 == 0;
    case IMAGE_REC_CONF: return size < CONF_TEXT_MAX;
    case IMAGE_REC_GUARDS: {
        const struct image_guard *guard = payload;
        if (size % sizeof *guard)
            return 0;
        for (uint32_t i = 0; i < size / sizeof *guard; i++)
            if (!guard_is_sound(image, &guard[i]))
                return 0;
        return 1;
    }
    case IMAGE_REC_PTYS: return size % sizeof(struct image_pty) == 0;
    case IMAGE_REC_OBJECTS: {
        const struct image_object *object = payload;
        if (size % sizeof *object)
            return 0;
        for (uint32_t i = 0; i < size / sizeof *object; i++)
            if (object[i].name >= image->strings_size || (object[i].huge_page_size & (object[i].huge_page_size - 1)))
                return 0;
        return 1;
    }
    case IMAGE_REC_SYSV: return sysv_is_sound(payload, size);
    case IMAGE_REC_ZOMBIES: {
        const struct image_zombie *zombie = payload;
        if (size % sizeof *zombie)
            return 0;
        for (uint32_t i = 0; i < size / sizeof *zombie; i++)
            if (!zombie_is_sound(&zombie[i]))
                return 0;
        return 1;
    }
    default: return type & IMAGE_RECORD_OPTIONAL ? 1 : -1;
    }
}

/* Position of the record after the one at `at`, or 0 if that one is not whole. */
static size_t record_next(const struct image *image, size_t at)
{
    struct image_record record;
    size_t padded;

    if (image->records_size - at < sizeof record)
        return 0;
    memcpy(&record, image->records + at, sizeof record);
    padded = ((size_t)record.size + 7) & ~(size_t)7;
    return padded <= image->records_size - at - sizeof record ? at + sizeof record + padded : 0;
}

static long records_check(struct image *image, char *problem)
{
    unsigned processes = 0, mms = 0;

    for (size_t at = 0, next; at < image->records_size; at = next) {
        const struct image_record *record = (const void *)(image->records + at);
        const void *payload = record + 1;
        int sound;

        next = record_next(image, at);
        if (!next) {
            problem_is("is damaged (records)");
            return -EBADMSG;
        }
        sound = record_is_sound(image, record->type, payload, record->size);
        if (sound < 0) {
            problem_is("has a record of type %u, which this program does not know", record->type);
            return -EBADMSG;
        }
        if (!sound) {
            problem_is("is damaged (record of type %u)", record->type & ~IMAGE_RECORD_OPTIONAL);
            return -EBADMSG;
        }
        if (record->type == IMAGE_REC_PROCESS && ++processes)
            image->process = payload;
        if (record->type == IMAGE_REC_MM && ++mms)
            image->mm = payload;
    }
    if (processes != 1 || mms != 1) {
        problem_is("is damaged (%u process and %u memory records)", processes, mms);
        return -EBADMSG;
    }
    return 0;
}

static void set_section(struct image *image, unsigned id, const void *at, size_t size)
{
    switch (id) {
    case IMAGE_SEGMENTS:
        image->segments = at;
        image->segment_count = size / sizeof *image->segments;
        break;
    case IMAGE_CHUNKS:
        image->chunks = at;
        image->chunk_count = size / sizeof *image->chunks;
        break;
    case IMAGE_RUNS:
        image->runs = at;
        image->run_count = size / sizeof *image->runs;
        break;
    case IMAGE_STRINGS:
        image->strings = at;
        image->strings_size = size;
        break;
    case IMAGE_RECORDS:
        image->records = at;
        image->records_size = size;
        break;
    }
}

static long size_check(const struct image *image, int fd, char *problem)
{
    uint64_t expected = image->compressed ? image->header.file_size : image->header.raw_size;
    struct stat st;
    long error = sys_fstat(fd, &st);

    if (error) {
        problem_is("can't be read: %e", (int)error);
        return error;
    }
    if ((uint64_t)st.st_size < expected) {
        problem_is("is cut off: %lu of %lu bytes", (uint64_t)st.st_size, expected);
        return -EBADMSG;
    }
    if ((uint64_t)st.st_size > expected) {
        problem_is("is damaged: %lu bytes where %lu belong", (uint64_t)st.st_size, expected);
        return -EBADMSG;
    }
    return 0;
}

static long load_sections(struct image *image, int fd, char *problem)
{
    unsigned char *at = image->memory;
    void *work;
    long error = map_memory(IMAGE_LOAD_MEMORY, &work);

    if (error) {
        problem_is("can't be read: %e", (int)error);
        return error;
    }
    for (unsigned i = 0; i < IMAGE_SECTIONS && !error; i++) {
        error = section_load(image, fd, i, at, work, problem);
        set_section(image, i, at, image->header.section[i].raw_size);
        at += section_room(&image->header.section[i]);
    }
    sys_munmap(work, IMAGE_LOAD_MEMORY);
    return error;
}

long image_open(int fd, struct image *image, char *problem)
{
    long error;

    memset(image, 0, sizeof *image);
    error = image_read_header(fd, &image->header, &image->compressed, problem);
    if (!error)
        error = size_check(image, fd, problem);
    if (!error)
        error = sections_check(image, &image->memory_size, problem);
    if (error)
        return error;
    if (!image->memory_size) {
        problem_is("is damaged (no contents)");
        return -EBADMSG;
    }
    error = map_memory(image->memory_size, &image->memory);
    if (error) {
        problem_is("needs %lu bytes of memory to be read: %e", image->memory_size, (int)error);
        image->memory = NULL;
        return error;
    }
    error = load_sections(image, fd, problem);
    if (!error)
        error = tables_check(image, problem);
    if (!error)
        error = records_check(image, problem);
    if (error)
        image_close(image);
    return error;
}

void image_close(struct image *image)
{
    if (image->memory)
        sys_munmap(image->memory, image->memory_size);
    memset(image, 0, sizeof *image);
}

void image_moved(struct image *image, void *memory)
{
    const unsigned char *old = image->memory;
    unsigned char *at = memory;

    image->process = (const void *)(at + ((const unsigned char *)image->process - old));
    image->mm = (const void *)(at + ((const unsigned char *)image->mm - old));
    image->memory = memory;
    for (unsigned i = 0; i < IMAGE_SECTIONS; i++) {
        set_section(image, i, at, image->header.section[i].raw_size);
        at += section_room(&image->header.section[i]);
    }
}

const void *image_record(const struct image *image, uint32_t type, unsigned n, uint32_t *size)
{
    for (size_t at = 0; at < image->records_size; at = record_next(image, at)) {
        const struct image_record *record = (const void *)(image->records + at);
        if (record->type == type && !n--) {
            *size = record->size;
            return record + 1;
        }
    }
    *size = 0;
    return NULL;
}

const char *image_string(const struct image *image, uint32_t offset)
{
    return offset < image->strings_size ? image->strings + offset : "";
}
