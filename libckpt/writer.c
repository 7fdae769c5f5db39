/* The first snapshot child, from the clone to the complete image.
 *
 *   while the program stands still:  give up what is not ours, list the mappings, find what the copy lacks, copy that;
 *   then, with the program running:  flags, pages, jobs, the file, siblings, chunks, sections, header, flush.
 *
 * It dies with the checkpoint thread: PR_SET_PDEATHSIG's signal finds the file and removes it. The signal is one that nobody sends to
 * process groups, and its handler looks where it comes from, so that a stray one does nothing. (The thread also ends when the program execs:
 * then getppid still answers, but nobody is left to take the image.) All others stay blocked as they were in the checkpoint thread. */
#include "writer.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "feature.h"
#include "fmt.h"
#include "log.h"
#include "pkey.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "writer"
#define DEATH_SIGNAL 62

/* Set by the checkpoint thread before the clone: a signal handler has no other way to it. Stale after a restart, and not used there. */
struct snapshot *writer_snapshot;

static void parent_died(int signal, siginfo_t *info, void *context)
{
    struct snapshot *snapshot = writer_snapshot;

    if (info->si_pid != snapshot->parent && sys_getppid() == snapshot->parent)
        return;
    if (snapshot->created && !__atomic_load_n(&snapshot->keep, __ATOMIC_ACQUIRE))
        sys_unlink(snapshot->temp_path);
    sys_exit_group(1);
}

/* The file is complete, but nobody knows it yet: should the program die now, the file must go. Ends when the parent has taken it over, or
 * has died. */
static void hand_over(const struct engine *engine)
{
    struct snapshot *snapshot = engine->snapshot;
    char byte = 0;

    sys_write(engine->child_socket, &byte, 1);
    while (sys_read(engine->child_socket, &byte, 1) == -EINTR)
        ;
    if (!__atomic_load_n(&snapshot->keep, __ATOMIC_ACQUIRE))
        sys_unlink(snapshot->temp_path);
}

/* Seen by people who list processes; the exit signal 0 hides it from the program. */
static void take_name(void)
{
    sys_prctl(PR_SET_NAME, (unsigned long)"dmtcp_writer", 0, 0, 0);
}

static void die_with_parent(const struct snapshot *snapshot)
{
    const struct sys_sigaction action = {.handler = parent_died, .flags = 0x04000000 /* SA_RESTORER */ | SA_SIGINFO, .restorer = writer_restorer,
                                         .mask = ~0ull};
    const sys_sigset set = SYS_SIGBIT(DEATH_SIGNAL);

    sys_sigaction(DEATH_SIGNAL, &action, NULL);
    sys_sigprocmask(SIG_UNBLOCK, &set, NULL);
    sys_prctl(PR_SET_PDEATHSIG, DEATH_SIGNAL, 0, 0, 0);
    if (sys_getppid() != snapshot->parent)
        sys_exit_group(1);
}

/* --- descriptors --- */

