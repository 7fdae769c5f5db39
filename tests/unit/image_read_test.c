/* The image reader: valid images in both forms come back as they were built; what is damaged, cut off, foreign or hostile is refused
 * with a reason, whatever the checksums say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../image/image_build.h"
#include "image_read.h"

#define PAGE 4096ull

static unsigned char page_bytes[8][4096];

static void build(struct image_build *b)
{
    struct image_vdso_symbol symbol = {64, "__vdso_time"};
    struct image_guard guard = {0x500000, 0x501000};
    uint32_t tids[] = {10, 11};
    struct image_zombie zombies[] = {{.pid = 12, .pgid = 10, .sid = 5, .status = 7 << 8, .name = "ended"},
                                     {.pid = 13, .pgid = 13, .sid = 5, .status = 11 | 0x80, .name = "crashed"}};

    image_build_start(b);
    for (int i = 0; i < 8; i++)
        memset(page_bytes[i], 'a' + i, sizeof page_bytes[i]);
    b->process = (struct image_process){.pid = 10, .threads = 2, .host_name = image_build_string(b, "n1")};
    b->mm = (struct image_mm){.start_brk = 0x600000, .brk = 0x601000, .auxv_size = 32};
    b->chunk_pages = 3;
    uint32_t name = image_build_string(b, "/lib/x.so");
    image_build_segment(b, &(struct image_segment){.start = 0x400000, .end = 0x404000, .kind = IMAGE_FILE_PRIVATE, .prot = 5, .name = name});
    image_build_segment(b, &(struct image_segment){.start = 0x404000, .end = 0x500000, .kind = IMAGE_ANON, .prot = 3});
    image_build_segment(b, &(struct image_segment){.start = 0x500000, .end = 0x540000, .kind = IMAGE_ANON, .prot = 3});
    image_build_segment(b, &(struct image_segment){.start = 0x700000, .end = 0x702000, .kind = IMAGE_FILE_SHARED, .prot = 1, .name = name});
    image_build_contents(b, 0, 0x400000, page_bytes[0], 4 * PAGE, IMAGE_RUN_CLEAN);
    image_build_contents(b, 1, 0x410000, page_bytes[4], PAGE, 0);
    image_build_contents(b, 2, 0x501000, page_bytes[5], 3 * PAGE, 0);
    image_build_record(b, IMAGE_REC_ZOMBIES, zombies, sizeof zombies);
    image_build_record(b, IMAGE_REC_VDSO, &symbol, sizeof symbol);
    image_build_record(b, IMAGE_REC_THREADS, tids, sizeof tids);
    image_build_record(b, IMAGE_REC_GUARDS, &guard, sizeof guard);
    image_build_record(b, IMAGE_REC_CONF, "gzip=1\n", 7);
    image_build_record(b, 1000 | IMAGE_RECORD_OPTIONAL, "?", 1);
}

static unsigned char *bytes_of(bool compressed, size_t *size)
{
    struct image_build b;
    unsigned char *bytes;

    build(&b);
    bytes = image_build_finish(&b, compressed, size);
    image_build_end(&b);
    return bytes;
}

static int file_of(const unsigned char *bytes, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    return fd;
}

/* Opens it and loads every chunk. */
static long read_all(int fd, struct image *image, char *problem)
{
    static unsigned char buffer[IMAGE_MAX_CHUNK], work[IMAGE_LOAD_MEMORY] __attribute__((aligned(16)));
    long error = image_open(fd, image, problem);

    for (size_t i = 0; !error && i < image->chunk_count; i++) {
        struct iovec target = {buffer, image->chunks[i].raw_size};
        error = image_load_chunk(image, fd, &image->chunks[i], &target, 1, work, problem);
        if (error)
            image_close(image);
    }
    return error;
}

static void expect_refused(const unsigned char *bytes, size_t size, const char *why)
{
    char problem[IMAGE_PROBLEM_MAX] = "";
    struct image image;
    int fd = file_of(bytes, size);

    assert_true(read_all(fd, &image, problem) < 0);
    if (!strstr(problem, why))
        fail_msg("\"%s\" instead of \"%s\"", problem, why);
    assert_null(image.memory);
    close(fd);
}

