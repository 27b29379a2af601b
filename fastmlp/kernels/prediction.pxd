"""Forward passes without an update: the activations of layers, or the cost of each example.

engine.pyx calls `predict_part` in every thread.  Each thread has a workspace of its own and passes
its rows through all layers in chunks; no thread waits for another.  Normalized layers have been
folded into weights and biases (`fold` in batch_norm.pxd), nothing is dropped and no noise is added.
"""
from libc.string cimport memcpy
from .inputs cimport examples, targets
from .losses cimport output_activation
from .matrices cimport copy_row
from .panels cimport layer
from .network cimport batch, network
from .step cimport forward_pass, gather, output_deltas
from .team cimport seconds_now
from .vector cimport flush_denormals, real, restore_denormals
from .workspace cimport activation_layer, choose_ways, take_ways, workspace

cdef struct prediction:
    const network* net
    workspace** spaces          # one for each thread
    const examples* x
    const targets* y
    Py_ssize_t first, last      # rows of this call
    real** outs                 # OUT activations of each layer (n_rows, n), or NULL
    double* costs               # OUT (n_rows,), or NULL: then no targets are needed


cdef inline void predict_part(prediction* p, int part, int n_parts) noexcept nogil:
    """Pass this thread's rows of the examples through all layers, chunk after chunk."""
    cdef const network* net = p.net
    cdef workspace* w = p.spaces[part]
    cdef const layer* L = &net.layers[net.n_layers - 1]
    cdef activation_layer* v = &w.activations[net.n_layers]
    cdef unsigned long long state = flush_denormals()
    cdef Py_ssize_t n_rows = p.last - p.first
    cdef Py_ssize_t last = p.first + n_rows * (part + 1) // n_parts, m, r
    cdef int l
    cdef batch b
    b.x = p.x
    b.y = p.y
    b.order = NULL
    b.first = p.first + n_rows * part // n_parts
    b.n_pass = last
    b.number = 0
    b.place = 0
    b.training = False
    b.max_cost = 0
    b.key = 0
    b.smoothing = 0
    b.dropout = 0
    w.lap_start = seconds_now()
    while b.first < last:
        m = b.n = min(w.n_rows, last - b.first)
        take_ways(w, 0)
        gather(net, w, &b, 0, m, NULL, 0, 1)
        forward_pass(net, w, &b, 0, m, False, NULL, 0, 1)
        if m == w.n_rows:
            choose_ways(w, m)
        if p.costs != NULL:
            output_deltas(net, w, &b, 0, m, 0, 1)
            memcpy(p.costs + b.first, w.costs, m * sizeof(double))
        else:
            for r in range(m):
                output_activation(&net.loss, L.activation, L.parameter,
                                  v.a.values + r * v.a.stride,
                                  v.delta.values + r * v.delta.stride, L.n_out)
        for l in range(1, net.n_layers + 1):
            if p.outs[l] != NULL:
                for r in range(m):
                    copy_row(&w.activations[l].a, r, w.activations[l].n,
                             p.outs[l] + (b.first + r) * w.activations[l].n)
        b.first += m
    restore_denormals(state)
