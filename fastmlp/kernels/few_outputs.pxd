"""The weight gradient of a layer with few outputs, transposed:

    ∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ        rows: outputs; columns: the units of a(l), in vectors

W's own layout has the outputs in vectors, where one output costs as many multiply-adds as a whole
vector of them.  Here P is a panel of a(l) and x is δᵀ.  Each sum has the same terms in the same
order and so the same bits; each block is transposed into W's layout before the update.

step.pxd calls `few_outputs_gradient` in place of dense.pxd's `weight_gradient` where `few_outputs`
holds.  The operands are the same; each thread has whole vectors of a(l)'s columns.
"""
from libc.string cimport memcpy, memset
from .blocks cimport blocked_product
from .dense cimport bias_gradient, finish_gradient, gradient_target
from .matrices cimport at, columns_from, group_end
from .operands cimport adjacent_panels, panel_pair
from .panels cimport layer, padded, panel_columns, panel_count
from .updates cimport WEIGHTS
from .vector cimport WIDTH, real, transpose_block
from .workspace cimport activation_layer, scratch


cdef inline bint few_outputs(const layer* L, const activation_layer* below, bint may_skip,
                             const gradient_target* g) noexcept nogil:
    """Whether the transposed product costs less, by a fifth at least; the same on every thread.

    Not for the network's input, whose rows lie anywhere, nor where the product may skip zeros, nor
    for a batch in chunks, whose sums are continued in W's layout.
    """
    cdef Py_ssize_t as_stored = L.n_in * (padded(L.n_out) // WIDTH)
    cdef Py_ssize_t transposed = L.n_out * (padded(L.n_in) // WIDTH)
    return (below.n_terms > 0 and not may_skip and g.first and g.last
            and panel_count(L.n_out) == 1 and 5 * transposed < 4 * as_stored)


cdef inline bint few_outputs_gradient(const layer* L, activation_layer* below,
                                      activation_layer* above, scratch* own, const real* zeros,
                                      Py_ssize_t m, gradient_target* g, int part,
                                      int n_parts) noexcept nogil:
    """∂J/∂W(l) and, by the first thread, ∂J/∂b(l), then the update; see `weight_gradient`."""
    cdef Py_ssize_t vectors = padded(L.n_in) // WIDTH, n_rows = padded(L.n_out)
    cdef Py_ssize_t k = vectors * part // n_parts * WIDTH
    cdef Py_ssize_t last = vectors * (part + 1) // n_parts * WIDTH
    cdef Py_ssize_t columns, place, n, i, j
    cdef int n_vectors
    cdef panel_pair a, start, C
    cdef bint bad = False
    if part == 0 and L.scale == 0:
        bad |= bias_gradient(L, above, own, zeros, m, g, 0)
    while k < last:
        columns = min(min(last, group_end(&below.a, k)) - k, panel_columns())
        n_vectors = <int>(columns // WIDTH)
        a = adjacent_panels(at(&below.a, 0, k), below.a.stride, n_vectors)
        start = adjacent_panels(zeros, 0, n_vectors)
        C = adjacent_panels(own.block, columns, n_vectors)
        blocked_product(columns_from(&above.delta, 0), m, a, start, C, L.n_out, n_vectors,
                        False, &own.next_examples, False)
        memset(own.block + L.n_out * columns, 0,
               (n_rows - L.n_out) * columns * sizeof(real))
        for i in range(n_vectors):
            for j in range(n_rows // WIDTH):
                transpose_block(own.block + j * WIDTH * columns + i * WIDTH, columns,
                                own.packed + i * WIDTH * n_rows + j * WIDTH, n_rows)
        place = L.weight + k * n_rows
        n = (min(k + columns, L.n_in) - k) * n_rows
        if g.sums != NULL:
            memcpy(g.sums + place, own.packed, n * sizeof(real))
        if g.step != NULL:
            bad |= finish_gradient(g, WEIGHTS, place, own.packed, n // WIDTH)
        k += columns
    return bad
