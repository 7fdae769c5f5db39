#!/bin/bash
# variants: root unpriv
# limit: 120
# MPICH: mpiexec, its proxy and two ranks, which share memory by System V ids that one tells the other.
. "$TESTS/lib.sh"
need mpicc.mpich
need mpiexec.hydra
GENERATIONS=2
mpicc.mpich -I"$TESTS/live" -D_GNU_SOURCE -O1 -o ring "$TESTS/live/programs/mpi.c" || fail "it does not compile"
survive mpiexec.hydra -np 2 "$PWD/ring"
