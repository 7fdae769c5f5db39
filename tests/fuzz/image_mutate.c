/* image_mutate [ITERATIONS [SEED]]: feeds image_fuzz.c with images that were built well and then damaged: bytes changed at random, and
 * (every other time) the checksums put right again, so that the damage gets past them. Deterministic: the same seed gives the same images. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../image/image_build.h"
#include "crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static unsigned char *build(bool compressed, size_t *size)
{
    static unsigned char pages[16 * 4096];
    struct image_vdso_symbol symbol = {64, "__vdso_time"};
    struct image_guard guard = {0x500000, 0x501000};
    uint32_t tids[] = {10, 11};
    struct image_build b;
    unsigned char *bytes;

    for (size_t i = 0; i < sizeof pages; i++)
        pages[i] = (unsigned char)(i * i >> 7);
    image_build_start(&b);
    b.chunk_pages = 5;
    b.process.host_name = image_build_string(&b, "host");
    b.mm.auxv_size = 48;
    for (uint32_t i = 0; i < 4; i++) {
        struct image_segment s = {.start = 0x400000 + i * 0x100000, .end = 0x500000 + i * 0x100000, .kind = 1 + i, .prot = 3};
        s.name = image_build_string(&b, "/some/file");
        image_build_segment(&b, &s);
        if (s.kind != IMAGE_FILE_SHARED)
            for (uint32_t run = 0; run < 3; run++)
                image_build_contents(&b, i, s.start + run * 0x10000, pages + run * 4096, (run + 1) * 4096, run & 1);
    }
    image_build_record(&b, IMAGE_REC_VDSO, &symbol, sizeof symbol);
    image_build_record(&b, IMAGE_REC_THREADS, tids, sizeof tids);
    image_build_record(&b, IMAGE_REC_GUARDS, &guard, sizeof guard);
    image_build_record(&b, IMAGE_REC_CONF, "gzip=1\n", 7);
    bytes = image_build_finish(&b, compressed, size);
    image_build_end(&b);
    return bytes;
}

/* Numbers that overflow, wrap, or point just outside. */
static uint64_t odd_number(void)
{
    static const uint64_t numbers[] = {0, 1, 7, 8, 4095, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ull << 40,
                                       1ull << 56, 1ull << 62, 1ull << 63, UINT64_MAX - 4095, UINT64_MAX - 7, UINT64_MAX};
    return numbers[draw(sizeof numbers / sizeof *numbers)];
}

static void damage(unsigned char *bytes, size_t size)
{
    for (uint64_t n = 1 + draw(4); n; n--) {
        size_t at = draw(size - 8), width = 1u << draw(4);
        uint64_t number = draw(2) ? odd_number() : draw(UINT64_MAX);
        if (draw(2))
            at &= ~(width - 1); /* a field, as a rule */
        memcpy(bytes + at, &number, width);
    }
}

/* Damages the header or one section of a raw image, then makes the checksums right: what the checks behind them are for. */
static void damage_sealed(unsigned char *raw)
{
    const struct image_header *header = (const void *)raw;
    struct image_section section[IMAGE_SECTIONS];
    uint64_t which = draw(IMAGE_SECTIONS + 1);

    memcpy(section, header->section, sizeof section);
    if (which == IMAGE_SECTIONS) {
        damage(raw + 32, 472); /* behind the magic number */
        image_build_reseal_header(raw);
    } else if (section[which].raw_size >= 16) {
        damage(raw + section[which].raw_offset, section[which].raw_size);
        image_build_reseal(raw);
    }
}

int main(int argc, char **argv)
{
    unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 10) : 6000;
    unsigned char *form[2], *work;
    size_t size[2];

    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 88172645463325252ull;
    for (int f = 0; f < 2; f++)
        form[f] = build(f, &size[f]);
    work = malloc(size[0] + size[1]);
    for (unsigned long i = 0; i < iterations; i++) {
        int f = (int)draw(3) == 0;
        size_t used = size[f];
        memcpy(work, form[f], used);
        if (!f && draw(4))
            damage_sealed(work);
        else
            damage(work, used);
        if (!draw(16))
            used = draw(used);
        LLVMFuzzerTestOneInput(work, used);
    }
    free(form[0]);
    free(form[1]);
    free(work);
    printf("%lu images\n", iterations);
    return 0;
}
