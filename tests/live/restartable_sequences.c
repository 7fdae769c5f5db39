/* sched_getcpu() (which reads the rseq area that the kernel writes) is right, first thing after a restart, in old and new threads. */
#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>

#include "step.h"

static volatile int go_on, checked, end;

static void check_cpu(int cpu)
{
    struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    unsigned real;

    CHECK(sched_getcpu() == cpu);
    CHECK(syscall(SYS_getcpu, &real, NULL, NULL) == 0 && (int)real == cpu);
    if (__rseq_size)
        CHECK((int)area->cpu_id == cpu && (int)area->cpu_id_start == cpu);
}

/* The n-th processor that we may use. */
static int pin(int n)
{
    cpu_set_t allowed, mine;
    int cpu = 0;

    CHECK(sched_getaffinity(getpid(), sizeof allowed, &allowed) == 0);
    for (n %= CPU_COUNT(&allowed); !CPU_ISSET(cpu, &allowed) || n--; cpu++)
        ;
    CPU_ZERO(&mine);
    CPU_SET(cpu, &mine);
    ZERO(pthread_setaffinity_np(pthread_self(), sizeof mine, &mine));
    return cpu;
}

static void *run(void *unused)
{
    int cpu = pin(1);

    while (!end) {
        check_cpu(cpu);
        checked = go_on;
    }
    return NULL;
}

static void *once(void *unused)
{
    check_cpu(sched_getcpu());
    return NULL;
}

static pthread_t start(void *(*body)(void *))
{
    pthread_t thread;

    ZERO(pthread_create(&thread, NULL, body, NULL));
    return thread;
}

int main(void)
{
    pthread_t thread = start(run);
    cpu_set_t set;
    int cpu = pin(0);

    while (step()) {
        check_cpu(cpu);
        ZERO(pthread_getaffinity_np(pthread_self(), sizeof set, &set));
        CHECK(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set));
        ++go_on;
        UNTIL(checked == go_on);
        ZERO(pthread_join(start(once), NULL));
    }
    end = 1;
    ZERO(pthread_join(thread, NULL));
    puts("processors known");
    return 0;
}
