/* The end of an image: the sections, and the header page at the very front, last of all: until it is there, nothing takes the file for an
 * image. */
#include "writer.h"

#include "crc32c.h"
#include "deflate.h"
#include "str.h"
#include "sys.h"

uint64_t image_file_start(bool gzip)
{
    return gzip ? member_stored_size(IMAGE_PAGE) : IMAGE_PAGE;
}

static long put(struct engine *engine, const void *data, size_t size, uint64_t offset)
{
    long error = sys_pwrite_all(engine->file, data, size, offset);

    return error ? snapshot_file_fail(engine->snapshot, error, "write") : 0;
}

/* Compressed pieces are limited by the 32-bit sizes in a member: terabytes of scattered pages away. */
static long write_section(struct engine *engine, struct image_section *section, const void *data, size_t size)
{
    const struct iovec piece = {(void *)(uintptr_t)data, size};
    struct scratch_array memory = {0};
    struct deflater *deflater;
    unsigned char *out;
    long error;

    *section = (struct image_section){
        .raw_offset = engine->raw_end,
        .raw_size = size,
        .file_offset = engine->file_end,
        .file_size = size,
        .crc = crc32c(0, data, size),
    };
    if (!engine->request->conf->gzip || !size) {
        error = put(engine, data, size, engine->file_end);
    } else if (member_bound(size) > UINT32_MAX) {
        error = snapshot_fail(engine->snapshot, -EFBIG, "the index of this image is too long for the compressed form; use --no-gzip");
    } else if (!(out = scratch_append(&memory, DEFLATE_MEMORY + member_bound(size))) ||
               !(deflater = deflater_place(out, engine->request->conf->gzip_level))) {
        error = snapshot_fail(engine->snapshot, -ENOMEM, "no memory to compress the index of the image: %e", -ENOMEM);
    } else {
        section->file_size = deflater_member(deflater, &piece, 1, size, out + DEFLATE_MEMORY);
        error = put(engine, out + DEFLATE_MEMORY, section->file_size, engine->file_end);
    }
    scratch_free(&memory);
    engine->raw_end += section->raw_size;
    engine->file_end += section->file_size;
    return error;
}

static long write_segments(struct engine *engine, struct image_section *section)
{
    struct scratch_array segments = {0};
    long error = 0;

    for (size_t i = 0; i < plan_segment_count(&engine->plan); i++) {
        struct image_segment *to = scratch_append(&segments, sizeof *to);
        if (!to)
            return snapshot_fail(engine->snapshot, -ENOMEM, "no memory for the index of the image: %e", -ENOMEM);
        *to = plan_segment(&engine->plan, i)->image;
    }
    error = write_section(engine, section, segments.memory, segments.used);
    scratch_free(&segments);
    return error;
}

static long write_header(struct engine *engine, struct image_header *header)
{
    static const char magic[] = IMAGE_MAGIC;
    const struct snapshot_request *request = engine->request;
    bool gzip = request->conf->gzip;
    struct scratch_array memory = {0};
    unsigned char *page = scratch_append(&memory, IMAGE_PAGE + member_stored_size(IMAGE_PAGE));
    const struct iovec piece = {page, IMAGE_PAGE};

    if (!page)
        return snapshot_fail(engine->snapshot, -ENOMEM, "no memory for the header of the image: %e", -ENOMEM);
    memcpy(header->magic, magic, sizeof magic - 1);
    header->version = IMAGE_VERSION;
    header->page_size = PAGE_SIZE;
    header->flags = gzip ? IMAGE_COMPRESSED : 0;
    header->raw_size = engine->raw_end;
    header->file_size = engine->file_end;
    header->process = request->process;
    header->computation = request->computation;
    header->generation = request->generation;
    header->processes = request->processes;
    header->memory_bytes = engine->stored_bytes;
    header->entry = request->entry;
    header->machine = 62; /* EM_X86_64 */
    memcpy(page, header, sizeof *header);
    ((struct image_header *)page)->crc = crc32c(0, page, IMAGE_PAGE);
    long error = gzip ? put(engine, page + IMAGE_PAGE, member_store(&piece, 1, IMAGE_PAGE, page + IMAGE_PAGE), 0)
                      : put(engine, page, IMAGE_PAGE, 0);
    scratch_free(&memory);
    return error;
}

long engine_finish(struct engine *engine, const struct scratch_array *records)
{
    struct snapshot *snapshot = engine->snapshot;
    struct scratch_array *strings = &engine->plan.strings;
    struct image_header header = {0};
    long error;

    /* Strings end on a multiple of eight, so that all sections start on one. */
    while (strings->used % 8) {
        char *pad = scratch_append(strings, 1);
        if (!pad)
            return snapshot_fail(snapshot, -ENOMEM, "no memory for the index of the image: %e", -ENOMEM);
        *pad = 0;
    }
    if ((error = write_segments(engine, &header.section[IMAGE_SEGMENTS])) ||
        (error = write_section(engine, &header.section[IMAGE_CHUNKS], engine->chunks, engine->chunk_count * sizeof *engine->chunks)) ||
        (error = write_section(engine, &header.section[IMAGE_RUNS], engine->runs, engine->run_count * sizeof *engine->runs)) ||
        (error = write_section(engine, &header.section[IMAGE_STRINGS], strings->memory, strings->used)) ||
        (error = write_section(engine, &header.section[IMAGE_RECORDS], records->memory, records->used)) ||
        (error = write_header(engine, &header)))
        return error;
    if (engine->request->conf->fsync && (error = sys_fsync(engine->file)))
        return snapshot_file_fail(snapshot, error, "flush");
    snapshot->result.memory_bytes = engine->stored_bytes;
    snapshot->result.file_bytes = engine->file_end;
    return 0;
}
