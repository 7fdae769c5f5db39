/* Following the program when it makes processes: what the wrappers of fork, exec and spawn share. In the program's threads; all of it also right in
 * a child of vfork, which runs in its parent's memory until it calls exec. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>

#include "ptable.h"
#include "sys.h"

/* Is this process under control, and not a vfork child or a child that nobody follows? */
bool follow_active(void);
/* Is its memory that of a process under control? Also in a child of vfork or of a system call that we do not see. */
bool follow_possible(void);

/* A section in which this thread makes a process. In FOLLOW_BEFORE it may be stopped only where it waits for a lock of libc (whose holder may be
 * stopped already); in FOLLOW_AFTER not at all: the process exists, and its entry must say so. By thread number, not in thread-local storage,
 * which a thread that libc does not know need not have. */
enum follow_section {
    FOLLOW_NONE = 0,
    FOLLOW_BEFORE = 1,
    FOLLOW_AFTER = 2,
    FOLLOW_EXEC = 3, /* calls exec, with our signal blocked, which must stay so: a new program that has no handler yet would die of it */
};
void follow_section(enum follow_section section);
/* BEFORE becomes AFTER; nothing outside of a section. */
void follow_section_made(void);
enum follow_section follow_section_of(int tid);

/* The sections, for who looks at the process from outside (unblock.c). */
#define FOLLOW_SECTIONS 128
struct follow_record {
    uint64_t program; /* which program has this record: another one in this process has another number here, or 0, or nothing */
    struct {
        int32_t tid; /* 0: free */
        uint32_t section;
    } section[FOLLOW_SECTIONS]; /* as many threads may make processes at once; one more is simply not protected */
};
extern struct follow_record follow_record;
/* A restart, before and after threads get new numbers: the sections go with them. */
void follow_restarting(void);
void follow_restarted(void);

/* In the child of a fork: a process of its own from here on, with a checkpoint thread that joins in the background. */
void follow_forked(void);
/* This process has no checkpoint thread, because of `error` (-errno): it runs on without us. */
void follow_without_thread(long error);

/* Environment with which a program comes under control: room for follow_environment_size(env) bytes at `room`, 8-aligned. */
size_t follow_environment_size(char *const *environment);
char **follow_environment(char *const *environment, void *room);

/* Why a program can't be followed; 0: it can, or does not exist: exec will say so. */
enum ptable_reason follow_refusal(const char *path);

/* Around an exec. begin: path NULL means that what is executed is not known. Returns what end wants, should the exec fail. */
struct follow_exec {
    int entry;
    int made; /* the entry is new: a vfork child's */
    sys_sigset mask;
    bool followed, leaves;
};
void follow_exec_begin(struct follow_exec *exec, const char *path);
void follow_exec_failed(const struct follow_exec *exec);

/* Makes the strings that bring a new program under control, when the computation's name is known or has changed. Checkpoint thread. */
void follow_prepare(void);
/* The constructor: which library this is, and what is left of LD_PRELOAD. */
void follow_init(const char *library);

#endif
