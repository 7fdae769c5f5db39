/* What differs in paths after a restart: /proc/self/exe, where the kernel keeps it; and numbers: /proc/PID and /proc/PID/task/TID, and /dev/pts/N, as the program knows them, for calls that take a path. Absolute paths only: one
 * relative to a directory in /proc stands as it is. */
#ifndef PROC_PATH_H
#define PROC_PATH_H

#include <sys/types.h>

#include "library.h"
#include "ptys.h"
#include "vpid.h"

/* A longer path below /proc leads elsewhere (/proc/PID/root/…) and stands as it is. */
#define PROC_PATH_MAX 512

struct proc_path {
    char text[PROC_PATH_MAX];
};

const char *proc_path_translate(const char *path, struct proc_path *room) __attribute__((visibility("hidden")));

/* The path for the kernel: itself, or a translated one in *room. */
static inline const char *proc_path(const char *path, struct proc_path *room)
{
    return __builtin_expect(vpid_active | ptys_differ | lib.executable_differs, 0) ? proc_path_translate(path, room) : path;
}

/* readlink(2) of /proc/self and /proc/thread-self tells numbers, of /proc/self/exe the executable. Takes and gives its result. */
ssize_t proc_link(const char *path, char *target, size_t size, ssize_t result) __attribute__((visibility("hidden")));

#endif
