/* A small program for tests that are about something else: it says its steps. Arguments, all optional: MEMORY in MiB, of contents that
 * don't compress, and EXIT code. */
#include "step.h"

int main(int argc, char **argv)
{
    size_t size = argc > 1 ? (size_t)atol(argv[1]) << 20 : 0;
    unsigned long long *memory = malloc(size + 8), random = 88172645463325252ull, sum = 0, now;

    CHECK(memory);
    for (size_t i = 0; i < size / 8; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memory[i] = random;
        sum += random;
    }
    for (;;) {
        bool more = step();
        now = 0;
        for (size_t i = 0; i < size / 8; i++)
            now += memory[i];
        CHECK(now == sum);
        printf("step %d\n", step_number_);
        fflush(stdout);
        if (!more)
            break;
    }
    return argc > 2 ? atoi(argv[2]) : 0;
}
