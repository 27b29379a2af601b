"""The vector type of this build and its operations.

vector.h, halves.h, bits.h, entries.h and transpose.h describe each.

`real` and `vec` stand for C types that the build chooses.  Declare every local variable, assign
each expression to one variable, and never convert a `vec` to or from a Python object.
"""
cdef extern from "vector.h" nogil:
    ctypedef float real
    ctypedef float vec
    ctypedef float half_vec
    ctypedef int lane_int
    ctypedef void inlined "INLINED"

    const int WIDTH
    const bint HALVES
    const int PANEL_VECTORS
    const int TILE_ROWS_4
    const int TILE_ROWS_3
    const int TILE_ROWS_2
    const int TILE_ROWS_1
    const int DENSE_BLOCK_BYTES
    const int SPARSE_BLOCK_BYTES
    const real ROUNDING_SHIFT
    const int REAL_IS_DOUBLE

    vec load(const real* p)
    void store(real* p, vec x)
    vec splat(real x)
    vec fused(vec a, vec b, vec c)
    half_vec load_half(const real* p)
    void store_half(real* p, half_vec x)
    half_vec splat_half(real x)
    half_vec first_half(vec a)
    half_vec fused_half(half_vec a, half_vec b, half_vec c)
    vec root(vec a)
    vec select_gt(vec x, vec y, vec a, vec b)
    vec power_of_two(vec shifted)
    bint any_nan(vec x)
    vec load_bytes(const unsigned char* p)
    const real* opaque(const real* p)
    void prefetch_line(const void* p)
    void prefetch_to_l2(const void* p)
    void touch(real* p)
    void store_past_caches(real* p, vec x)
    unsigned long long flush_denormals()
    void restore_denormals(unsigned long long old)

cdef extern from "halves.h" nogil:
    bint halves_fast

cdef extern from "bits.h" nogil:
    ctypedef unsigned long long word "uint64_t"     # a bit for each of 64 numbers
    int lowest_bit(word bits)
    word without_lowest(word bits)
    word nonzero_numbers(const real* x, Py_ssize_t n)
    word nonzero_bytes(const unsigned char* x, Py_ssize_t n)

cdef extern from "entries.h" nogil:
    ctypedef struct entry:
        lane_int index
        real value

    const lane_int LAST_INDEX
    ctypedef unsigned long long loaded_entry        # or what the build makes of it
    loaded_entry load_entry(const entry* e)
    lane_int index_of(loaded_entry e)
    vec value_of(loaded_entry e)
    void store_entry(loaded_entry e, lane_int index, entry* place)
    int compress(vec x, lane_int index, entry* e)
    Py_ssize_t compress_bytes(const unsigned char* x, Py_ssize_t n, real scale, entry* e)
    void join(const unsigned short* indices, vec values, entry* e)

cdef extern from "transpose.h" nogil:
    const int BYTES             # rows and columns of a block of bytes
    void transpose_block(const real* source, Py_ssize_t source_row, real* target,
                         Py_ssize_t target_row)
    void transpose_bytes(const unsigned char* source, Py_ssize_t source_row,
                         unsigned char* target, Py_ssize_t target_row)
