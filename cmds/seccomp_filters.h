/* How many seccomp filters lie on this process: proc_pid_status(5), Seccomp_filters (5.9). A program inherits them, and so does its restart. */
#ifndef SECCOMP_FILTERS_H
#define SECCOMP_FILTERS_H

unsigned seccomp_filters(void);

#endif
