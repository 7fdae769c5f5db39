/* What this processor offers to programs. A program looks once, when it starts, and from then on uses what it has seen (libc chose its
 * memcpy, the JIT compiler its vectors), so it can go on only where all of that exists. Free code; any thread. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

#define CPU_FEATURE_WORDS 4

/* image_process.cpu_features: instruction sets and the register state that the kernel saves for us (xcr0). Bits that say nothing about what
 * programs may do are left out, so that images don't depend on them. */
void cpu_features(uint64_t words[CPU_FEATURE_WORDS]);

/* Name of one bit as /proc/cpuinfo has it, "" if it has none here. */
const char *cpu_feature_name(unsigned word, unsigned bit);

#endif
