/* A ring of ranks: each hands an array on to the next, then all add up what they got. Rank 0 prints a line a step. */
#include <mpi.h>
#include <stdio.h>

#include "step.h"

#define COUNT 500000

static double mine[COUNT], got[COUNT];

int main(int argc, char **argv)
{
    int rank, ranks;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (int round = 1, more = 1;; round++) {
        double sum = 0, all;

        if (rank == 0)
            more = step();
        MPI_Bcast(&more, 1, MPI_INT, 0, MPI_COMM_WORLD);
        if (!more)
            break;
        for (int i = 0; i < COUNT; i++)
            mine[i] = rank * 1000 + i % 13 * round;
        MPI_Sendrecv(mine, COUNT, MPI_DOUBLE, (rank + 1) % ranks, 7, got, COUNT, MPI_DOUBLE, (rank + ranks - 1) % ranks, 7, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        for (int i = 0; i < COUNT; i++)
            sum += got[i];
        MPI_Allreduce(&sum, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
        if (rank == 0) {
            printf("%d %.0f\n", round, all);
            fflush(stdout);
        }
    }
    MPI_Finalize();
    return 0;
}
