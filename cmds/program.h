/* The program to be launched: found as execvp(3) finds it, and checked for what can't be preloaded into. The dynamic linker ignores
 * LD_PRELOAD silently for setuid programs, and a static or 32-bit one never looks at it; such a program would run outside checkpoint
 * control and nobody would know until the checkpoint is missing. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

/* Writes the path to exec for `name` into path. Dies with one line that names what is wrong. Follows the #! lines of scripts. */
void program_find(char *path, size_t size, const char *name);

#endif
