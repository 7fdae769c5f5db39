/* Descriptors of the program: one table row per kind of open file description, both halves side by side.
 *
 * The checkpoint thread looks at the program's table through /proc/self/task/T/fd and has nothing of it in its own; what needs the
 * descriptor itself is done by the executor thread (park_call). Everything recorded is in the arena. A descriptor is a number and its
 * close-on-exec flag; a description is what dup(2) shares: kind, flags, offset, and what the kind adds. */
#ifndef FD_H
#define FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct fd_kind;

struct description {
    struct description *next;
    const struct fd_kind *kind;
    const char *link; /* what /proc/self/fd/N points to, without " (deleted)" */
    bool deleted;
    struct stat st;
    uint32_t flags; /* F_GETFL, without O_CLOEXEC */
    uint64_t position;
    int first; /* lowest descriptor */
    unsigned standard; /* bit n: descriptor n (0 to 2) is one of its descriptors */
    const char *info; /* text of fdinfo; valid until fd_save has ended */
    int restored; /* restart, executor: the descriptor under which restore made it, before it is put in its places */
    void *own; /* the kind's */
};

struct descriptor {
    int fd;
    bool close_on_exec;
    struct description *description;
};

struct fd_kind {
    const char *name;
    /* Is this description of this kind? Kinds are asked in the order of the table. */
    bool (*claim)(const struct description *description);
    /* SUSPEND, nothing has been changed yet: can it be restored? On an error, problem says what to do. NULL: yes. */
    long (*check)(const struct description *description, char *problem, size_t size);
    /* DRAIN: record. NULL: flags and position are all there is. */
    long (*save)(struct description *description, char *problem, size_t size);
    /* Restart, in the executor: makes the description, returns a descriptor (anywhere at or above `low`), or -errno with problem. */
    long (*restore)(struct description *description, int low, char *problem, size_t size);
    /* Restart, in the executor, when all descriptors have their numbers. NULL: nothing. */
    long (*connect)(struct description *description, char *problem, size_t size);
};

/* SUSPEND: finds and claims all descriptors, refuses what can't be restored. */
long fd_survey(char *problem, size_t size);
/* DRAIN. */
long fd_save(char *problem, size_t size);
/* REFILL: after a checkpoint or a restart. */
long fd_refill(bool restarted);
/* RESTORE: all descriptors get their old numbers in the program's table; everything else in it is closed. */
long fd_restore(char *problem, size_t size);

/* A line a descriptor, for the image's records; arena. */
const char *fd_description(void);

/* Closes everything from a number on, in the calling thread's table. */
void fd_close_from(int first);

/* --- for the kinds --- */

/* /proc/self/task/T/fdinfo/N */
void fd_info_path(char *path, size_t size, int fd);
/* First description of the list. */
struct description *fd_descriptions(void);
/* The standard descriptor of dmtcp_restart that takes the place of an inherited stream: a duplicate, at or above low. */
long fd_inherited(const struct description *description, int low);
/* Puts a new descriptor at or above low and closes the original; passes errors on. */
long fd_lift(long fd, int low);

extern const struct fd_kind fd_file, fd_directory, fd_device, fd_standard, fd_terminal, fd_pipe, fd_epoll, fd_eventfd, fd_proc_file, fd_socket_pair;

#endif
