"""A batch, or a network, that several processes share.

Each process has some rows of a batch.  Either the gradient is added up over the processes before
the update, piece by piece while the layers below are still computed, and the update of a layer does
not wait for the sums of those below; or each process makes `local_steps` updates by its own rows,
and then the parameters are averaged.  shared.pxi has what is called here through the job.  epoch.pxd
calls these functions in every thread at once; the first thread alone speaks to other processes.
"""
from libc.math cimport NAN, isfinite
from libc.string cimport memset
from .dense cimport gradient_target
from .encoding_gradients cimport trains_encoding, update_encoding
from .job cimport ALL_PIECES, job
from .network cimport batch, network
from .pieces cimport piece_count
from .step cimport layer_delta, layer_gradient, normalize_layer, normalize_layer_delta
from .team cimport barrier
from .vector cimport real
from .whole_update cimport update_from_sum, update_from_sums
from .workspace cimport GRADIENT, WAITING, lap


cdef inline void start_sum(job* j, int l, int piece, int part) noexcept nogil:
    """Start adding up a piece of layer l's gradient over the processes.

    After the gradient lies one more number, NaN if the cost is not finite: then every process finds
    it so in the same batch.
    """
    if part == 0:
        if l == j.net.n_layers - 1:
            j.sums[j.n_numbers] = 0 if isfinite(j.cost) else <real>NAN
        j.add_gradients(j, l, piece)
    lap(j.w, part, WAITING, l)


cdef inline void shared_gradients(job* j, const batch* b, Py_ssize_t m, const gradient_target* g,
                                  int lowest, int part, int n_parts) noexcept nogil:
    """Steps 3 and 4 of the last chunk of a batch that several processes share.

    Piece by piece, layer by layer from the output: the sum over the processes of a piece starts
    before the next piece is computed.
    """
    cdef int l, piece, n_pieces
    cdef int output = j.net.n_layers - 1
    for l in range(output, -1, -1):
        n_pieces = piece_count(&j.net.layers[l])
        for piece in range(n_pieces):
            if not j.net.layers[l].frozen:
                layer_gradient(j.net, j.w, l, m, g, piece, n_pieces, part, n_parts)
                barrier(&j.threads, part, n_parts)
            if not j.net.layers[l].frozen or l == output:
                start_sum(j, l, piece, part)
        if l >= lowest:
            layer_delta(j.net, j.w, b, l, m, &j.threads, part, n_parts)


cdef inline void add_nothing(job* j, const batch* b, int lowest, int part,
                             int n_parts) noexcept nogil:
    """The sums of a batch of which this process has no row, in the order of the other processes.

    The running statistics of normalized layers move as in these.
    """
    cdef int l, piece
    cdef const network* net = j.net
    if part == 0:
        memset(j.sums, 0, j.n_numbers * sizeof(real))
    for l in range(net.n_layers):
        if net.layers[l].scale > 0:
            normalize_layer(net, l, j.w, b, NULL, 0, b.weight, &j.threads, part, n_parts)
    for l in range(net.n_layers - 1, -1, -1):
        if not net.layers[l].frozen or l == net.n_layers - 1:
            for piece in range(piece_count(&net.layers[l])):
                start_sum(j, l, piece, part)
        if l >= lowest and l > 0 and net.layers[l - 1].scale > 0:
            normalize_layer_delta(net, j.w, b, l, 0, &j.threads, part, n_parts)


cdef inline void wait_for_sums(job* j, int l, int part, int n_parts) noexcept nogil:
    """Wait for the sums of layer l; ends with a barrier."""
    lap(j.w, part, GRADIENT, min(l, j.net.n_layers - 1))
    if part == 0:
        j.add_gradients(j, l, ALL_PIECES)
    barrier(&j.threads, part, n_parts)
    lap(j.w, part, WAITING, min(l, j.net.n_layers - 1))


cdef inline bint finish_sums(job* j, gradient_target* g, int part, int n_parts) noexcept nogil:
    """Wait for the sums over the processes and make step 6.

    Unless the gradient is clipped as a whole, a layer is updated while the sums of the layers below
    are still under way.  Returns whether a parameter is not finite afterwards.
    """
    cdef int l
    cdef bint bad = False
    cdef network* net = j.net
    barrier(&j.threads, part, n_parts)
    if part == 0 and trains_encoding(net.encoding):
        j.add_gradients(j, net.n_layers, 0)
    for l in range(net.n_layers - 1, -1, -1):
        if not net.layers[l].frozen or l + 1 == net.n_layers:
            wait_for_sums(j, l, part, n_parts)
            if j.clip_norm == 0 and not j.failed:
                bad |= update_from_sum(net, g, l, 1, part, n_parts)
    if trains_encoding(net.encoding):
        wait_for_sums(j, net.n_layers, part, n_parts)
        if j.clip_norm == 0 and not j.failed:
            bad |= update_encoding(net.encoding, g, g.step, g.sums + net.encoding.first, 1, part,
                                   n_parts)
    if j.clip_norm > 0 and not j.failed:
        bad |= update_from_sums(net, j.w, g, j.clip_norm, &j.threads, part, n_parts)
    return bad or not isfinite(j.sums[j.n_numbers])


cdef inline void average_when_due(job* j) noexcept nogil:
    """Average the parameters over the processes if it is time, or if this one has to give up."""
    cdef bint finite = isfinite(j.cost) and not j.not_finite
    if (not finite or (j.before + j.next) % j.local_steps == 0 or j.next == j.n_batches):
        j.not_finite |= not j.average_parameters(j)
