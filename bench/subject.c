/* A program to be checkpointed: so much memory of a kind, so many threads that wait, one that ticks, one that dirties memory.
 *
 *   subject BOARD MEGABYTES PAGES CONTENTS [THREADS [DIRTY_MB_PER_SECOND]]
 *
 * PAGES: small, huge (MADV_HUGEPAGE), reserve (PROT_NONE), noreserve. CONTENTS: bench/contents.h. SIGUSR1 has it fork a child that ends at once: what
 * a snapshot can't do without, measured by the same thread's ticks. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "contents.h"

#define TICK_NS 100000

static struct board *board;
static char *memory;
static size_t size;
static double dirty_rate;

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *tick(void *unused)
{
    const struct timespec pause = {.tv_nsec = TICK_NS};

    prctl(PR_SET_TIMERSLACK, 1);
    for (uint64_t last = now_ns();;) {
        nanosleep(&pause, NULL);
        uint64_t now = now_ns(), gap = now - last;
        if (gap > board->largest_gap)
            board->largest_gap = gap;
        if (!board->first_tick)
            board->first_tick = now;
        last = now;
    }
    return unused;
}

static void *wait_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

/* A page after the other, a megabyte at a time, as fast as it was told. */
static void *dirty(void *unused)
{
    uint64_t begin = now_ns(), written = 0;

    for (size_t at = 0;; at = at + (1 << 20) < size ? at + (1 << 20) : 0) {
        for (size_t page = 0; page < 1 << 20 && at + page < size; page += 4096)
            memory[at + page + 64]++;
        written += 1 << 20;
        __atomic_store_n(&board->dirtied, written, __ATOMIC_RELAXED);
        double ahead = (double)written / dirty_rate - (double)(now_ns() - begin) / 1e9;
        if (ahead > 0.001) {
            struct timespec rest = {.tv_nsec = (long)(ahead * 1e9)};
            nanosleep(&rest, NULL);
        } else if (ahead < -0.1) { /* it was made to wait: no hurry afterwards */
            begin = now_ns() - (uint64_t)((double)written / dirty_rate * 1e9);
        }
    }
    return unused;
}

static void start(void *(*run)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    if (pthread_create(&thread, &attributes, run, NULL)) {
        perror("pthread_create");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: subject BOARD MEGABYTES PAGES CONTENTS [THREADS [DIRTY]]\n");
        return 1;
    }
    int fd = open(argv[1], O_RDWR), kind = contents_named(argv[4]), protection = argv[3][0] == 'r' ? PROT_NONE : PROT_READ | PROT_WRITE;
    sigset_t fork_now;

    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    size = (size_t)atoll(argv[2]) << 20;
    if (size) {
        memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | (argv[3][0] == 'n' || argv[3][0] == 'r' ? MAP_NORESERVE : 0), -1, 0);
        if (memory == MAP_FAILED || board == MAP_FAILED || kind < 0) {
            perror("subject");
            return 1;
        }
        madvise(memory, size, argv[3][0] == 'h' ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        contents_fill(memory, size, kind);
    }
    sigemptyset(&fork_now);
    sigaddset(&fork_now, SIGUSR1);
    sigprocmask(SIG_BLOCK, &fork_now, NULL);
    start(tick);
    for (int i = argc > 5 ? atoi(argv[5]) : 0; i > 0; i--)
        start(wait_for_ever);
    dirty_rate = argc > 6 ? atof(argv[6]) * (1 << 20) : 0;
    if (dirty_rate > 0)
        start(dirty);
    board->ready = 1;
    for (;;) {
        int signal;
        if (sigwait(&fork_now, &signal))
            continue;
        uint64_t begin = now_ns();
        pid_t child = fork();
        if (!child)
            _exit(0);
        board->fork_ns = now_ns() - begin;
        waitpid(child, NULL, 0);
        board->forked++;
    }
}
