/* write_image IMAGE MEMORY [name=value…]: a program with awkward memory whose image is written as libckpt does it, by a raw clone thread
 * with a file table and a fake thread-control block of its own while the main thread is parked; then the image is read back with
 * base/image_read.h and every page compared with what the program had. Prints the pause and the sizes. Exit 0: as it should be; 1: not; 3:
 * the writer reported an error (printed) and the program went on.
 *
 * Values: gzip=0|1 level=N writers=N fsync=0|1 snapshot=auto|always|never disable=feature,… fsize=BYTES (hard limit of file sizes)
 * Memory "read": no memory, IMAGE is only read back.
 *         end=verify|kill|discard|time   kill: ends itself by SIGKILL when the copy exists; discard: gives the image up; time: no check */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "awkward.h"
#include "feature.h"
#include "fmt.h"
#include "image_read.h"
#include "log.h"
#include "maps.h"
#include "scratch.h"
#include "sys.h"
#include "writer.h"

static struct conf conf;
static char path[4096];
static unsigned writers = 2;
static bool kill_self, discard;

/* Between the checkpoint thread and the main thread. */
static uint32_t resumed, ended;
static uint64_t pause_ns, write_ns, brk_at_snapshot;
static char problem[SNAPSHOT_PROBLEM_MAX];
static struct snapshot_result result;
static int descriptor_seen;

static void wait_for(uint32_t *word)
{
    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
        sys_futex_wait(word, 0, NULL);
}

static void let_go(uint32_t *word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    sys_futex_wake(word, 1);
}

static void finish(struct snapshot *snapshot)
{
    struct pollfd poll = {.fd = snapshot_descriptor(snapshot), .events = POLLIN};

    if (discard) {
        snapshot_discard(snapshot);
        return;
    }
    descriptor_seen = poll.fd;
    if (poll.fd >= 0)
        sys_ppoll(&poll, 1, NULL);
    result = *snapshot_finish(snapshot);
    if (result.error) {
        snapshot_discard(snapshot);
        return;
    }
    result.error = (int32_t)sys_rename(snapshot->temp_path, path);
    snapshot_release(snapshot);
}

static int checkpoint_thread(void *argument)
{
    static const uint32_t tids[] = {1, 2, 3};
    static const struct image_process process = {.pid = 4711, .ppid = 1, .threads = 3};
    const struct snapshot_request request = {
        .path = path, .conf = &conf, .process = {1, 2, 3, 0}, .computation = {4, 5, 6, 0}, .generation = 7, .processes = 1, .writers = writers,
        .entry = (uint64_t)checkpoint_thread, .process_record = &process, .host_name = "host", .program_name = "write_image", .tids = tids,
        .tid_count = 3, .descriptors = "0 file /dev/null\n", .libc_name = "glibc",
    };
    brk_at_snapshot = (uint64_t)sbrk(0);
    uint64_t start = sys_now_ns(CLOCK_MONOTONIC);
    struct snapshot *snapshot = snapshot_start(&request, problem);

    pause_ns = sys_now_ns(CLOCK_MONOTONIC) - start;
    if (snapshot && kill_self) {
        char line[16];
        sys_write(1, line, fmt(line, sizeof line, "%d\n", snapshot->child));
        sys_kill(sys_getpid(), SIGKILL);
    }
    let_go(&resumed);
    if (snapshot)
        finish(snapshot);
    else
        result.error = -1;
    write_ns = sys_now_ns(CLOCK_MONOTONIC) - start;
    let_go(&ended);
    sys_exit_thread(0);
}

/* A stack, and above it a page for the thread-control block. */
#define THREAD_MEMORY (64u << 10)

