"""Forward passes without an update: the activations of layers, or the cost of each example.

predictions.pxi calls `predict_part` in every thread.  Each thread has a workspace of its own and
passes its rows through all layers in chunks; no thread waits for another.  Or all threads have one
workspace and pass a few rows together, each its own columns.  Normalized layers have been folded
into weights and biases (`fold` in batch_norm.pxd), nothing is dropped and no noise is added.
"""
from libc.string cimport memcpy, memset
from .inputs cimport examples, is_finite, targets
from .losses cimport output_activation
from .matrices cimport copy_row
from .panels cimport layer
from .network cimport batch, network
from .partition cimport part_of, row_range, rows_of_panel, thread_part
from .step cimport forward_pass, gather, output_deltas
from .team cimport seconds_now, set_bits, team
from .vector cimport flush_denormals, real, restore_denormals
from .workspace cimport activation_layer, choose_ways, take_ways, workspace

cdef struct prediction:
    const network* net
    workspace** spaces          # one for each thread, or one for all
    team* threads               # where all threads pass the same rows; or NULL
    const examples* x
    const targets* y
    Py_ssize_t first, last      # rows of this call
    real** outs                 # OUT activations of each layer (n_rows, n), or NULL
    double* costs               # OUT (n_rows,), or NULL: then no targets are needed


cdef inline void predict_rows(prediction* p, workspace* w, Py_ssize_t first, Py_ssize_t last,
                              int part, int n_parts) noexcept nogil:
    """Pass the rows first … last through all layers, chunk after chunk.

    Several threads that pass them together have one chunk.
    """
    cdef const network* net = p.net
    cdef const layer* L = &net.layers[net.n_layers - 1]
    cdef activation_layer* v = &w.activations[net.n_layers]
    cdef unsigned long long state = flush_denormals()
    cdef Py_ssize_t m, r
    cdef int l
    # the rows whose output this thread has computed, if the output is one panel
    cdef thread_part whole
    cdef row_range mine
    cdef batch b
    memset(&b, 0, sizeof(batch))    # not training
    b.x = p.x
    b.y = p.y
    b.first = first
    b.n_pass = last
    w.threads[part].lap_start = seconds_now()
    while b.first < last:
        m = b.n = min(w.n_rows, last - b.first)
        take_ways(w, part, n_parts)
        gather(net, w, &b, 0, m, p.threads, part, n_parts)
        forward_pass(net, w, &b, 0, m, False, p.threads, part, n_parts)
        whole = part_of(1, L.n_terms, m, part, n_parts, NULL)
        mine = rows_of_panel(&whole, 0, False)
        if part == 0 and m == w.n_rows:
            choose_ways(w, m, n_parts)
        if p.costs != NULL:
            output_deltas(net, w, &b, 0, m, part, n_parts)
            memcpy(p.costs + b.first + mine.first, w.costs + mine.first,
                   (mine.last - mine.first) * sizeof(double))
        else:
            for r in range(mine.first, mine.last):
                output_activation(&net.loss, L.activation, L.parameter,
                                  v.a.values + r * v.a.stride,
                                  v.delta.values + r * v.delta.stride, L.n_out)
                if not is_finite(v.a.values + r * v.a.stride, L.n_out):
                    set_bits(<int*>&w.overflowed, True)
        for l in range(1, net.n_layers + 1):
            if p.outs[l] != NULL:
                for r in range(mine.first, mine.last):
                    copy_row(&w.activations[l].a, r, w.activations[l].n,
                             p.outs[l] + (b.first + r) * w.activations[l].n)
        b.first += m
    restore_denormals(state)


cdef inline void predict_part(prediction* p, int part, int n_parts) noexcept nogil:
    """Pass this thread's rows, or its columns of a few rows, through all layers."""
    cdef Py_ssize_t n_rows = p.last - p.first
    if p.threads != NULL:
        predict_rows(p, p.spaces[0], p.first, p.last, part, n_parts)
    else:
        predict_rows(p, p.spaces[part], p.first + n_rows * part // n_parts,
                     p.first + n_rows * (part + 1) // n_parts, 0, 1)
