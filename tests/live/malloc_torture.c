/* Threads in malloc, free and stdio all the time: whatever lock a thread holds when it is stopped, nobody hangs. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>

#include "step.h"

#define THREADS 8

static volatile unsigned long rounds[THREADS];
static volatile bool end;
static FILE *shared;

static void *run(void *argument)
{
    size_t self = (size_t)argument;
    uint32_t random = (uint32_t)self + 1;
    char *block[128] = {0};
    size_t size[128] = {0};

    for (; !end; rounds[self]++) {
        for (int i = 0; i < 200; i++) {
            unsigned k = (random = random * 1664525u + 1013904223u) >> 25;
            if (block[k]) {
                CHECK(block[k][0] == (char)k && block[k][size[k] - 1] == (char)self);
                if (random & 1)
                    free(block[k]);
                block[k] = random & 1 ? NULL : realloc(block[k], size[k] = 1 + (random >> 8) % 3000);
            } else {
                block[k] = malloc(size[k] = 1 + (random >> 8) % (random & 0xf0 ? 3000 : 200000));
            }
            if (block[k]) {
                block[k][0] = (char)k;
                block[k][size[k] - 1] = (char)self;
                if (size[k] == 1)
                    block[k][0] = (char)k, free(block[k]), block[k] = NULL;
            }
        }
        fprintf(shared, "%zu %lu\n", self, rounds[self]);
        if (rounds[self] % 16 == self) {
            char name[32], *line = NULL;
            size_t room = 0;
            FILE *own;
            snprintf(name, sizeof name, "own-%zu", self);
            CHECK((own = fopen(name, "w+")));
            fprintf(own, "line of %zu\n", self);
            rewind(own);
            CHECK(getline(&line, &room, own) > 0 && atoi(line + 8) == (int)self);
            free(line);
            fclose(own);
            malloc_trim(0);
        }
    }
    for (int k = 0; k < 128; k++)
        free(block[k]);
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];

    CHECK((shared = fopen("/dev/null", "w")));
    for (size_t i = 0; i < THREADS; i++)
        ZERO(pthread_create(&thread[i], NULL, run, (void *)i));
    do
        for (size_t i = 0; i < THREADS; i++) {
            unsigned long before = rounds[i];
            UNTIL(rounds[i] > before + 2);
        }
    while (step());
    end = true;
    for (size_t i = 0; i < THREADS; i++)
        ZERO(pthread_join(thread[i], NULL));
    fclose(shared);
    puts("nobody hung");
    return 0;
}
