/* Pseudo terminals of the computation on this host: their numbers, and who has which end. Any thread, no locks; free code.
 *
 * A pty's number is part of its name (/dev/pts/5), which programs keep. After a restart the kernel may give another number; then names are
 * translated: `virtual` is the number that programs know. The entries are in the table that the computation's processes share
 * (include/ptable.h), or, when there is none, in this process. */
#ifndef PTYS_H
#define PTYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some number differs: names need translation. One load, for callers that look at every path. */
extern bool ptys_differ;
/* In a process that has just joined: do numbers differ? And forgets a table that is no longer mapped. */
void ptys_settle(void);

/* A number that is not in the table stands for itself. */
int ptys_real(int virtual);
int ptys_virtual(int real);
/* Restart: the numbers of a pty. */
void ptys_register(int virtual, int real);

/* "/dev/pts/N" with the other number, or the path itself. */
const char *ptys_real_path(const char *path, char *buffer, size_t size);
void ptys_virtual_path(char *path, size_t size);

/* --- at a checkpoint, under its number `mark` --- */

/* When descriptors are claimed: this process has an end. */
void ptys_mark(int real, bool master, uint32_t mark);
/* DRAIN: does a process of the computation have that end? */
bool ptys_marked(int real, bool master, uint32_t mark);

#endif
