"""Threads: the few names through which every OpenMP call goes; see team.h."""
cdef extern from "team.h" nogil:
    const bint HAS_OPENMP
    ctypedef struct team:
        int generation
        int generation
        long long slept
    int omp_get_num_threads()
    int omp_get_thread_num()
    void barrier(team* t, int part, int n_threads)
    double seconds_now()
    int team_size(int n_threads)
    void pause_microseconds(int microseconds)
    void set_bits(int* word, int bits)
    void add_visibly(double* total, double x)
    double total_now(const double* total)
