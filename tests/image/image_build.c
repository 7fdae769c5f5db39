#include "image_build.h"

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "crc32c.h"

static void *append(struct image_bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->room) {
        bytes->room = (bytes->size + size) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        if (!bytes->at)
            err(1, "realloc");
    }
    if (data)
        memcpy(bytes->at + bytes->size, data, size);
    else
        memset(bytes->at + bytes->size, 0, size);
    bytes->size += size;
    return bytes->at + bytes->size - size;
}

static void pad(struct image_bytes *bytes, size_t unit)
{
    if (bytes->size % unit)
        append(bytes, NULL, unit - bytes->size % unit);
}

void image_build_start(struct image_build *build)
{
    memset(build, 0, sizeof *build);
    memcpy(build->header.magic, IMAGE_MAGIC, sizeof IMAGE_MAGIC);
    build->header.version = IMAGE_VERSION;
    build->header.page_size = IMAGE_PAGE;
    build->header.machine = EM_X86_64;
    build->header.processes = 1;
    build->header.generation = 1;
    build->chunk_pages = IMAGE_MAX_CHUNK / IMAGE_PAGE;
    append(&build->strings, "", 1);
}

void image_build_end(struct image_build *build)
{
    free(build->segments.at);
    free(build->runs.at);
    free(build->strings.at);
    free(build->records.at);
    free(build->pages.at);
}

uint32_t image_build_string(struct image_build *build, const char *text)
{
    uint32_t offset = (uint32_t)build->strings.size;

    append(&build->strings, text, strlen(text) + 1);
    return offset;
}

uint32_t image_build_segment(struct image_build *build, const struct image_segment *segment)
{
    append(&build->segments, segment, sizeof *segment);
    return (uint32_t)(build->segments.size / sizeof *segment) - 1;
}

void image_build_contents(struct image_build *build, uint32_t segment, uint64_t address, const void *bytes, size_t size, unsigned flags)
{
    struct image_run run = {.address = address | flags, .pages = (uint32_t)((size + IMAGE_PAGE - 1) / IMAGE_PAGE), .segment = segment};

    append(&build->runs, &run, sizeof run);
    append(&build->pages, bytes, size);
    pad(&build->pages, IMAGE_PAGE);
}

void image_build_record(struct image_build *build, uint32_t type, const void *payload, uint32_t size)
{
    struct image_record record = {type, size};

    append(&build->records, &record, sizeof record);
    append(&build->records, payload, size);
    pad(&build->records, 8);
}

/* Runs are split where a chunk is full. */
static void make_chunks(const struct image_build *build, struct image_bytes *chunks, struct image_bytes *runs)
{
    const struct image_run *run = (const void *)build->runs.at;
    size_t count = build->runs.size / sizeof *run;
    uint64_t done = 0; /* pages of the current run */
    uint64_t at = IMAGE_PAGE;

    for (size_t i = 0; i < count;) {
        struct image_chunk chunk = {.raw_offset = at, .first_run = runs->size / sizeof *run};
        size_t pages = 0;

        while (i < count && pages < build->chunk_pages) {
            struct image_run part = run[i];
            uint64_t room = build->chunk_pages - pages;

            part.address += done * IMAGE_PAGE;
            part.pages = run[i].pages - done < room ? (uint32_t)(run[i].pages - done) : (uint32_t)room;
            pages += part.pages;
            done += part.pages;
            if (done == run[i].pages)
                i++, done = 0;
            append(runs, &part, sizeof part);
            chunk.run_count++;
        }
        chunk.raw_size = (uint32_t)(pages * IMAGE_PAGE);
        chunk.crc = crc32c(0, build->pages.at + (at - IMAGE_PAGE), chunk.raw_size);
        at += chunk.raw_size;
        append(chunks, &chunk, sizeof chunk);
    }
}

