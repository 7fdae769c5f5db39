/* Half-filled stdio buffers and their files: what was in memory is written once. */
#include "step.h"

int main(void)
{
    FILE *out = fopen("lines", "w"), *in;
    char line[64];
    int number = 0;

    CHECK(out);
    for (int i = 0; i < 20000; i++)
        fprintf(out, "%d\n", i);
    fflush(out);
    in = fopen("lines", "r");
    CHECK(in);
    printf("not flushed yet; ");
    for (int i = 0; i < 5; i++, number++)
        CHECK(fgets(line, sizeof line, in) && atoi(line) == number);
    while (step()) {
        fprintf(out, "step %d, not flushed either\n", step_number_);
        printf("step %d; ", step_number_);
        for (int i = 0; i < 1000; i++, number++)
            CHECK(fgets(line, sizeof line, in) && atoi(line) == number);
    }
    printf("end\n");
    return fclose(out);
}
