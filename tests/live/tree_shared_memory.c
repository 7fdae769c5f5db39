/* Anonymous memory that processes share stays shared: what one writes after a restart, the others see. Two objects, one of them mapped twice, one
 * partly given back by the child. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "step.h"

enum { PAGES = 64, PAGE = 4096 };

struct shared {
    volatile unsigned asked, answered[2], end;
    volatile unsigned char bytes[PAGES * PAGE - 64];
};

static unsigned char value(unsigned round, unsigned i)
{
    return (unsigned char)(round * 31 + i / 100);
}

static _Noreturn void answer(struct shared *first, unsigned *second, int self)
{
    while (!first->end) {
        unsigned asked = first->asked;

        if (asked != first->answered[self]) {
            for (unsigned i = 0; i < sizeof first->bytes; i += 1000)
                if (first->bytes[i] != value(asked, i))
                    FAIL("round %u: byte %u is %u", asked, i, first->bytes[i]);
            second[1000] = asked * 7;
            __sync_synchronize();
            first->answered[self] = asked;
        }
        step_nap_();
    }
    _exit(0);
}

int main(void)
{
    struct shared *first = mmap(NULL, sizeof *first, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned *second = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child[2];
    int status;

    CHECK(first != MAP_FAILED && second != MAP_FAILED);
    for (int c = 0; c < 2; c++) {
        child[c] = fork();
        CHECK(child[c] >= 0);
        if (!child[c]) {
            if (c)
                CHECK(!munmap((char *)second + 2 * PAGE, 2 * PAGE));
            answer(first, second, c);
        }
    }
    for (unsigned round = 1;; round++) {
        bool more;

        for (unsigned i = 0; i < sizeof first->bytes; i++)
            first->bytes[i] = value(round, i);
        more = step();
        if (!more)
            break;
        __sync_synchronize();
        first->asked = round;
        UNTIL(first->answered[0] == round && first->answered[1] == round); /* both have looked before the bytes change again */
        UNTIL(second[1000] == round * 7);
    }
    first->end = 1;
    for (int c = 0; c < 2; c++)
        CHECK(waitpid(child[c], &status, 0) == child[c] && status == 0);
    return 0;
}