static void start_thread(void)
{
    size_t size = THREAD_MEMORY - 4096;
    char *stack = mmap(NULL, THREAD_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void **block = (void **)(void *)(stack + size);
    sigset_t everything, before;

    block[0] = block;
    block[2] = block;
    sigfillset(&everything);
    sigprocmask(SIG_BLOCK, &everything, &before);
    if (clone(checkpoint_thread, stack + size, CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS, NULL, NULL,
              block, NULL) < 0)
        err(1, "clone");
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* --- verification --- */

static unsigned complaints;

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
    va_list list;

    if (++complaints > 20)
        return;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

static bool is_zero(const unsigned char *page)
{
    return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

static struct region *region_of(uint64_t address)
{
    for (unsigned i = 0; i < region_count; i++)
        if (address >= (uint64_t)regions[i].at && address < (uint64_t)regions[i].at + regions[i].size)
            return &regions[i];
    return NULL;
}

static void check_page(const struct image_segment *segment, uint64_t address, bool clean, const unsigned char *page)
{
    struct region *region = region_of(address);

    if (!region) {
        /* The program's text and constants, which nobody writes to. */
        if (((segment->kind == IMAGE_FILE_PRIVATE && !(segment->prot & PROT_WRITE) && segment->prot & PROT_READ) || segment->kind == IMAGE_VDSO) &&
            memcmp((void *)address, page, PAGE))
            complain("%#lx: differs from the program's text", address);
        if (segment->kind != IMAGE_FILE_PRIVATE && is_zero(page))
            complain("%#lx: a page of zeros is stored", address);
        return;
    }
    size_t number = (address - (uint64_t)region->at) / PAGE;
    enum expectation expected = region->expect(number);
    if (expected == EXPECT_NOTHING)
        complain("%s, page %zu: should not be stored", region->name, number);
    else if (expected == EXPECT_ZEROS ? !is_zero(page) : !pattern_is(page, address))
        complain("%s, page %zu: wrong contents", region->name, number);
    if (clean && (!region->clean_allowed || number % 4 > 1) && strcmp(region->name, "cut file"))
        complain("%s, page %zu: marked clean", region->name, number);
    if (!clean && region->clean_allowed && number % 4 == 0 && strcmp(region->name, "cut file"))
        complain("%s, page %zu: not marked clean", region->name, number);
    if (segment->kind != region->kind)
        complain("%s: kind %u", region->name, segment->kind);
    if (region->seen && region->seen[number]++)
        complain("%s, page %zu: stored twice", region->name, number);
}

static void check_chunks(const struct image *image, int fd)
{
    unsigned char *buffer = mmap(NULL, IMAGE_MAX_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *work = aligned_alloc(64, IMAGE_LOAD_MEMORY);
    char reason[IMAGE_PROBLEM_MAX];

    for (size_t i = 0; i < image->chunk_count; i++) {
        const struct image_chunk *chunk = &image->chunks[i];
        const unsigned char *at = buffer;
        struct iovec target = {buffer, chunk->raw_size};

        if (image_load_chunk(image, fd, chunk, &target, 1, work, reason)) {
            complain("chunk %zu %s", i, reason);
            continue;
        }
        for (uint32_t k = 0; k < chunk->run_count; k++) {
            const struct image_run *run = &image->runs[chunk->first_run + k];
            for (uint32_t p = 0; p < run->pages; p++, at += PAGE)
                check_page(&image->segments[run->segment], (run->address & ~(PAGE - 1)) + p * PAGE, run->address & IMAGE_RUN_CLEAN, at);
        }
    }
    munmap(buffer, IMAGE_MAX_CHUNK);
    free(work);
}

static void check_regions(const struct image *image)
{
    for (unsigned k = 0; k < region_count; k++) {
        const struct region *region = &regions[k];
        size_t index = image_segment_at(image, (uint64_t)region->at);

        if (index == image->segment_count) {
            complain("%s: no segment", region->name);
            continue;
        }
        if (region->vm_flags & ~image->segments[index].vm_flags)
            complain("%s: flags %#x, not %#x", region->name, image->segments[index].vm_flags, region->vm_flags);
        for (size_t i = 0; region->seen && i < region->size / PAGE; i++)
            if (region->seen[i] != (region->expect(i) == EXPECT_PATTERN || region->expect(i) == EXPECT_ZEROS) &&
                region->expect(i) != EXPECT_PATTERN_OR_NOTHING)
                complain("%s, page %zu: missing", region->name, i);
    }
}

/* Every mapping that was there before is a segment, or several, with its protection. */
static void check_maps(const struct image *image, const char *maps)
{
    for (const char *line = maps; *line; line = strchr(line, '\n') + 1) {
        struct map map;

        if (!maps_parse_line(line, (size_t)(strchr(line, '\n') - line), &map))
            errx(1, "maps");
        size_t i = image_segment_at(image, map.start);
        if (!strcmp(map.name, "[vsyscall]")) {
            if (i != image->segment_count)
                complain("[vsyscall] is in the image");
        } else if (i == image->segment_count || image->segments[i].prot != map.prot) {
            complain("%.80s: not in the image", line);
        }
    }
}

static void check_records(const struct image *image)
{
    uint32_t size;
    const struct image_vdso_symbol *symbol = image_record(image, IMAGE_REC_VDSO, 0, &size);
    const struct image_guard *guard;
    struct conf read;
    bool clock = false;

    for (uint32_t i = 0; i < size / sizeof *symbol; i++)
        clock |= !strcmp(symbol[i].name, "__vdso_clock_gettime") && symbol[i].offset > 0;
    if (!clock)
        complain("no vDSO symbols");
    if (image->mm->brk != brk_at_snapshot || !image->mm->auxv_size || !strstr(image_string(image, image->mm->exe_name), "write_image"))
        complain("the memory record is wrong");
    if (!image_record(image, IMAGE_REC_THREADS, 0, &size) || size != 12)
        complain("the threads record is wrong");
    conf_init(&read);
    if (!conf_decode(&read, image_record(image, IMAGE_REC_CONF, 0, &size)) || read.gzip != conf.gzip)
        complain("the launch record is wrong");
    for (unsigned k = 0; k < region_count; k++) {
        if (strcmp(regions[k].name, "guards") || regions[k].expect(8) == EXPECT_PATTERN)
            continue;
        guard = image_record(image, IMAGE_REC_GUARDS, 0, &size);
        bool found = false;
        for (uint32_t i = 0; guard && i < size / sizeof *guard; i++)
            found |= guard[i].start == (uint64_t)regions[k].at + 8 * PAGE && guard[i].end == (uint64_t)regions[k].at + 16 * PAGE;
        if (!found)
            complain("guard pages are not recorded");
    }
    if (image->header.generation != 7 || image->header.entry != (uint64_t)checkpoint_thread || image->process->pid != 4711 ||
        strcmp(image_string(image, image->process->program_name), "write_image"))
        complain("the header or the process record is wrong");
}

/* An image of another run: only that it can be read, whole. */
static int read_back(void)
{
    void *work = aligned_alloc(64, IMAGE_LOAD_MEMORY), *buffer = malloc(IMAGE_MAX_CHUNK);
    char reason[IMAGE_PROBLEM_MAX];
    struct image image;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || image_open(fd, &image, reason))
        errx(1, "%s %s", path, fd < 0 ? strerror(errno) : reason);
    for (size_t i = 0; i < image.chunk_count; i++) {
        struct iovec target = {buffer, image.chunks[i].raw_size};
        if (image_load_chunk(&image, fd, &image.chunks[i], &target, 1, work, reason))
            errx(1, "%s %s", path, reason);
    }
    image_close(&image);
    return 0;
}

static void verify(const char *maps)
{
    struct image image;
    char reason[IMAGE_PROBLEM_MAX];
    int fd = open(path, O_RDONLY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || image_open(fd, &image, reason))
        errx(1, "%s %s", path, fd < 0 ? strerror(errno) : reason);
    if ((st.st_mode & 07777) != 0600 || (uint64_t)st.st_size != result.file_bytes || image.header.memory_bytes != result.memory_bytes)
        complain("mode %o, %lu bytes, reported %lu", st.st_mode, (unsigned long)st.st_size, result.file_bytes);
    check_chunks(&image, fd);
    check_regions(&image);
    check_maps(&image, maps);
    check_records(&image);
    image_close(&image);
    close(fd);
}

static char *slurp(const char *name)
{
    size_t size = 1 << 20, used = 0;
    char *text = calloc(1, size);
    int fd = open(name, O_RDONLY);
    ssize_t n;

    while ((n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    close(fd);
    return text;
}

static bool value(const char *argument, const char *name, const char **text)
{
    size_t n = strlen(name);

    *text = argument + n + 1;
    return !strncmp(argument, name, n) && argument[n] == '=';
}

int main(int argc, char **argv)
{
    const char *text, *unknown;
    bool time_only = false;
    struct rlimit limit;

    if (argc < 3)
        errx(2, "usage: write_image IMAGE MEMORY [name=value…]");
    conf_init(&conf);
    conf.fsync = 0;
    if (argv[1][0] != '/' || strlen(argv[1]) >= sizeof path)
        errx(2, "%s: not an absolute path", argv[1]);
    strcpy(path, argv[1]);
    char *directory = strdup(path);
    *strrchr(directory, '/') = 0;
    for (int i = 3; i < argc; i++) {
        if (value(argv[i], "gzip", &text))
            conf.gzip = (uint32_t)atoi(text);
        else if (value(argv[i], "level", &text))
            conf.gzip_level = (uint32_t)atoi(text);
        else if (value(argv[i], "writers", &text))
            writers = (unsigned)atoi(text);
        else if (value(argv[i], "fsync", &text))
            conf.fsync = (uint32_t)atoi(text);
        else if (value(argv[i], "trace", &text))
            log_state.level = LOG_TRACE;
        else if (value(argv[i], "snapshot", &text))
            conf.snapshot = *text == 'n' ? CONF_SNAPSHOT_NEVER : text[1] == 'l' ? CONF_SNAPSHOT_ALWAYS : CONF_SNAPSHOT_AUTO;
        else if (value(argv[i], "disable", &text)) {
            if (!feature_parse(text, &conf.disabled, &unknown))
                errx(2, "%s?", unknown);
        } else if (value(argv[i], "fsize", &text)) {
            limit.rlim_cur = limit.rlim_max = strtoul(text, NULL, 10);
            setrlimit(RLIMIT_FSIZE, &limit);
        } else if (value(argv[i], "end", &text)) {
            kill_self = !strcmp(text, "kill");
            discard = !strcmp(text, "discard");
            time_only = !strcmp(text, "time");
        } else {
            errx(2, "%s?", argv[i]);
        }
    }
    if (!strcmp(argv[2], "read"))
        return read_back();
    memory_build(argv[2], directory);
    char *maps = slurp("/proc/self/maps");

    uint64_t mapped = writer_total_vm();
    start_thread();
    wait_for(&resumed);
    if (!time_only)
        memory_spoil();
    wait_for(&ended);
    if (writer_total_vm() != mapped + THREAD_MEMORY / PAGE + 1) /* and the table of scratch memory */
        complain("scratch memory is left: %lu pages more", (unsigned long)(writer_total_vm() - mapped));
    int status;
    if (waitpid(-1, &status, __WALL) != -1 || errno != ECHILD)
        complain("a child is left");
    if (discard)
        return access(path, F_OK) == 0 || complaints;
    if (result.error) {
        printf("%s\n", problem[0] ? problem : result.problem);
        return 3;
    }
    printf("pause %.2f ms, %.3f s in all, %lu bytes of memory, %lu of file, %.0f MB/s\n", (double)pause_ns / 1e6, (double)write_ns / 1e9,
           result.memory_bytes, result.file_bytes, (double)result.memory_bytes / ((double)write_ns / 1e3));
    if ((conf.snapshot == CONF_SNAPSHOT_NEVER || conf.disabled & FEATURE_SNAPSHOT) != (descriptor_seen < 0))
        complain("written by %s", descriptor_seen < 0 ? "the process itself" : "a copy");
    if (!time_only)
        verify(maps);
    return complaints != 0;
}
