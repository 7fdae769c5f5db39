/* Any bytes as an image: the reader must refuse them or read them, without a crash or an access out of bounds, and what it hands out must
 * lie where image_read.h says. libFuzzer's entry: `clang -fsanitize=fuzzer,address,undefined`; image_mutate.c calls it as well. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "image_fuzz: %s\n", what);
    abort();
}

static volatile unsigned char seen; /* so that reads are not optimised away */

static void touch(const void *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        seen ^= ((const unsigned char *)at)[i];
}

static void use(struct image *image, int fd, char *problem)
{
    static unsigned char work[IMAGE_LOAD_MEMORY] __attribute__((aligned(16)));
    static const uint32_t types[] = {IMAGE_REC_PROCESS, IMAGE_REC_MM,     IMAGE_REC_VDSO,       IMAGE_REC_THREADS,
                                     IMAGE_REC_CONF,    IMAGE_REC_GUARDS, IMAGE_REC_DESCRIPTORS};

    for (size_t i = 0; i < image->segment_count; i++)
        touch(image_string(image, image->segments[i].name), strlen(image_string(image, image->segments[i].name)));
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const void *payload;
        uint32_t payload_size;
        for (unsigned n = 0; (payload = image_record(image, types[t], n, &payload_size)); n++)
            touch(payload, payload_size);
    }
    for (size_t i = 0; i < image->chunk_count && i < 16; i++) {
        const struct image_chunk *chunk = &image->chunks[i];
        struct iovec target[IMAGE_MAX_CHUNK / IMAGE_PAGE];
        size_t sum = 0;
        require(chunk->run_count <= IMAGE_MAX_CHUNK / IMAGE_PAGE, "more runs than pages");
        for (uint32_t r = 0; r < chunk->run_count; r++) {
            const struct image_run *run = &image->runs[chunk->first_run + r];
            const struct image_segment *s = &image->segments[run->segment];
            uint64_t address = run->address & ~(uint64_t)(IMAGE_PAGE - 1);
            target[r].iov_len = (size_t)run->pages * IMAGE_PAGE;
            target[r].iov_base = malloc(target[r].iov_len); /* of its own, so that the sanitizer sees an overrun */
            sum += target[r].iov_len;
            require(run->segment < image->segment_count && address >= s->start && address + target[r].iov_len <= s->end, "run outside");
        }
        require(sum == chunk->raw_size, "runs and chunk differ in size");
        image_load_chunk(image, fd, chunk, target, chunk->run_count, work, problem);
        for (uint32_t r = 0; r < chunk->run_count; r++)
            free(target[r].iov_base);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char problem[IMAGE_PROBLEM_MAX] = "";
    struct image_header header;
    struct image image;
    bool compressed;

    if (fd < 0)
        fd = memfd_create("image_fuzz", MFD_CLOEXEC);
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    image_read_header(fd, &header, &compressed, problem);
    memset(problem, 0, sizeof problem);
    if (!image_open(fd, &image, problem)) {
        use(&image, fd, problem);
        image_close(&image);
    } else {
        require(problem[0] && strlen(problem) < sizeof problem && !strchr(problem, '\n'), "no reason");
        require(!image.memory, "refused, but not given back");
    }
    return 0;
}