static void put32(unsigned char *p, size_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

/* One gzip member: RFC 1952, with its sizes in the extra field 'D','C'. Returns its size. */
static size_t append_member(struct image_bytes *file, const void *data, size_t size, int level)
{
    static const unsigned char head[24] = {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 12, 0, 'D', 'C', 8, 0};
    size_t start = file->size, bound;
    unsigned char tail[8];
    z_stream z;

    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        errx(1, "deflateInit2");
    append(file, head, sizeof head);
    bound = deflateBound(&z, size) + 64;
    z.next_out = append(file, NULL, bound);
    z.avail_out = (unsigned)bound;
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (unsigned)size;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        errx(1, "deflate");
    file->size -= z.avail_out;
    deflateEnd(&z);
    put32(tail, crc32(crc32(0, NULL, 0), data, (unsigned)size));
    put32(tail + 4, size);
    append(file, tail, sizeof tail);
    put32(file->at + start + 16, file->size - start);
    put32(file->at + start + 20, size);
    return file->size - start;
}

void image_build_reseal_header(unsigned char *page)
{
    struct image_header *header = (void *)page;

    header->crc = 0;
    header->crc = crc32c(0, page, IMAGE_PAGE);
}

void image_build_reseal(unsigned char *raw)
{
    struct image_header *header = (void *)raw;

    for (int i = 0; i < IMAGE_SECTIONS; i++)
        header->section[i].crc = crc32c(0, raw + header->section[i].raw_offset, header->section[i].raw_size);
    image_build_reseal_header(raw);
}

static struct image_bytes compress_image(unsigned char *raw)
{
    struct image_header *header = (void *)raw;
    const struct image_section *chunks = &header->section[IMAGE_CHUNKS];
    struct image_bytes file = {0};
    size_t first;

    first = append_member(&file, raw, IMAGE_PAGE, 0);
    for (size_t i = 0; i < chunks->raw_size / sizeof(struct image_chunk); i++) {
        struct image_chunk *chunk = (struct image_chunk *)(void *)(raw + chunks->raw_offset) + i;
        chunk->file_offset = file.size;
        chunk->file_size = (uint32_t)append_member(&file, raw + chunk->raw_offset, chunk->raw_size, 1);
    }
    for (int i = 0; i < IMAGE_SECTIONS; i++) {
        struct image_section *s = &header->section[i];
        s->file_offset = file.size;
        s->file_size = s->raw_size ? append_member(&file, raw + s->raw_offset, s->raw_size, 1) : 0;
    }
    header->file_size = file.size;
    header->flags |= IMAGE_COMPRESSED;
    image_build_reseal(raw);
    /* The header page again, now that it is complete: a stored block of the same length. */
    struct image_bytes again = {0};
    append_member(&again, raw, IMAGE_PAGE, 0);
    if (again.size != first)
        errx(1, "header members differ in size");
    memcpy(file.at, again.at, first);
    free(again.at);
    return file;
}

unsigned char *image_build_finish(struct image_build *build, bool compressed, size_t *size)
{
    struct image_bytes raw = {0}, chunks = {0}, runs = {0}, records = {0};
    struct image_header *header;

    make_chunks(build, &chunks, &runs);
    struct image_build all = {.records = records};
    image_build_record(&all, IMAGE_REC_PROCESS, &build->process, sizeof build->process);
    image_build_record(&all, IMAGE_REC_MM, &build->mm, sizeof build->mm);
    append(&all.records, build->records.at, build->records.size);

    append(&raw, &build->header, sizeof build->header);
    pad(&raw, IMAGE_PAGE);
    append(&raw, build->pages.at, build->pages.size);
    const struct image_bytes *part[IMAGE_SECTIONS] = {
        [IMAGE_SEGMENTS] = &build->segments, [IMAGE_CHUNKS] = &chunks,         [IMAGE_RUNS] = &runs,
        [IMAGE_STRINGS] = &build->strings,   [IMAGE_RECORDS] = &all.records,
    };
    pad(&build->strings, 8); /* so that all sections are aligned without gaps, which gzip members would not cover */
    for (int i = 0; i < IMAGE_SECTIONS; i++) {
        size_t at = raw.size;
        append(&raw, part[i]->at, part[i]->size);
        header = (void *)raw.at;
        header->section[i].raw_offset = header->section[i].file_offset = at;
        header->section[i].raw_size = header->section[i].file_size = part[i]->size;
    }
    header = (void *)raw.at;
    header->raw_size = header->file_size = raw.size;
    header->memory_bytes = build->pages.size;
    for (size_t i = 0; i < chunks.size / sizeof(struct image_chunk); i++) {
        struct image_chunk *chunk = (struct image_chunk *)(void *)(raw.at + header->section[IMAGE_CHUNKS].raw_offset) + i;
        chunk->file_offset = chunk->raw_offset;
        chunk->file_size = chunk->raw_size;
    }
    image_build_reseal(raw.at);
    free(chunks.at);
    free(runs.at);
    free(all.records.at);
    if (compressed) {
        struct image_bytes file = compress_image(raw.at);
        free(raw.at);
        raw = file;
    }
    *size = raw.size;
    return raw.at;
}

void image_build_save(struct image_build *build, bool compressed, const char *path)
{
    size_t size;
    unsigned char *bytes = image_build_finish(build, compressed, &size);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd))
        err(1, "write %s", path);
    free(bytes);
}
