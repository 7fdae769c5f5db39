/* What the made-up process (blob.c) checks once the loader has rebuilt it, written into its memory by loader_case.c. */
#ifndef PLAN_H
#define PLAN_H

#include <stdint.h>

#define PLAN_ADDRESS 0x20000000ull
#define BLOB_ADDRESS 0x10000000ull

enum { PLAN_PATTERN = 1, PLAN_ZERO = 2, PLAN_FAULT = 3, PLAN_WRITE = 4 };

struct plan_check {
    uint64_t address, size;
    uint64_t seed; /* PATTERN */
    uint32_t kind;
    uint32_t unused;
};

struct plan {
    uint32_t check_count;
    struct plan_check check[96];
    uint64_t alias_a, alias_b; /* a word written at a shows at b */
    uint64_t brk; /* expected; then the heap grows by 1 MiB */
    uint64_t grow_from, grow_bytes; /* the stack grows down from there */
    uint64_t clock_gettime, gettimeofday, time, getcpu; /* the functions in the old vDSO */
    uint32_t flags_mask, flags_value; /* of the handoff */
    uint32_t personality; /* expected */
    uint32_t loader_moved; /* 1: must not be at its link address */
    char print[8][64]; /* files copied to standard output, after "== name\n" */
};

/* The word at an address of a page filled with a pattern. */
static inline uint64_t plan_word(uint64_t seed, uint64_t address)
{
    uint64_t x = (address ^ seed * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;

    /* Compressible, but not trivially: half of the words repeat. */
    return address & 8 ? seed : x ^ x >> 29;
}

#endif
