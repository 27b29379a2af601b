"""What this processor can run, and on how many threads; built for the baseline alone."""

cdef extern from "cpu.h" nogil:
    bint supports_v3()
    bint supports_v4()

cdef extern from "team.h" nogil:
    const bint HAS_OPENMP
    int omp_get_max_threads()

OPENMP = bool(HAS_OPENMP)


def supported() -> tuple[str, ...]:
    """Instruction sets of this processor that fastmlp has builds for, the best first."""
    names = []
    if supports_v4():
        names.append("v4")
    if supports_v3():
        names.append("v3")
    return (*names, "baseline")


def omp_threads() -> int:
    """OpenMP's own thread limit: OMP_NUM_THREADS, or what threadpoolctl has set since."""
    return omp_get_max_threads()
