/* Processes of this host by pid, without ending a stranger that has got the number meanwhile. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* When it started, in clock ticks since boot (proc_pid_stat(5), field 22); 0: there is no such process, or it can't be seen. */
uint64_t process_start_time(uint32_t pid);

/* Any signal, with the same care as process_kill. */
bool process_signal(uint32_t pid, uint64_t start_time, int signal);

/* Is there such a process, and not only as a zombie? */
bool process_lives(uint32_t pid);

/* Stopped by a signal or a tracer. */
bool process_is_stopped(uint32_t pid, uint64_t start_time);
/* Not by a tracer. */
bool process_is_job_stopped(uint32_t pid, uint64_t start_time);

/* SIGKILL, if it still is the process that started then; the kernel lets only those of the same user be killed. */
bool process_kill(uint32_t pid, uint64_t start_time);

#endif
