"""A network and a batch of its examples, as the steps of step.pxd see them."""
from libc.stdint cimport int64_t, uint64_t
from .batch_norm cimport normalization
from .distortion cimport distortion
from .encodings cimport input_encoding
from .inputs cimport examples, targets
from .losses cimport loss_function
from .panels cimport layer
from .vector cimport real

cdef struct network:
    int n_layers
    layer* layers
    real* parameters
    loss_function loss
    int first                   # number of layers[0] in the whole network, frozen layers included
    double input_dropout        # the probability that an input is dropped
    normalization normalization
    const distortion* distortion    # of input images in training, or NULL
    const input_encoding* encoding  # of the columns of X, or NULL: they are a(1) themselves


# of a batch that several processes share: replaces n numbers by their sums over the processes
ctypedef void (*add_up_t)(void* job, real* numbers, Py_ssize_t n) noexcept nogil


cdef struct batch:              # the examples first … first + n of a pass
    const examples* x
    const targets* y
    const long long* order      # row numbers of the pass, or NULL: the rows in their own order
    Py_ssize_t first, n
    double weight               # Σ s of the whole batch
    Py_ssize_t n_pass           # examples in the whole pass
    int64_t number              # of the batch in the pass
    # of a batch that several processes share: see calls.py
    Py_ssize_t place            # rows of the batch before these, in other processes
    Py_ssize_t n_rows           # of the whole batch; n otherwise
    add_up_t add_up             # called by one thread; NULL: no process shares the batch
    void* job                   # with what it is called
    bint training               # normalize by the batch, drop units, smooth targets
    uint64_t key                # of the batch's random numbers
    real smoothing
    double dropout              # factor of every probability that a unit is dropped
    double max_cost             # −log of the least probability that counts; 0: none


cdef inline Py_ssize_t row_of(const batch* b, Py_ssize_t i) noexcept nogil:
    """The row of x and y that holds example i of the batch."""
    return b.first + i if b.order == NULL else b.order[b.first + i]
