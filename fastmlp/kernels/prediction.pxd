"""Passes without an update: activations, or costs.  Threads take rows and never meet."""
from libc.string cimport memcpy
from .inputs cimport examples, targets
from .losses cimport output_activation
from .matrices cimport copy_row
from .panels cimport layer
from .step cimport batch, forward_pass, gather, network, output_deltas
from .vector cimport flush_denormals, real, restore_denormals
from .workspace cimport level, workspace

cdef struct prediction:         # one pass without targets, or for its cost alone
    const network* net
    workspace** spaces          # one a thread: prediction has no barrier
    const examples* x
    const targets* y
    Py_ssize_t first, last      # rows of this call
    real** outs                 # by level: (n_rows, n) for its activations, or NULL
    double* costs               # n_rows, or NULL


cdef inline void predict_part(prediction* p, int part, int n_parts) noexcept nogil:
    """This thread's rows of the examples, chunk after chunk through all layers."""
    cdef const network* net = p.net
    cdef workspace* w = p.spaces[part]
    cdef const layer* L = &net.layers[net.n_layers - 1]
    cdef level* v = &w.levels[net.n_layers]
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
    b.training = False
    b.key = 0
    b.smoothing = 0
    while b.first < last:
        m = b.n = min(w.n_rows, last - b.first)
        gather(net, w, &b, 0, m, NULL, 0, 1)
        forward_pass(net, w, &b, 0, m, False, 0, NULL, 0, 1)
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
                    copy_row(&w.levels[l].a, r, w.levels[l].n,
                             p.outs[l] + (b.first + r) * w.levels[l].n)
        b.first += m
    restore_denormals(state)
