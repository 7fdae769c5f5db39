/* What descriptors hold that is memory or has no name, to be made anew at a restart: unlinked files, memfds, files of /dev/shm. fd/object.c makes the list in DRAIN; it is in the
 * arena. dmtcp_restart and the loader make those objects that other images or mappings share (handoff.h), the rest is made here. */
#ifndef OBJECT_LIST_H
#define OBJECT_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct fd_object {
    struct fd_object *next;
    uint64_t device, inode, size;
    uint32_t huge_page_size;
    int seals; /* F_GET_SEALS; -1: none */
    bool named; /* the path leads to it: a file below /dev/shm */
    bool saver; /* this process sees to the contents and attributes */
    const char *name; /* as maps shows it, without " (deleted)" */
    struct stat st;
    char path[64]; /* until REFILL: where anybody may open it */
    void *mapping; /* DRAIN to REFILL, and in the image: the whole contents, unless the program has it mapped; NULL */
    uint64_t mapping_size;
    int fd; /* restart: open for reading and writing; 0: not yet */
};

/* First of the list, valid from DRAIN to the next checkpoint. */
const struct fd_object *fd_objects(void);

struct description;

/* For the kinds: as save, restore, connect and refill of fd_kind. */
long object_save(struct description *d, char *problem, unsigned long size);
long object_restore(struct description *d, int low, char *problem, unsigned long size);
long object_connect(struct description *d, char *problem, unsigned long size);
long object_refill(struct description *d, bool restarted);

/* DRAIN, before the first. */
void fd_objects_begin(void);
/* Restart, in the executor: what is left of the handoff's objects is closed. */
void fd_objects_leave(void);

#endif
