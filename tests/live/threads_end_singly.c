/* A process whose threads end by exit(2) one by one, without exit_group(2): it ends with the last of them, with its status.
 * Arguments: the status of all, and how many other threads there are, which end only when told. */
#include <sched.h>
#include <sys/mman.h>

#include "step.h"

static int status;

static int run(void *unused)
{
    while (step())
        ;
    syscall(SYS_exit, status);
    return 0;
}

int main(int argc, char **argv)
{
    status = atoi(argv[1]);
    if (atoi(argv[2])) {
        char *stack = mmap(NULL, 262144, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(stack != MAP_FAILED);
        CHECK(clone(run, stack + 262144, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) > 0);
    }
    syscall(SYS_exit, status);
}
