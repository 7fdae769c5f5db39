/* crowd BOARD N: N small processes, children of this one, each of which writes the time into its slot of the board when that is 0. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

int main(int argc, char **argv)
{
    int fd = argc == 3 ? open(argv[1], O_RDWR) : -1, count = argc == 3 ? atoi(argv[2]) : 0, slot = 0;
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const struct timespec pause = {.tv_nsec = 20000000};

    if (board == MAP_FAILED || count >= BOARD_SLOTS) {
        fprintf(stderr, "usage: crowd BOARD N (below %d)\n", BOARD_SLOTS);
        return 1;
    }
    for (int i = 1; i <= count && !slot; i++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (!child)
            slot = i;
    }
    for (;; nanosleep(&pause, NULL)) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!board->slots[slot])
            board->slots[slot] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
}
