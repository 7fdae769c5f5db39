/* Copies numbered lines from standard input to standard output and error, a step a line. */
#include <sys/stat.h>

#include "step.h"

int main(int argc, char **argv)
{
    char line[64];
    bool more = true;

    for (int number = 1; more; number++) {
        more = step();
        CHECK(fgets(line, sizeof line, stdin));
        CHECK(atoi(line) == number || argc > 1);
        printf("out %s", line);
        fflush(stdout);
        fprintf(stderr, "err %s", line);
    }
    return 0;
}