static void close_one_by_one(const int *keep, unsigned count)
{
    struct rlimit limit = {.rlim_cur = 65536};

    syscall6(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
    for (int fd = 0, end = limit.rlim_cur < 1048576 ? (int)limit.rlim_cur : 1048576; fd < end; fd++) {
        bool kept = false;
        for (unsigned i = 0; i < count; i++)
            kept |= keep[i] == fd;
        if (!kept)
            sys_close(fd);
    }
}

/* The checkpoint thread's table is small and has nothing of the program in it; but the coordinator must see its connection end
 * when the program does. */
static void close_others(const struct engine *engine)
{
    int keep[] = {engine->child_socket, engine->maps, engine->smaps, engine->pagemap, log_state.fd >= 0 ? log_state.fd : 2};
    unsigned count = sizeof keep / sizeof *keep, from = 0;

    for (unsigned i = 1; i < count; i++)
        for (unsigned k = i; k && keep[k - 1] > keep[k]; k--) {
            int swap = keep[k];
            keep[k] = keep[k - 1];
            keep[k - 1] = swap;
        }
    if (engine->request->conf->disabled & FEATURE_CLOSE_RANGE || sys_close_range((unsigned)keep[count - 1] + 1, ~0u, 0) < 0) {
        close_one_by_one(keep, count);
        return;
    }
    for (unsigned i = 0; i < count; from = (unsigned)keep[i++] + 1)
        if ((unsigned)keep[i] > from)
            sys_close_range(from, (unsigned)keep[i] - 1, 0);
}

/* --- while the program stands still --- */

static bool any_segment(const struct plan *plan, uint32_t kind, uint32_t flags)
{
    for (size_t i = 0; i < plan_segment_count(plan); i++)
        if (plan_segment(plan, i)->image.kind == kind || plan_segment(plan, i)->flags & flags)
            return true;
    return false;
}

static long mark_absent(struct plan *plan)
{
    long fd = sys_open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return snapshot_fail(plan->snapshot, fd, "open /proc/self/maps: %e", (int)fd);
    long error = plan_mark_absent(plan, (int)fd);
    sys_close((int)fd);
    return error;
}

/* What the frozen copy lacks. *smaps_read: the program's own flags had to be read now. */
static long compare(struct engine *engine, const struct pages *own, uint64_t total_vm, bool *smaps_read)
{
    struct plan *plan = &engine->plan;
    long error = 0;

    if (total_vm != engine->program_total_vm && (error = mark_absent(plan)))
        return error;
    if (own->scan && (error = plan_mark_wiped(plan, own, &engine->parent_pages)))
        return error;
    if (own->scan && !engine->program_locked && !any_segment(plan, 0, SEGMENT_ABSENT) &&
        !(any_segment(plan, IMAGE_SHARED, 0) && plan_swap_in_use()))
        return 0;
    *smaps_read = true;
    if ((error = plan_read_smaps(plan, engine->smaps)))
        return error;
    for (size_t i = 0; i < plan_segment_count(plan); i++)
        if (plan_segment(plan, i)->image.vm_flags & IMAGE_VM_WIPEONFORK)
            plan_segment(plan, i)->flags |= SEGMENT_WIPED;
    return 0;
}

uint64_t writer_total_vm(void)
{
    char text[128];
    const char *at = text;
    uint64_t pages = 0;
    long fd = sys_open("/proc/thread-self/statm", O_RDONLY | O_CLOEXEC, 0), n;

    if (fd < 0)
        return 0;
    n = sys_read((int)fd, text, sizeof text - 1);
    sys_close((int)fd);
    text[n > 0 ? n : 0] = 0;
    return str_number(&at, 10, &pages) ? pages : 0;
}

/* --- with the program running --- */

static void set_limits(bool in_place, struct rlimit *file_size)
{
    struct rlimit limit, core = {0, 0};

    *file_size = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    if (syscall6(__NR_prlimit64, 0, RLIMIT_FSIZE, 0, (long)file_size, 0, 0) == 0) {
        limit = (struct rlimit){file_size->rlim_max, file_size->rlim_max};
        syscall6(__NR_prlimit64, 0, RLIMIT_FSIZE, (long)&limit, 0, 0, 0);
    }
    if (in_place)
        return;
    syscall6(__NR_prlimit64, 0, RLIMIT_CORE, (long)&core, 0, 0, 0);
    /* Should memory run out, rather the checkpoint than the program. */
    long fd = sys_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        sys_write((int)fd, "1000", 4);
        sys_close((int)fd);
    }
}

