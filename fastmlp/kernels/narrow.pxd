"""The weight gradient of a layer with few outputs behind a hidden level, the other way round:

    ∂J/∂W(l) = Σ δ(l+1) a(l)ᵀ        rows: the outputs, columns: a(l)'s, in vectors

W's own layout has the outputs in vectors: one of them costs as many multiply-adds as a whole vector
of them.  Here the rows of a(l) are the panel and δᵀ is x.  Each sum has the same terms in the same
order, so its bits are the same; the block is turned into W's layout before the update.
"""
from libc.string cimport memcpy, memset
from .dense cimport bias_gradient, finish_gradient, gradient_target, walk_of
from .matrices cimport at, columns_from, group_end
from .panels cimport layer, padded, panel_columns, panel_count
from .tile cimport blocked_product, walk
from .vector cimport WIDTH, real, transpose_block
from .workspace cimport level, scratch, skipping


cdef inline bint is_narrow(const layer* L, const level* below, const skipping* listed,
                           const gradient_target* g) noexcept nogil:
    """Whether this way costs less, by a fifth at least: the same answer on every thread.

    The input's rows lie anywhere, and a batch in chunks carries its sums on in W's layout.
    """
    cdef Py_ssize_t wide = L.n_in * (padded(L.n_out) // WIDTH)
    cdef Py_ssize_t turned = L.n_out * (padded(L.n_in) // WIDTH)
    return (below.n_terms > 0 and not listed.possible and g.first and g.last
            and panel_count(L.n_out) == 1 and 5 * turned < 4 * wide)


cdef inline bint narrow_gradient(const layer* L, level* below, level* above, scratch* own,
                                 const real* blank, Py_ssize_t m, gradient_target* g,
                                 int part, int n_parts) noexcept nogil:
    """∂J/∂W(l) and, by the first thread, ∂J/∂b(l), then the update; see `weight_gradient`."""
    cdef Py_ssize_t vectors = padded(L.n_in) // WIDTH, n_rows = padded(L.n_out)
    cdef Py_ssize_t k = vectors * part // n_parts * WIDTH
    cdef Py_ssize_t last = vectors * (part + 1) // n_parts * WIDTH
    cdef Py_ssize_t columns, place, n, i, j
    cdef walk also = walk_of(L, own, n_parts)
    cdef bint bad = False
    also.streamed = False
    if part == 0 and L.scale == 0:
        bad |= bias_gradient(L, above, own, blank, m, g, 0)
    while k < last:
        columns = min(min(last, group_end(&below.a, k)) - k, panel_columns())
        blocked_product(columns_from(&above.delta, 0), m, at(&below.a, 0, k), below.a.stride,
                        blank, 0, own.block, columns, L.n_out, also, <int>(columns // WIDTH))
        memset(own.block + L.n_out * columns, 0,
               (n_rows - L.n_out) * columns * sizeof(real))
        for i in range(columns // WIDTH):
            for j in range(n_rows // WIDTH):
                transpose_block(own.block + j * WIDTH * columns + i * WIDTH, columns,
                                own.packed + i * WIDTH * n_rows + j * WIDTH, n_rows)
        place = L.weight + k * n_rows
        n = (min(k + columns, L.n_in) - k) * n_rows
        if g.sums != NULL:
            memcpy(g.sums + place, own.packed, n * sizeof(real))
        if g.step != NULL:
            bad |= finish_gradient(g, True, place, own.packed, n // WIDTH)
        k += columns
    return bad