static void check_contents(bool compressed)
{
    unsigned char work[IMAGE_LOAD_MEMORY] __attribute__((aligned(16)));
    unsigned char got[8][4096];
    char problem[IMAGE_PROBLEM_MAX];
    struct image image;
    size_t size, page = 0;
    unsigned char *bytes = bytes_of(compressed, &size);
    int fd = file_of(bytes, size);
    uint32_t record_size;

    assert_int_equal(image_open(fd, &image, problem), 0);
    assert_int_equal(image.compressed, compressed);
    assert_int_equal(image.segment_count, 4);
    assert_int_equal(image.chunk_count, 3);
    assert_int_equal(image.process->pid, 10);
    assert_string_equal(image_string(&image, image.process->host_name), "n1");
    assert_string_equal(image_string(&image, image.segments[0].name), "/lib/x.so");
    assert_string_equal(image_string(&image, UINT32_MAX), "");
    assert_int_equal(image.mm->brk, 0x601000);
    assert_memory_equal(image_record(&image, IMAGE_REC_CONF, 0, &record_size), "gzip=1\n", 7);
    assert_int_equal(record_size, 7);
    assert_null(image_record(&image, IMAGE_REC_CONF, 1, &record_size));
    assert_int_equal(image_segment_at(&image, 0x403fff), 0);
    assert_int_equal(image_segment_at(&image, 0x404000), 1);
    assert_int_equal(image_segment_at(&image, 0x540000), 4);
    for (size_t i = 0; i < image.chunk_count; i++) {
        const struct image_chunk *chunk = &image.chunks[i];
        struct iovec target[8];
        for (uint32_t r = 0; r < chunk->run_count; r++) {
            target[r].iov_base = got[page];
            target[r].iov_len = image.runs[chunk->first_run + r].pages * PAGE;
            page += image.runs[chunk->first_run + r].pages;
        }
        assert_int_equal(image_load_chunk(&image, fd, chunk, target, chunk->run_count, compressed ? work : NULL, problem), 0);
    }
    assert_int_equal(page, 8);
    assert_memory_equal(got, page_bytes, sizeof got);
    image_close(&image);
    close(fd);
    free(bytes);
}

static void raw_image_is_read(void **state)
{
    check_contents(false);
}

static void compressed_image_is_read(void **state)
{
    check_contents(true);
}

static void header_alone_is_read(void **state)
{
    for (int compressed = 0; compressed < 2; compressed++) {
        char problem[IMAGE_PROBLEM_MAX];
        struct image_header header;
        bool is_compressed;
        size_t size;
        unsigned char *bytes = bytes_of(compressed, &size);
        int fd = file_of(bytes, size);
        assert_int_equal(image_read_header(fd, &header, &is_compressed, problem), 0);
        assert_int_equal(is_compressed, compressed);
        assert_int_equal(header.processes, 1);
        close(fd);
        free(bytes);
    }
}

