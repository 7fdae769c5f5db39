#!/bin/bash
# variants: root unpriv
# limit: 120
# Open MPI: mpirun and two ranks, connected to it by TCP and to each other by shared memory.
. "$TESTS/lib.sh"
need mpicc.openmpi
need mpirun.openmpi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
GENERATIONS=2
mpicc.openmpi -I"$TESTS/live" -D_GNU_SOURCE -O1 -o ring "$TESTS/live/programs/mpi.c" || fail "it does not compile"
survive mpirun.openmpi --oversubscribe -np 2 "$PWD/ring"
