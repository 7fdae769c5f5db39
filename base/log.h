/* Log and messages of free code: one line, one write, safe in a handler: "time pid phase module: text" at trace level, else
 * "dmtcp module: text". */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_NOTE = 2, LOG_TRACE = 3 };

/* In place of a descriptor: the program's standard error, found by /proc, since libckpt's checkpoint thread has none of the program's
 * descriptors, and keeping one would keep a pipe open that the program has closed. */
#define LOG_PROGRAM_STDERR (-2)

struct log {
    int level; /* lines above it are dropped */
    int fd; /* where to, or LOG_PROGRAM_STDERR; -1: descriptor 2 */
    unsigned phase; /* enum phase, stands in each line */
    char file[4096]; /* if not empty: opened for each line instead, in append mode */
};
extern struct log log_state __attribute__((visibility("hidden")));

void log_line(int level, const char *module, const char *format, ...) __attribute__((nonnull(2, 3), visibility("hidden")));

#define log_error(...) log_line(LOG_ERROR, LOG_MODULE, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, LOG_MODULE, __VA_ARGS__)
#define log_note(...) log_line(LOG_NOTE, LOG_MODULE, __VA_ARGS__)
/* Costs one load and a branch when off. */
#define log_trace(...) (log_state.level >= LOG_TRACE ? log_line(LOG_TRACE, LOG_MODULE, __VA_ARGS__) : (void)0)

#endif