static void moved_image_is_readable(void **state)
{
    char problem[IMAGE_PROBLEM_MAX];
    struct image image;
    size_t size;
    unsigned char *bytes = bytes_of(true, &size);
    int fd = file_of(bytes, size);

    assert_int_equal(image_open(fd, &image, problem), 0);
    void *to = mmap(NULL, image.memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_equal(mremap(image.memory, image.memory_size, image.memory_size, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    image_moved(&image, to);
    assert_int_equal(image.process->pid, 10);
    assert_int_equal(image.mm->brk, 0x601000);
    assert_int_equal(image.segments[1].start, 0x404000);
    assert_int_equal(image.chunks[0].raw_offset, PAGE);
    assert_string_equal(image_string(&image, image.segments[0].name), "/lib/x.so");
    image_close(&image);
    close(fd);
    free(bytes);
}

static void foreign_files_are_refused(void **state)
{
    static const unsigned char gzip[64] = {0x1f, 0x8b, 8, 0};

    expect_refused((const unsigned char *)"", 0, "is empty");
    expect_refused((const unsigned char *)"#!/bin/sh\n", 10, "is not a checkpoint image");
    unsigned char other[4096] = "DMTCP_CHECKPOINT_IMAGE_v2.0\n";
    expect_refused(other, sizeof other, "is not a checkpoint image of this version");
    expect_refused((const unsigned char *)IMAGE_MAGIC "       ", 32, "is cut off");
    expect_refused(gzip, sizeof gzip, "compressed by another program");
    struct image image;
    char problem[IMAGE_PROBLEM_MAX];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(image_open(fds[0], &image, problem) < 0);
    assert_string_equal(problem, "is not a regular file");
    close(fds[0]);
    close(fds[1]);
}

static void any_cut_is_refused(void **state)
{
    for (int compressed = 0; compressed < 2; compressed++) {
        size_t size;
        unsigned char *bytes = bytes_of(compressed, &size);
        for (size_t cut = 1; cut < size; cut += cut < 64 || cut > size - 64 ? 1 : 509)
            expect_refused(bytes, cut, cut < 24 ? "is not a checkpoint image" : "is ");
        free(bytes);
    }
}

static void longer_file_is_refused(void **state)
{
    size_t size;
    unsigned char *bytes = bytes_of(false, &size);

    bytes = realloc(bytes, size + 1);
    bytes[size] = 0;
    expect_refused(bytes, size + 1, "bytes where");
    free(bytes);
}

/* Every bit of a raw image matters; of a compressed one, all but those that image_read.h names. */
static void any_flipped_bit_is_refused(void **state)
{
    size_t size;
    unsigned char *bytes = bytes_of(false, &size);

    for (size_t at = 0; at < size; at += at < PAGE + 64 ? 3 : 61) {
        bytes[at] ^= (unsigned char)(1 << at % 8);
        expect_refused(bytes, size, "");
        bytes[at] ^= (unsigned char)(1 << at % 8);
    }
    free(bytes);
}

static void flipped_bit_never_changes_contents(void **state)
{
    size_t size;
    unsigned char *bytes = bytes_of(true, &size);

    for (size_t at = 0; at < size; at += at > 64 && at < 4200 ? 97 : 1) {
        char problem[IMAGE_PROBLEM_MAX] = "";
        struct image image;
        bytes[at] ^= (unsigned char)(1 << at % 8);
        int fd = file_of(bytes, size);
        if (!read_all(fd, &image, problem)) /* checksums agree: then it is the same image */
            image_close(&image);
        else
            assert_string_not_equal(problem, "");
        close(fd);
        bytes[at] ^= (unsigned char)(1 << at % 8);
    }
    free(bytes);
}

/* --- lies with right checksums --- */

static struct image_header *header_of(unsigned char *raw)
{
    return (void *)raw;
}

static void *section_of(unsigned char *raw, int id)
{
    return raw + header_of(raw)->section[id].raw_offset;
}

typedef void lie(unsigned char *raw);

static void lie_version(unsigned char *raw)
{
    header_of(raw)->version = 2;
}
static void lie_machine(unsigned char *raw)
{
    header_of(raw)->machine = 183;
}
static void lie_page_size(unsigned char *raw)
{
    header_of(raw)->page_size = 65536;
}
static void lie_section_offset(unsigned char *raw)
{
    header_of(raw)->section[IMAGE_STRINGS].raw_offset = UINT64_MAX - 8;
}
static void lie_section_size(unsigned char *raw)
{
    header_of(raw)->section[IMAGE_RECORDS].raw_size = UINT64_MAX - 7;
}
static void lie_section_odd(unsigned char *raw)
{
    header_of(raw)->section[IMAGE_SEGMENTS].raw_size -= 8;
}
static void lie_segment_order(unsigned char *raw)
{
    struct image_segment *s = section_of(raw, IMAGE_SEGMENTS);
    s[2].start = 0x403000;
}
static void lie_segment_empty(unsigned char *raw)
{
    struct image_segment *s = section_of(raw, IMAGE_SEGMENTS);
    s[0].start = s[0].end;
}
static void lie_segment_kernel(unsigned char *raw)
{
    struct image_segment *s = section_of(raw, IMAGE_SEGMENTS);
    s[3].end = 0xffffffffff601000;
}
static void lie_segment_kind(unsigned char *raw)
{
    struct image_segment *s = section_of(raw, IMAGE_SEGMENTS);
    s[1].kind = 99;
}
static void lie_segment_name(unsigned char *raw)
{
    struct image_segment *s = section_of(raw, IMAGE_SEGMENTS);
    s[1].name = 1 << 20;
}
static void lie_segment_huge(unsigned char *raw)
{
    struct image_segment *s = section_of(raw, IMAGE_SEGMENTS);
    s[1].vm_flags = IMAGE_VM_HUGETLB;
}
static void lie_run_outside(unsigned char *raw)
{
    struct image_run *r = section_of(raw, IMAGE_RUNS);
    r[0].address = 0x6a0000000000;
}
static void lie_run_long(unsigned char *raw)
{
    struct image_run *r = section_of(raw, IMAGE_RUNS);
    r[0].pages = UINT32_MAX;
}
static void lie_run_segment(unsigned char *raw)
{
    struct image_run *r = section_of(raw, IMAGE_RUNS);
    r[0].segment = 4;
}
static void lie_run_flags(unsigned char *raw)
{
    struct image_run *r = section_of(raw, IMAGE_RUNS);
    r[0].address |= 8;
}
static void lie_chunk_offset(unsigned char *raw)
{
    struct image_chunk *c = section_of(raw, IMAGE_CHUNKS);
    c[2].raw_offset = 1ull << 62;
}
static void lie_chunk_size(unsigned char *raw)
{
    struct image_chunk *c = section_of(raw, IMAGE_CHUNKS);
    c[0].raw_size = 1u << 31;
}
static void lie_chunk_runs(unsigned char *raw)
{
    struct image_chunk *c = section_of(raw, IMAGE_CHUNKS);
    c[0].run_count = UINT32_MAX;
}
static void lie_chunk_first_run(unsigned char *raw)
{
    struct image_chunk *c = section_of(raw, IMAGE_CHUNKS);
    c[1].first_run = UINT64_MAX;
}
static void lie_chunk_crc(unsigned char *raw)
{
    struct image_chunk *c = section_of(raw, IMAGE_CHUNKS);
    c[1].crc++;
}
static void lie_strings(unsigned char *raw)
{
    char *s = section_of(raw, IMAGE_STRINGS);
    s[header_of(raw)->section[IMAGE_STRINGS].raw_size - 1] = 'x';
}
static void lie_record_size(unsigned char *raw)
{
    struct image_record *r = section_of(raw, IMAGE_RECORDS);
    r->size = UINT32_MAX;
}
static void lie_record_type(unsigned char *raw)
{
    struct image_record *r = section_of(raw, IMAGE_RECORDS);
    r->type = 4711;
}
static void lie_record_twice(unsigned char *raw)
{
    struct image_record *r = section_of(raw, IMAGE_RECORDS);
    r->type = IMAGE_REC_MM;
}
static void lie_auxv(unsigned char *raw)
{
    struct image_record *r = section_of(raw, IMAGE_RECORDS);
    struct image_mm *mm = (void *)((char *)(r + 1) + r->size + 8);
    mm->auxv_size = 4096;
}
static struct image_zombie *zombies_of(unsigned char *raw)
{
    char *at = section_of(raw, IMAGE_RECORDS);

    for (;;) {
        struct image_record *r = (void *)at;
        if (r->type == IMAGE_REC_ZOMBIES)
            return (void *)(r + 1);
        at += sizeof *r + ((r->size + 7) & ~7u);
    }
}
static void lie_zombie_pid(unsigned char *raw)
{
    zombies_of(raw)->pid = 0;
}
static void lie_zombie_status(unsigned char *raw)
{
    zombies_of(raw)->status = 0x137f; /* stopped */
}
static void lie_zombie_name(unsigned char *raw)
{
    memset(zombies_of(raw)->name, 'x', sizeof zombies_of(raw)->name);
}
static void lie_no_records(unsigned char *raw)
{
    header_of(raw)->section[IMAGE_RECORDS].raw_size = 0;
}

static void lies_are_refused(void **state)
{
    static const struct {
        lie *tell;
        const char *why;
    } lies[] = {
        {lie_version, "format version 2"},
        {lie_machine, "another kind of machine"},
        {lie_page_size, "pages of 65536 bytes"},
        {lie_section_offset, "place of section 3"},
        {lie_section_size, "place of section 4"},
        {lie_section_odd, "place of section 0"},
        {lie_segment_order, "segment 2"},
        {lie_segment_empty, "segment 0"},
        {lie_segment_kernel, "segment 3"},
        {lie_segment_kind, "segment 1"},
        {lie_segment_name, "segment 1"},
        {lie_segment_huge, "segment 1"},
        {lie_run_outside, "place of chunk 0"},
        {lie_run_long, "place of chunk 0"},
        {lie_run_segment, "place of chunk 0"},
        {lie_run_flags, "place of chunk 0"},
        {lie_chunk_offset, "place of chunk 2"},
        {lie_chunk_size, "place of chunk 0"},
        {lie_chunk_runs, "place of chunk 0"},
        {lie_chunk_first_run, "place of chunk 1"},
        {lie_chunk_crc, "is damaged (chunk 1)"},
        {lie_strings, "strings"},
        {lie_record_size, "records"},
        {lie_record_type, "a record of type 4711, which this program does not know"},
        {lie_record_twice, "record of type 2"},
        {lie_auxv, "record of type"},
        {lie_zombie_pid, "record of type 8"},
        {lie_zombie_status, "record of type 8"},
        {lie_zombie_name, "record of type 8"},
        {lie_no_records, "0 process and 0 memory records"},
    };

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        size_t size;
        unsigned char *raw = bytes_of(false, &size);
        struct image_section before[IMAGE_SECTIONS];
        memcpy(before, header_of(raw)->section, sizeof before);
        lies[i].tell(raw);
        if (!memcmp(before, header_of(raw)->section, sizeof before) || lies[i].tell == lie_no_records)
            image_build_reseal(raw);
        else
            image_build_reseal_header(raw);
        expect_refused(raw, size, lies[i].why);
        free(raw);
    }
}

/* A section that claims to inflate to more than deflate can do. */
static void bomb_is_refused(void **state)
{
    struct image_build b;
    size_t size;
    unsigned char *bytes;

    build(&b);
    bytes = image_build_finish(&b, true, &size);
    image_build_end(&b);
    union {
        struct image_header header;
        unsigned char bytes[4096];
    } page;
    unsigned char *at = bytes + 29; /* behind the heads of member and block: a stored block */
    memcpy(&page, at, sizeof page);
    assert_memory_equal(page.header.magic, IMAGE_MAGIC, sizeof IMAGE_MAGIC);
    page.header.raw_size = 1ull << 36;
    page.header.section[IMAGE_RECORDS].raw_size = 1u << 31;
    image_build_reseal_header(page.bytes);
    memcpy(at, &page, sizeof page);
    expect_refused(bytes, size, "place of section 4");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_image_is_read),
        cmocka_unit_test(compressed_image_is_read),
        cmocka_unit_test(header_alone_is_read),
        cmocka_unit_test(moved_image_is_readable),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(any_cut_is_refused),
        cmocka_unit_test(longer_file_is_refused),
        cmocka_unit_test(any_flipped_bit_is_refused),
        cmocka_unit_test(flipped_bit_never_changes_contents),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(bomb_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
