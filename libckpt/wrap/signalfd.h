/* The sender's number in what is read from a signalfd. */
#ifndef SIGNALFD_H
#define SIGNALFD_H

#include <stdbool.h>

/* This process has made a signalfd: only then is it asked, at a read, whether the descriptor is one. */
extern bool signalfd_made __attribute__((visibility("hidden")));

#endif
