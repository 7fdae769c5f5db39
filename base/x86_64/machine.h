/* What an image says of the machine it comes from. */
#ifndef MACHINE_H
#define MACHINE_H

#include <elf.h>

#define MACHINE_ELF EM_X86_64

#endif