static long open_file(struct engine *engine)
{
    struct snapshot *snapshot = engine->snapshot;
    struct stat st;

    snapshot->created = 1; /* before it is: the parent may die any time */
    long fd = fd_above_standard(
        sys_open(snapshot->temp_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (fd >= 0 && (sys_fstat((int)fd, &st) || !S_ISREG(st.st_mode))) {
        sys_close((int)fd);
        fd = -EEXIST;
    }
    if (fd < 0) {
        snapshot->created = 0;
        return snapshot_file_fail(snapshot, fd, "create");
    }
    engine->file = (int)fd;
    syscall3(__NR_fchmod, fd, 0600, 0); /* whatever the program's umask, or an older file's mode */
    return 0;
}

static long no_memory(const struct engine *engine)
{
    return snapshot_fail(engine->snapshot, -ENOMEM, "no memory for the writers of the image: %e", -ENOMEM);
}

static long make_jobs(struct engine *engine)
{
    const struct run *runs = engine->plan.runs.memory;
    uint64_t count = (engine->plan.pages + engine->chunk_pages - 1) / engine->chunk_pages, run = 0, page = 0;
    struct job *jobs;

    engine->snapshot->total = engine->plan.pages * PAGE_SIZE;
    if (!count)
        return 0;
    if (!(jobs = scratch_map(count * sizeof *jobs, false)) ||
        !(engine->chunks = scratch_map(count * sizeof *engine->chunks, false)) ||
        !(engine->runs = scratch_map(engine->plan.pages * sizeof *engine->runs, false)))
        return no_memory(engine);
    for (uint64_t i = 0; i < count; i++) {
        jobs[i] = (struct job){page, run};
        for (uint64_t left = engine->chunk_pages; left && i + 1 < count;) {
            uint64_t step = runs[run].pages - page < left ? runs[run].pages - page : left;
            left -= step;
            page += step;
            if (page == runs[run].pages) {
                run++;
                page = 0;
            }
        }
    }
    engine->jobs = jobs;
    engine->job_count = count;
    return 0;
}

static void sibling_run(void *argument)
{
    struct writer *writer = argument;

    sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (sys_getppid() != writer->engine->first_pid)
        sys_exit_group(1);
    sys_exit_group(writer_work(writer) ? 1 : 0);
}

bool engine_supervise(struct engine *engine, bool block)
{
    int status;

    while (engine->siblings && sys_getpid() == engine->first_pid) {
        long pid = sys_wait4(-1, &status, __WALL | (block ? 0 : WNOHANG), NULL);

        if (pid == -EINTR)
            continue;
        if (pid <= 0)
            break;
        engine->siblings--;
        if (status && !snapshot_failed(engine->snapshot))
            snapshot_fail(engine->snapshot, -EIO, "a writer of the image was killed by signal %d%s", status & 127,
                          (status & 127) == SIGKILL ? "; was memory short?" : "");
    }
    return snapshot_failed(engine->snapshot);
}

/* One task more per writer, this one included; if they can't be had, fewer do the same work. */
static long write_chunks(struct engine *engine)
{
    unsigned count = engine->in_place ? 1 : engine->request->writers;
    size_t size = writer_memory(engine);
    struct writer *own = NULL;

    count = count < WRITERS_MAX ? count : WRITERS_MAX;
    count = count < engine->job_count ? count : (unsigned)engine->job_count;
    count = count ? count : 1;
    engine->first_pid = sys_getpid();
    for (unsigned i = 0; i < count; i++) {
        struct writer *writer = scratch_map(size, false);

        if (!writer && !own)
            return no_memory(engine);
        if (!writer)
            break;
        writer_place(writer, engine, writer);
        if (!own) {
            own = writer;
            continue;
        }
        engine->siblings++;
        if (writer_clone(CLONE_VM | CLONE_FS | CLONE_FILES, (char *)writer->stack + WRITER_STACK, sibling_run, writer) < 0) {
            engine->siblings--;
            break;
        }
    }
    log_trace("%lu chunks at most, %u writers", engine->job_count, engine->siblings + 1);
    engine->snapshot->writers_started = engine->siblings + 1;
    long error = writer_work(own);
    engine_supervise(engine, true);
    scratch_unmap(own, size);
    return error ? error : snapshot_failed(engine->snapshot) ? -EIO : 0;
}

static long write_image(struct engine *engine, const struct pages *own, bool smaps_read)
{
    struct scratch_array records = {0};
    long error, smaps = -1;

    if (!smaps_read) {
        if ((smaps = sys_open("/proc/thread-self/smaps", O_RDONLY | O_CLOEXEC, 0)) < 0)
            return snapshot_fail(engine->snapshot, smaps, "open /proc/self/smaps: %e", (int)smaps);
        error = plan_read_smaps(&engine->plan, (int)smaps);
        sys_close((int)smaps);
        if (error)
            return error;
    }
    engine->raw_end = IMAGE_PAGE;
    engine->file_end = image_file_start(engine->request->conf->gzip);
    if ((error = open_file(engine)) || (error = plan_find_pages(&engine->plan, own)) || (error = make_jobs(engine)) ||
        (error = write_chunks(engine)) || (error = records_build(engine, &records)) || (error = engine_finish(engine, &records)))
        return error;
    scratch_free(&records);
    return 0;
}

static void give_back(struct engine *engine)
{
    if (engine->jobs)
        scratch_unmap((void *)(uintptr_t)engine->jobs, engine->job_count * sizeof *engine->jobs);
    if (engine->chunks)
        scratch_unmap(engine->chunks, engine->job_count * sizeof *engine->chunks);
    if (engine->runs)
        scratch_unmap(engine->runs, engine->plan.pages * sizeof *engine->runs);
    plan_free(&engine->plan);
}

static long prepare_and_write(struct engine *engine)
{
    struct plan *plan = &engine->plan;
    struct pages own = engine->parent_pages;
    uint64_t total_vm = engine->in_place ? 0 : writer_total_vm(); /* before anything is mapped */
    bool smaps_read = false;
    long error;

    plan->snapshot = engine->snapshot;
    plan->objects = engine->request->objects;
    plan->saved_elsewhere = engine->request->saved_elsewhere;
    plan->live = engine->in_place;
    if (!engine->in_place) {
        long pagemap = sys_open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC, 0);
        if (pagemap < 0)
            return snapshot_fail(engine->snapshot, pagemap, "open /proc/self/pagemap: %e", (int)pagemap);
        own.pagemap = (int)pagemap;
    }
    if ((error = plan_read_maps(plan, engine->maps)))
        return error;
    if (engine->in_place) {
        smaps_read = true;
        error = plan_read_smaps(plan, engine->smaps);
    } else {
        error = compare(engine, &own, total_vm, &smaps_read);
    }
    if (error || (error = plan_save_shared(plan, &engine->parent_pages, engine->in_place)) ||
        (error = engine->in_place ? 0 : plan_save_private(plan, &engine->parent_pages, engine->child_socket)))
        return error;
    return write_image(engine, &own, smaps_read);
}

void engine_run(void *argument)
{
    struct engine *engine = argument;
    struct snapshot *snapshot = engine->snapshot;
    struct rlimit file_size;
    uint64_t pkru = pkey_open_all();

    if (!engine->in_place) {
        scratch_freeze();
        close_others(engine);
        die_with_parent(snapshot);
        take_name();
    }
    engine->file = -1;
    engine->memory = (int)fd_above_standard(sys_open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC, 0));
    set_limits(engine->in_place, &file_size);
    long error = prepare_and_write(engine);
    if (error && snapshot->created) {
        sys_unlink(snapshot->temp_path);
        snapshot->created = 0;
    }
    log_trace("image %s: %lu bytes of memory, %lu of file", error ? "failed" : "complete", snapshot->result.memory_bytes,
              snapshot->result.file_bytes);
    if (!error)
        __atomic_store_n(&snapshot->complete, 1, __ATOMIC_RELEASE);
    if (!engine->in_place) {
        if (!error)
            hand_over(engine);
        sys_exit_group(error ? 1 : 0);
    }
    if (engine->file >= 0)
        sys_close(engine->file);
    if (engine->memory >= 0)
        sys_close(engine->memory);
    syscall6(__NR_prlimit64, 0, RLIMIT_FSIZE, (long)&file_size, 0, 0, 0);
    plan_restore_protection(&engine->plan);
    give_back(engine);
    pkey_restore(pkru);
}
