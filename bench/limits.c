/* What the machine can do, without us: the figures that ours are held against. Prints seconds, wall and of CPU time over all threads.
 *
 *   limits write FILE MEGABYTES PAGES CONTENTS THREADS SYNC          every way in turn, a line each, with its name
 *   limits read FILE THREADS PAGES                                   into fresh anonymous memory (PAGES: small or huge)
 *   limits deflate MEGABYTES CONTENTS THREADS                        zlib level 1
 *   limits inflate MEGABYTES CONTENTS THREADS
 *
 * Threads take chunks from a common counter; each is measured as a whole, from before the threads start. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "contents.h"

#define THREADS_MAX 256
#define STREAM (1ul << 20) /* zlib: bytes a stream */

static char *memory, *packed;
static size_t size, chunk, next_chunk, *packed_size;
static int file;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static char *map(size_t bytes, const char *pages)
{
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        die("mmap");
    madvise(at, bytes, *pages == 'h' ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return at;
}

static bool take(size_t *at, size_t *bytes)
{
    *at = __atomic_fetch_add(&next_chunk, 1, __ATOMIC_RELAXED) * chunk;
    *bytes = *at < size && size - *at < chunk ? size - *at : chunk;
    return *at < size;
}

static void *write_part(void *unused)
{
    size_t at, bytes;

    while (take(&at, &bytes))
        if (pwrite(file, memory + at, bytes, (off_t)at) != (ssize_t)bytes)
            die("write");
    return unused;
}

/* As restarting programs want it: the pages come in one call, then they are filled. */
static void *read_part(void *unused)
{
    size_t at, bytes;

    while (take(&at, &bytes)) {
        madvise(memory + at, bytes, 23 /* MADV_POPULATE_WRITE */);
        if (pread(file, memory + at, bytes, (off_t)at) != (ssize_t)bytes)
            die("read");
    }
    return unused;
}

static void *deflate_part(void *unused)
{
    size_t at, bytes;
    z_stream stream = {0};

    if (deflateInit2(&stream, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        exit(1);
    while (take(&at, &bytes)) {
        deflateReset(&stream);
        stream.next_in = (unsigned char *)memory + at;
        stream.avail_in = (unsigned)bytes;
        stream.next_out = (unsigned char *)packed + at / STREAM * 2 * STREAM;
        stream.avail_out = 2 * STREAM;
        if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
            exit(1);
        packed_size[at / STREAM] = stream.total_out;
    }
    deflateEnd(&stream);
    return unused;
}

static void *inflate_part(void *unused)
{
    size_t at, bytes;
    z_stream stream = {0};

    if (inflateInit2(&stream, -15) != Z_OK)
        exit(1);
    while (take(&at, &bytes)) {
        inflateReset(&stream);
        stream.next_in = (unsigned char *)packed + at / STREAM * 2 * STREAM;
        stream.avail_in = (unsigned)packed_size[at / STREAM];
        stream.next_out = (unsigned char *)memory + at;
        stream.avail_out = (unsigned)bytes;
        if (inflate(&stream, Z_FINISH) != Z_STREAM_END)
            exit(1);
    }
    inflateEnd(&stream);
    return unused;
}

static void run(void *(*part)(void *), int threads)
{
    pthread_t others[THREADS_MAX];

    next_chunk = 0;
    for (int i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, part, NULL))
            die("pthread_create");
    part(NULL);
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
}

static void write_file(const char *path, int threads, size_t piece, bool direct, bool sync)
{
    double wall, cpu;

    unlink(path);
    chunk = piece;
    wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | (direct ? O_DIRECT : 0), 0600);
    if (file < 0 && direct) /* not every file system has it */
        return;
    if (file < 0)
        die(path);
    run(write_part, threads);
    if (sync && fsync(file))
        die("fsync");
    close(file);
    printf("%.6f %.6f %d threads, %s, %zu MB\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, threads,
           direct ? "O_DIRECT" : "page cache", piece >> 20);
    unlink(path);
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    double wall, cpu;

    if (!strcmp(what, "write") && argc == 8) {
        size = strtoul(argv[3], NULL, 10) << 20;
        memory = map(size, argv[4]);
        contents_fill(memory, size, contents_named(argv[5]));
        for (unsigned way = 0; way < 8; way++)
            write_file(argv[2], way & 1 ? atoi(argv[6]) : 1, way & 2 ? 8u << 20 : 1u << 20, way & 4, atoi(argv[7]));
        return 0;
    } else if (!strcmp(what, "read") && argc == 5) {
        struct stat st;

        wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        file = open(argv[2], O_RDONLY);
        if (file < 0 || fstat(file, &st))
            die(argv[2]);
        size = (size_t)st.st_size & ~4095ul;
        chunk = 1 << 20;
        memory = map(size, argv[4]);
        run(read_part, atoi(argv[3]));
    } else if ((!strcmp(what, "deflate") || !strcmp(what, "inflate")) && argc == 5) {
        int threads = atoi(argv[4]);

        size = strtoul(argv[2], NULL, 10) << 20;
        chunk = STREAM;
        memory = map(size, "small");
        packed = map(2 * size, "small");
        packed_size = calloc(size / STREAM, sizeof *packed_size);
        contents_fill(memory, size, contents_named(argv[3]));
        if (*what == 'i')
            run(deflate_part, threads);
        wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        run(*what == 'd' ? deflate_part : inflate_part, threads);
    } else {
        fprintf(stderr, "limits: see the comment at the top of limits.c\n");
        return 1;
    }
    printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}
