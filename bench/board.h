/* What a measured program tells the driver (bench/measure.py has the same layout): a page of a shared file, which both have mapped, and which a
 * restarted program maps again. Times are CLOCK_MONOTONIC, in nanoseconds; the driver sets a word to 0 to have it taken anew. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define BOARD_SLOTS 480

struct board {
    uint64_t ready; /* the program has built what it is to be */
    uint64_t largest_gap; /* between two ticks */
    uint64_t first_tick; /* since it was set to 0 */
    uint64_t dirtied; /* bytes written by the dirtying thread */
    uint64_t forked; /* forks done (SIGUSR1) */
    uint64_t fork_ns; /* what the last one took the parent */
    uint64_t unused[26];
    uint64_t slots[BOARD_SLOTS]; /* one a process: time of its first tick since it was set to 0 */
};
_Static_assert(sizeof(struct board) == 4096, "one page");

#endif
