# Part of engine.pyx: the optimizer, and the numbers that it keeps from step to step.

cdef class OptimizerSnapshot:
    """An optimizer's state at one moment."""
    cdef optimizer rule
    cdef Block state
    cdef int64_t steps


cdef class OptimizerState(Predictions):
    """The optimizer's rule, the number of its steps, and its numbers of each parameter."""
    cdef optimizer rule
    cdef Block state                # slot by slot, laid out like the parameters
    cdef readonly int64_t steps     # updates since the optimizer was set, or began anew

    def set_optimizer(self, name, constants):
        cdef optimizer rule = optimizer_of(name, constants)
        cdef Block state = Block(n_slots(&rule) * self.n_numbers * <Py_ssize_t>sizeof(real))
        self.enter_gate()
        self.rule = rule
        self.state = state
        self.steps = 0
        self.gate.leave()

    cdef real* slot(self, int i) noexcept:
        """The optimizer's i-th number of each parameter; NULL where it keeps fewer."""
        if (self.state is None
                or (i + 1) * self.n_numbers * <Py_ssize_t>sizeof(real) > self.state.size):
            return NULL
        return <real*>self.state.data + i * self.n_numbers

    def get_state(self):
        cdef int i
        self.gate.enter()
        try:
            return [self.layers_out(self.slot(i)) for i in range(n_slots(&self.rule))]
        finally:
            self.gate.leave()

    def set_state(self, slots, int64_t steps):
        cdef int i
        self.enter_gate()
        try:
            for i, layers in enumerate(slots[:n_slots(&self.rule)]):
                self.layers_in(self.slot(i), layers)
            self.steps = steps
        finally:
            self.gate.leave()

    def optimizer_snapshot(self):
        """The optimizer's rule, the number of its steps, and a copy of its numbers."""
        cdef OptimizerSnapshot found = OptimizerSnapshot.__new__(OptimizerSnapshot)
        self.gate.enter()
        found.rule = self.rule
        found.state = copied(self.state)
        found.steps = self.steps
        self.gate.leave()
        return found

    def restore_optimizer(self, OptimizerSnapshot snapshot not None):
        """Go back to a snapshot of this network's optimizer."""
        self.enter_gate()
        self.rule = snapshot.rule
        self.state = copied(snapshot.state)
        self.steps = snapshot.steps
        self.gate.leave()

    cdef void begin_anew(self) noexcept:
        """The state before the first step, whose numbers are all zero."""
        if self.state is not None:
            memset(self.state.data, 0, self.state.size)
        self.steps = 0
