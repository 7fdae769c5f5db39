/* Much address space, little memory: argument in MiB, of which every other page is touched. Says how many bytes those are. */
#include <sys/mman.h>

#include "step.h"

int main(int argc, char **argv)
{
    size_t size = (size_t)atol(argv[1]) << 20;
    unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char *zero = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char *space = mmap(NULL, 1ul << 42, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(memory != MAP_FAILED && zero != MAP_FAILED && space != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += 8192)
        memset(memory + i, (int)(i >> 13) | 1, 4096);
    memset(zero, 0, size);
    printf("%zu\n", size / 2);
    fflush(stdout);
    while (step()) {
        for (size_t i = 0; i < size; i += 8192) {
            CHECK(memory[i] == (unsigned char)((i >> 13) | 1) && memory[i + 4095] == memory[i]);
            CHECK(memory[i + 4096] == 0);
            memory[i + 4096] = 0;
        }
        for (size_t i = 0; i < size; i += 4096)
            CHECK(zero[i] == 0);
    }
    return 0;
}
