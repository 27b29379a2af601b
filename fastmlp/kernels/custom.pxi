# Part of engine.pyx: a loss written in Python, called once for each batch.
#
# The thread that called `train` alone takes the GIL, between two barriers (epoch.pxd).  An error of
# the loss is kept until the parallel region has ended; its batch leaves no trace in the parameters.

cdef class PythonLossCall:
    """A loss written in Python with its targets, and the error that calling it raised."""
    cdef object loss, targets, error

    def __cinit__(self, loss, Data data):
        self.loss = loss
        self.targets = None if loss is None else data.kept[1]

    cdef void attach(self, job* j) noexcept:
        j.call_loss = call_loss
        j.check_signals = check_signals
        j.loss_call = <void*>self

    cdef int raise_error(self, job* j) except -1:
        """Raise the error, or one for outputs that are not finite, which `train` reports itself."""
        if self.error is not None:
            raise self.error
        if j.failed and j.rule == NULL:
            raise FloatingPointError("the network's outputs for these examples are not finite")
        return 0

    cdef bint deltas(self, job* j, const batch* b) except *:
        """Costs and δ(nl) of a batch, where 1 and f'(z(nl)) lie, both times the example's weight.

        False where an output is not finite.
        """
        cdef activation_layer* v = &j.w.activations[j.net.n_layers]
        cdef Py_ssize_t r, i
        cdef real[:, ::1] h
        cdef const real[:, ::1] slope
        cdef const double[::1] cost
        cdef Py_ssize_t[::1] row
        outputs = np.empty((b.n, v.n), DTYPE)
        rows = np.empty(b.n, np.intp)
        h = outputs
        row = rows
        for r in range(b.n):
            copy_row(&v.a, r, v.n, &h[r, 0])
            row[r] = row_of(b, r)
        if not np.isfinite(outputs).all():
            j.not_finite = True
            j.next = b.number + 1
            return False
        y = self.targets[rows]
        cost = self.loss.costs(outputs, y)
        slope = self.loss.slopes(outputs, y)
        for r in range(b.n):
            j.w.costs[r] *= cost[r]
            for i in range(v.n):
                v.delta.values[r * v.delta.stride + i] *= slope[r, i]
        return True


cdef bint call_loss(job* j, const batch* b) noexcept with gil:
    """Whether all went well.  Denormal numbers count as long as Python computes."""
    cdef unsigned long long flushing = flush_denormals()
    restore_denormals(j.denormals)
    loss_call = <PythonLossCall>j.loss_call
    try:
        return loss_call.deltas(j, b)
    except BaseException as error:
        loss_call.error = error
        return False
    finally:
        restore_denormals(flushing)


cdef bint check_signals(job* j) noexcept with gil:
    """Whether a signal's handler raised, as Ctrl-C's does; the error is kept."""
    cdef unsigned long long flushing = flush_denormals()
    restore_denormals(j.denormals)
    try:
        PyErr_CheckSignals()
        return False
    except BaseException as error:
        (<PythonLossCall>j.loss_call).error = error
        return True
    finally:
        restore_denormals(flushing)


cdef int take_costs(loss, outputs, Data data, double* costs) except -1:
    """The cost of each example times its weight."""
    cdef const double[::1] cost = loss.costs(outputs, data.kept[1])
    cdef Py_ssize_t r
    for r in range(cost.shape[0]):
        costs[r] = cost[r] * (data.y.weights[r] if data.y.weights != NULL else 1)
    return 0
