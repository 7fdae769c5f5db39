/* What the coordinator tells people: log lines "time pid phase dmtcp_coordinator: text", one write each, on standard error or in the log
 * file; and its own failures at the start, "dmtcp_coordinator: text". */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

/* path NULL: standard error. quiet 1: no notes, 2: no warnings either; a log file gets them all. 0 or errno. */
int report_open(const char *path, int quiet);

/* The descriptor of the log file, -1 if none. */
int report_log_fd(void);

/* Once in the background there is nobody left to read what is not in a log file. */
void report_detach(void);

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line on standard error (and in the log file), then exit with DMTCP_FAIL_RC, default 99. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
