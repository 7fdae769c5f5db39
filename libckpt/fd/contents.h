/* --ckpt-open-files: the contents of open files that have a name are saved beside the image, in "ckpt_…_files/", and come back where the file is
 * missing, or differs and may be overwritten.
 *
 * Each checkpoint has a subdirectory of its own there, whose name the image knows; so the image's rename commits the files with it, in a roll
 * forward by others too, and until then those of the previous image are untouched. Those that no image names any more are removed by the next
 * commit. Checkpoint thread. */
#ifndef FD_CONTENTS_H
#define FD_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>

struct description;

/* Before DRAIN: where the image will be. */
void contents_begin(const char *image, unsigned generation);
/* DRAIN, for a description of a file: saves the contents, if wanted and not another process's task. */
long contents_save(const struct description *d, char *problem, size_t size);
/* The image has its name. */
void contents_commit(void);
/* The checkpoint has failed. */
void contents_drop(void);
/* Restart, in the executor, before the file is opened at `path`. */
long contents_restore(const struct description *d, const char *path, char *problem, size_t size);

#endif
