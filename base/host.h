/* This host, as images, messages and file names call it. Free code; any thread. */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

/* Name of this host, uname(2)'s nodename; "localhost" when it has none. Always terminated. */
void host_name(char *name, size_t size);

/* upid.host: 64-bit FNV-1a of the name, so that every host computes it alone and images say where they come from. */
uint64_t host_id(const char *name);

#endif
