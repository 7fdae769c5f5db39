/* The images of a restart: found, read and checked to be one complete set, before a single process is made. Whatever is wrong ends the
 * command with one line that names the image. Hosted.
 *
 * Rolling forward: at COMMIT every process renames its complete <image>.temp, so a host that went down in the middle leaves some images of
 * the new checkpoint under their final names and others under their temporary ones. Renaming begins only when all are complete; so if one
 * has its final name, the others count as well. */
#ifndef IMAGE_SET_H
#define IMAGE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "image_read.h"

struct set_image {
    char *path;     /* final name */
    bool temporary; /* it is still at <path>.temp */
    int fd;         /* close-on-exec */
    struct image image;
};

struct image_set {
    struct set_image *images; /* in the order given */
    size_t count;
    struct upid computation;
    unsigned generation;
};

/* paths and, if not NULL, what lies below restart_dir. strict: images must be the caller's own, and of a processor no better than this one.
 * others_join: images may be missing here, because dmtcp_restart on other hosts brings them to the same coordinator. */
void image_set_load(struct image_set *set, char **paths, int count, const char *restart_dir, bool strict, bool others_join);

/* Finishes the renames of a checkpoint that was interrupted in COMMIT. */
void image_set_roll_forward(struct image_set *set);

#endif
