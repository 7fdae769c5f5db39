/* The constructor: before main, in the program's first thread. Takes the configuration out of the environment, starts the checkpoint thread, and
 * waits until the process has joined its computation, so that nothing of the program runs outside it. */
#include <gnu/libc-version.h>

#include "ckpt_signal.h"
#include "fmt.h"
#include "follow.h"
#include "library.h"
#include "log.h"
#include "msg.h"
#include "processes.h"
#include "ptys.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "threads.h"
#include "wrap.h"

#define LOG_MODULE "init"

extern char **environ;

static char **find_variable(const char *name)
{
    for (char **entry = environ; entry && *entry; entry++) {
        const char *value = str_after(*entry, name);
        if (value && *value == '=')
            return entry;
    }
    return NULL;
}

static const char *variable(const char *name)
{
    char **entry = find_variable(name);

    return entry ? str_find(*entry, '=') + 1 : NULL;
}

static void remove_entry(char **entry)
{
    if (entry)
        do
            entry[0] = entry[1];
        while (*entry++);
}

/* The environment is again what the user gave to dmtcp_launch. (Our strings stay in the memory that /proc/PID/environ shows.) */
static void clean_environment(void)
{
    static char library[4096], preload[32768];
    char **entry = find_variable("LD_PRELOAD");

    if (entry) { /* ours is the first: dmtcp_launch, follow_environment */
        const char *value = str_find(*entry, '=') + 1, *rest = str_find(value, ':');
        fmt(library, sizeof library, "%.*s", rest ? (int)(rest - value) : (int)strlen(value), value);
        if (rest || (lib.conf.had_preload && !lib.conf.computation[0])) { /* the user's may be empty, and yet be there */
            fmt(preload, sizeof preload, "LD_PRELOAD=%s", rest ? rest + 1 : "");
            *entry = preload;
        } else {
            remove_entry(entry);
        }
    }
    follow_init(library);
    remove_entry(find_variable(CONF_VARIABLE));
}

static _Noreturn void fail(const char *problem)
{
    const char *text = variable("DMTCP_FAIL_RC");
    uint64_t rc = 99;
    char line[512];

    if (text)
        str_to_number(text, 1, 253, &rc);
    size_t n = fmt(line, sizeof line, "dmtcp_launch: %s: %s\n", lib.program, problem);
    sys_write(2, line, n);
    sys_exit_group((int)rc + 1);
}

/* A number by which programs know another process: whoever spawned us sees the same, ends this process and spawns another (spawn.c). If it does not,
 * it knows nothing of us. */
static void await_unspawned(void)
{
    for (int left = 5000; left && processes_clash(lib.real_pid); left--) {
        struct timespec wait = {.tv_nsec = 1000000};
        sys_nanosleep(&wait);
    }
}

static void name_process(void)
{
    char path[4096];
    long n = sys_readlink("/proc/self/exe", path, sizeof path - 1);

    path[n > 0 ? n : 0] = 0;
    str_copy(lib.program, sizeof lib.program, str_base(path));
    if (n > 0 && syscall3(__NR_access, (long)path, F_OK, 0) == 0)
        str_copy(lib.executable, sizeof lib.executable, path);
    fmt(lib.libc_name, sizeof lib.libc_name, "glibc %s", gnu_get_libc_version());
    lib.pid = lib.real_pid = sys_getpid();
    lib.process.host = lib.conf.host_id;
    lib.process.time = sys_now_ns(CLOCK_REALTIME) / 1000000000u;
    lib.launched = !lib.conf.computation[0];
    if (!lib.launched && upid_from_text(&lib.computation, lib.conf.computation) == 0 && processes_open() == 0) {
        /* By exec from a process of the computation: the number by which others know this one stays. */
        ptys_settle();
        int virtual = processes_virtual_own(lib.real_pid);
        if (virtual)
            lib.pid = virtual;
        else
            await_unspawned();
    }
    lib.process.pid = (uint32_t)lib.pid;
}

/* By path: the descriptor belongs to the checkpoint thread's table, where nothing of the program is. */
static void start_log(void)
{
    log_state.level = (int)lib.conf.log_level;
    log_state.fd = LOG_PROGRAM_STDERR;
    str_copy(log_state.file, sizeof log_state.file, lib.conf.log_file);
}

/* What the checkpoint thread of the program before this one sent to the thread that was in exec: pending signals outlive that, and it means nothing
 * any more. Others are the application's. */
static void forget_signals(void)
{
    static const struct timespec now;
    sys_sigset ours = SYS_SIGBIT(ckpt_signal);
    siginfo_t info;

    if (lib.launched)
        return;
    while (sys_sigtimedwait(&ours, &info, &now) == ckpt_signal)
        if (info.si_code != SI_QUEUE || info.si_pid != sys_getpid()) {
            sys_tgsigqueueinfo(sys_getpid(), sys_gettid(), ckpt_signal, &info);
            break;
        }
}

__attribute__((constructor)) static void start(void)
{
    const char *text = variable(CONF_VARIABLE);

    wrap_resolve();
    if (!text)
        return; /* preloaded by somebody else than dmtcp_launch: stay out of the way */
    conf_init(&lib.conf);
    if (!conf_decode(&lib.conf, text))
        fail("the settings from dmtcp_launch can't be read; do its version and libckpt.so's differ?");
    clean_environment();
    name_process();
    start_log();
    threads_init();
    ckpt_signal = (int)lib.conf.ckpt_signal;
    forget_signals();
    long error = suspend_install();
    sys_sigset signal = SYS_SIGBIT(lib.conf.ckpt_signal); /* may be blocked by whoever started us */
    sys_sigprocmask(SIG_UNBLOCK, &signal, NULL);
    if (!error)
        error = library_start_thread();
    if (error < 0 && !lib.launched) {
        follow_without_thread(error);
        return;
    }
    if (error < 0) {
        fmt(lib.problem, sizeof lib.problem, "the checkpoint thread can't be started: %e", (int)error);
        fail(lib.problem);
    }
    while (!__atomic_load_n(&lib.ready, __ATOMIC_ACQUIRE))
        sys_futex_wait(&lib.ready, 0, NULL);
    if (lib.ready == 2)
        fail(lib.problem);
}
