/* The course of a restart in the loader (handoff.h says what came before and what comes after). */
#include "conf.h"
#include "feature.h"
#include "fmt.h"
#include "loader.h"
#include "log.h"

struct loader loader;

/* Nothing is known yet, not even the exit code. */
static _Noreturn void refuse(const char *text)
{
    sys_write_all(2, text, strlen(text));
    sys_exit_group(99);
}

static void read_handoff(uint64_t *stack)
{
    uint64_t number, argc = stack[0];
    struct handoff *handoff = &loader.handoff;

    loader.argv = (char **)(stack + 1);
    loader.envp = loader.argv + argc + 1;
    if (argc < 2 || !str_to_number(loader.argv[1], 0, INT32_MAX, &number) ||
        sys_pread_all((int)number, handoff, sizeof *handoff, 0) || handoff->magic != HANDOFF_MAGIC)
        refuse("dmtcp_loader: is a part of dmtcp_restart and can't be run by itself\n");
    if (handoff->version != HANDOFF_VERSION || handoff->size != sizeof *handoff ||
        handoff->shared_count > HANDOFF_SHARED_MAX)
        refuse("dmtcp_loader: is of another version than dmtcp_restart\n");
    handoff->image_path[sizeof handoff->image_path - 1] = 0;
    handoff->conf[sizeof handoff->conf - 1] = 0;
    loader.handoff_fd = (int)number;
    if (argc > 2 && str_to_number(loader.argv[2], 0, 1000, &number)) /* vdso.c's exec_again */
        loader.attempt = (unsigned)number;
    if (argc > 3 && str_to_number(loader.argv[3], 0, INT32_MAX, &number))
        syscall3(__NR_personality, (long)number, 0, 0);
}

static void read_conf(void)
{
    static struct conf conf; /* too large for a stack */

    conf_init(&conf);
    conf_decode(&conf, loader.handoff.conf);
    loader.warnings = conf.log_level >= LOG_WARN;
}

static void pause_for_debugger(void)
{
    struct timespec left = {.tv_sec = loader.handoff.debug_pause};

    if (left.tv_sec)
        syscall3(__NR_nanosleep, (long)&left, (long)&left, 0);
}

static void check_entry(void)
{
    const struct image *image = &loader.image;
    size_t i = image_segment_at(image, image->header.entry);

    if (i == image->segment_count || !(image->segments[i].prot & PROT_EXEC))
        die("is damaged (restart entry)");
}

/* Second half: at the final place, on an empty stack. */
static void rebuild(void)
{
    struct handoff *handoff = &loader.handoff;

    tcb_use(&loader.tcb);
    unmap_the_rest();
    mm_brk();
    vdso_place();
    segments_survey();
    segments_map();
    load_contents();
    vdso_patch();
    segments_finish();
    mm_restore();

    if (handoff->personality != ~0ull)
        syscall3(__NR_personality, (long)handoff->personality, 0, 0);
    sys_close(loader.handoff_fd);
    handoff->loader_start = loader.self.start;
    handoff->loader_end = loader.self.end;
    handoff->scratch_start = loader.scratch.start;
    handoff->scratch_end = loader.scratch.end;
    handoff->vdso_start = loader.special_range.start;
    handoff->vdso_end = loader.special_range.end;
    jump_to_image(loader.image.header.entry, handoff);
}

void loader_main(uint64_t *stack)
{
    const sys_sigset all = ~0ull;

    sys_sigprocmask(SIG_SETMASK, &all, NULL);
    tcb_use(&loader.tcb);
    read_handoff(stack);
    read_conf();
    if (!loader.attempt)
        pause_for_debugger();
    if (image_open(loader.handoff.image_fd, &loader.image, loader.problem))
        die("%s", loader.problem);
    check_entry();
    maps_survey();
    vdso_park();
    relocate_self(rebuild);
}
