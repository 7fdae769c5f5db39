/* Messages of the commands: one line on standard error, "name: text", and the exit codes of the manual.
 *
 * The tool's own failure is told from the program's by DMTCP_FAIL_RC (default 99): die() exits with that number plus one of enum fail. */
#ifndef DIE_H
#define DIE_H

enum fail {
    FAIL_TOOL = 0,        /* bad usage or input; nothing was started */
    FAIL_COORDINATOR = 1, /* the coordinator can't be reached or started */
    FAIL_RESTART = 2,     /* a restart failed after processes had been made; they are gone again */
};

/* Before everything else: takes the command's name from argv[0] and DMTCP_FAIL_RC from the environment. */
void die_init(const char *argv0);

/* The name that messages start with. */
const char *die_name(void);

/* DMTCP_FAIL_RC, 0 to 253. */
int fail_rc(void);

_Noreturn void die(enum fail which, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Shown from level LOG_WARN and LOG_NOTE of base/log.h upwards. */
extern int tell_level;
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
