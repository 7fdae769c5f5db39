/* The restart script: dmtcp_restart_script_<computation>.sh and the symbolic link dmtcp_restart_script.sh to it, both replaced atomically.
 * It is composed when a set is about to be committed, while all its members are known, and written when they have renamed their images. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stddef.h>

#include "list.h"

/* Absolute; kept. */
void script_set_directory(const char *directory);

/* Why no script could be written, in words; NULL: it could. Asked before programs are stopped for nothing. */
const char *script_problem(void);

struct script;

/* From the members of the set (set.h) and those who left it with their images complete (by member_link); all have an image. NULL: no memory. */
struct script *script_compose(struct list *departed, unsigned departed_count);

/* NULL, or one line, to be freed, that says what is wrong. */
char *script_write(const struct script *script);
void script_free(struct script *script);

#endif
