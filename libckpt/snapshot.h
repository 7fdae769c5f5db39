/* A frozen copy of the process writes the image, while the program runs again (design D3).
 *
 * Called by the checkpoint thread only, which has a file table of its own (no descriptor of the program is in it). Between
 * snapshot_start and its return, all user threads are parked. Free code: no lock, no malloc, no libc. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "image.h"

#define SNAPSHOT_PROBLEM_MAX 512

struct fd_object;
struct sysv_object;

struct snapshot_request {
    const char *path; /* final name, absolute; the file is written as <path>.temp */
    const struct conf *conf; /* gzip, gzip_level, snapshot, fsync, disabled */
    struct upid process, computation;
    uint32_t generation, processes;
    uint32_t writers; /* parallel writers, at least 1 */
    uint64_t entry; /* restart entry for the header */
    const struct image_process *process_record; /* its *_name fields are ignored; names come from below */
    const char *host_name, *program_name;
    const uint32_t *tids; /* virtual, main thread first */
    uint32_t tid_count;
    const char *descriptors; /* text for IMAGE_REC_DESCRIPTORS, or NULL */
    const struct image_pty *ptys;
    uint32_t pty_count;
    const struct fd_object *objects; /* first of the list, or NULL */
    const struct sysv_object *sysv; /* the same */
    bool (*saved_elsewhere)(uint64_t inode); /* as in struct plan */
    const struct image_zombie *zombies;
    uint32_t zombie_count;
    const char *libc_name; /* "glibc 2.36", or NULL */
};

struct snapshot_result { /* final once snapshot_finished says so */
    int32_t error; /* 0 or -errno */
    uint64_t memory_bytes; /* page data stored */
    uint64_t file_bytes;
    char problem[SNAPSHOT_PROBLEM_MAX]; /* one line for people when error: "write /dir/ckpt_x.dmtcp.temp: No space left on device; …" */
};

struct snapshot; /* in scratch memory */

/* Makes the copy (or writes the whole image, where conf or the kernel say so) and returns once the program may run on. NULL: no copy and no
 * image, *problem (SNAPSHOT_PROBLEM_MAX) says why; nothing is left behind. The context that a restart continues from must have
 * been saved by the caller before. */
struct snapshot *snapshot_start(const struct snapshot_request *request, char *problem);

/* Descriptor that polls readable when the writers have ended; -1: they already have. */
int snapshot_descriptor(const struct snapshot *snapshot);

/* Bytes of memory dealt with so far, and in all; for progress. */
void snapshot_progress(const struct snapshot *snapshot, uint64_t *done, uint64_t *total);

/* Waits for the writers, if they still run, and reaps them; then the result is valid, and a complete temporary file the caller's: it outlives the
 * process. On an error it is gone, as it is when the process dies before this call. */
const struct snapshot_result *snapshot_finish(struct snapshot *snapshot);

/* Kills and reaps the writers if they still run, removes the temporary file unless it was renamed, gives everything back. */
void snapshot_discard(struct snapshot *snapshot);

/* As snapshot_discard, but the temporary file (complete) stays. */
void snapshot_release(struct snapshot *snapshot);

/* Flushes the directory that holds `path` (the final name), so that a rename in it survives a crash. 0 or -errno. */
long snapshot_sync_directory(const char *path);

#endif
