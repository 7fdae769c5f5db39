/* The heap grows by sbrk where it ended, and new mappings find room, after every checkpoint and restart. */
#include <stdint.h>
#include <sys/mman.h>

#include "step.h"

#define GROW 300000

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
    return random_state = random_state * 1664525u + 1013904223u;
}

static bool all_zero(const char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (memory[i])
            return false;
    return true;
}

/* Where /proc/self/maps says the heap ends. */
static char *heap_end(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long start, end, found = 0;
    char line[4200];

    CHECK(maps);
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[heap]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
            found = end;
    fclose(maps);
    return (char *)found;
}

int main(void)
{
    char *block[64] = {0};
    size_t size[64] = {0};
    uint32_t sum[64] = {0};
    unsigned char fill = 0;

    char *first = sbrk(GROW);
    memset(first, 0x5a, GROW);
    for (;;) {
        char *before = sbrk(0);
        bool more = step();
        char *now = sbrk(0);
        CHECK(now == before);
        CHECK(sbrk(GROW) == now);
        CHECK(sbrk(0) == now + GROW);
        CHECK(heap_end() >= now + GROW);
        CHECK(all_zero(now, GROW));
        memset(now, ++fill, GROW);
        for (size_t i = 0; i < GROW; i++)
            CHECK(first[i] == 0x5a);

        for (int i = 0; i < 400; i++) {
            unsigned k = next_random() % 64;
            if (block[k]) {
                uint32_t total = 0;
                for (size_t j = 0; j < size[k]; j += 512)
                    total += (unsigned char)block[k][j];
                CHECK(total == sum[k]);
                if (k % 2)
                    CHECK(munmap(block[k], size[k]) == 0);
                else
                    free(block[k]);
            }
            size[k] = 1 + next_random() % 400000;
            block[k] = k % 2 ? mmap(NULL, size[k], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : malloc(size[k]);
            CHECK(block[k] && block[k] != MAP_FAILED);
            if (k % 2)
                CHECK(all_zero(block[k], size[k]));
            sum[k] = 0;
            for (size_t j = 0; j < size[k]; j++)
                block[k][j] = (char)(k + j);
            for (size_t j = 0; j < size[k]; j += 512)
                sum[k] += (unsigned char)block[k][j];
        }
        if (!more)
            break;
    }
    puts("heap and mappings kept");
    return 0;
}
