"""Step 6 over all layers at once: what must wait for the gradient of the whole batch.

    clipping    g ← g · min(1, c/‖g‖)           before the update
    max-norm    W_j ← W_j · min(1, c/‖W_j‖)     after it

(norms.pxd).  These functions also serve processes that share a batch: the sums are then those of
all of them.  epoch.pxd calls the functions in every thread at once.
"""
from libc.math cimport sqrt
from .dense cimport gradient_target, update_layer
from .encoding_gradients cimport (average_encoding, encoding_squares, trains_encoding,
                                  update_encoding)
from .network cimport network
from .norms cimport gradient_squares, limit_norms, total_of
from .panels cimport layer, padded
from .team cimport barrier, team
from .updates cimport for_layer, update_step
from .vector cimport real
from .workspace cimport workspace


cdef inline double clipping_factor(const network* net, workspace* w, const gradient_target* g,
                                   double clip_norm, team* threads, int part,
                                   int n_parts) noexcept nogil:
    """min(1, clip_norm/‖g‖) of the gradient g, from the sums over the whole batch."""
    cdef int l
    cdef double total = 0
    cdef Py_ssize_t place = 0
    cdef const layer* L
    for l in range(net.n_layers):
        L = &net.layers[l]
        if not L.frozen:
            gradient_squares(L, g.step, g.parameters, g.sums, w.squares + place, part, n_parts)
        place += padded(L.n_out)
    barrier(threads, part, n_parts)
    place = 0
    for l in range(net.n_layers):
        if not net.layers[l].frozen:
            total += total_of(w.squares + place, net.layers[l].n_out)
        place += padded(net.layers[l].n_out)
    if trains_encoding(net.encoding):
        total += encoding_squares(net.encoding, g.sums + net.encoding.first, g.step.mean)
    return clip_norm / sqrt(total) if total > clip_norm * clip_norm else 1


cdef inline bint update_from_sum(const network* net, gradient_target* g, int l, double factor,
                                 int part, int n_parts) noexcept nogil:
    """Step 6 of layer l from its sum over the whole batch, times a factor."""
    cdef const layer* L = &net.layers[l]
    cdef gradient_target target = g[0]
    cdef update_step step
    if L.frozen:
        return False
    step = for_layer(g.step, L.rate, L.l2, L.bias_rate)
    step.mean = <real>(step.mean * factor)
    step.l2 = <real>(step.l2 * factor)
    target.step = &step
    return update_layer(L, &target, part, n_parts)


cdef inline bint update_from_sums(const network* net, workspace* w, gradient_target* g,
                                  double clip_norm, team* threads, int part,
                                  int n_parts) noexcept nogil:
    """Step 6 of all layers from the sums over the whole batch, clipped if clip_norm > 0."""
    cdef int l
    cdef bint bad = False
    cdef double factor = 1
    barrier(threads, part, n_parts)
    if clip_norm > 0:
        factor = clipping_factor(net, w, g, clip_norm, threads, part, n_parts)
    for l in range(net.n_layers):
        bad |= update_from_sum(net, g, l, factor, part, n_parts)
    if trains_encoding(net.encoding):
        bad |= update_encoding(net.encoding, g, g.step, g.sums + net.encoding.first, factor, part,
                               n_parts)
    return bad


cdef inline void limit_weights(const network* net, double max_norm, real* average, real decay,
                               team* threads, int part, int n_parts) noexcept nogil:
    """‖W_j‖ ≤ max_norm for every unit of the trained layers, after the update; then the average."""
    cdef int l
    barrier(threads, part, n_parts)
    for l in range(net.n_layers):
        if not net.layers[l].frozen:
            limit_norms(&net.layers[l], net.parameters, <real>max_norm, average, decay, part,
                        n_parts)
    if average != NULL and trains_encoding(net.encoding):
        average_encoding(net.encoding, net.parameters, average, decay, part, n_parts)
