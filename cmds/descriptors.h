/* Descriptors that must not meet those of the program. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include "conf.h"

/* First of all: a command may be started with standard descriptors closed. They are filled with /dev/null until the exec (close-on-exec),
 * so that no file or socket of ours gets their numbers and messages into it. */
void descriptors_reserve_standard(void);

/* Pipes and sockets among them: of whoever runs us, so that those of a restart may take their place. */
void descriptors_note_standard(struct conf *conf);

/* Makes all from 3 on close-on-exec, those inherited from our caller included. For a child before it execs. */
void descriptors_close_on_exec(void);

#endif
