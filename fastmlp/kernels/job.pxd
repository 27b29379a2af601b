"""What the threads of one call of `train` or `gradients` share: see epoch.pxd."""
from libc.stdint cimport int64_t, uint64_t
from .inputs cimport examples, targets
from .network cimport add_up_t, batch, network
from .team cimport team
from .updates cimport optimizer
from .vector cimport real
from .workspace cimport workspace

cdef struct job


# multiplies costs and f'(z) of a batch by what a loss written in Python says; False: it failed
ctypedef bint (*call_loss_t)(job* j, const batch* b) noexcept nogil


# runs Python's signal handlers; True: one of them raised
ctypedef bint (*check_signals_t)(job* j) noexcept nogil


# of a batch that several processes share: starts adding up a piece of layer l's gradient over them,
# or waits until the sums of ALL_PIECES are there.  Layer n_layers stands for the encodings
ctypedef void (*add_gradients_t)(job* j, int l, int piece) noexcept nogil


# replaces the parameters by their average over the processes, at the end of a part of an epoch also
# the optimizer's state; False: a parameter or the cost of one of them is not finite
ctypedef bint (*average_parameters_t)(job* j) noexcept nogil


cdef enum:
    ALL_PIECES = -1


cdef struct job:                # one call of train: what its threads share
    network* net
    workspace* w
    const examples* x
    const targets* y
    const optimizer* rule       # NULL: gradients only, no update
    real* slots[2]
    real* sums                  # gradient of a batch in chunks, or of `gradients`
    Py_ssize_t n_numbers        # parameters, so many numbers of `sums`
    real* input_gradient        # (n_pass, n_in), or NULL
    const int64_t* order
    Py_ssize_t n_pass, batch_size
    int64_t first, next         # batch numbers, from 0 in `order`
    int64_t n_batches
    # of batches that several processes share, each NULL otherwise:
    const int64_t* starts       # (n_batches + 1,) where this process's rows of each begin
    const int64_t* places       # rows of each that other processes have before these
    const int64_t* n_rows       # of each, in all processes
    const double* weights       # Σ s of each
    add_gradients_t add_gradients
    add_up_t add_up             # called with this job
    average_parameters_t average_parameters
    int64_t local_steps         # batches between two averages of the parameters
    void* gradient_sum          # with what these functions are called
    int64_t before              # batches that the epoch has had before it
    const double* rates
    const double* weight_decays # of each batch, or NULL: the rule's own
    const double* dropout       # factors of each batch, or NULL: 1
    double l2, deadline
    bint l2_per_weight          # λ / Σ s of a batch in place of λ
    int64_t steps               # updates made before batch `first`
    uint64_t key                # of the epoch's draws
    bint training               # see `batch`
    bint every_layer            # gradients of frozen layers too
    double smoothing, max_norm, clip_norm   # 0: none
    double max_cost             # 0: none
    double* batch_sums          # (batches of the epoch, 2): see calls.py; or NULL
    real* average               # of the parameters, or NULL
    double ema                  # its decay
    int64_t averaged            # steps it has seen before batch `first`
    double cost, weight         # Σ s·cost and Σ s over the examples run
    bint stop, not_finite
    call_loss_t call_loss                   # how a loss written in Python is called, and
    void* loss_call              # with what
    bint failed                 # it has, or Ctrl-C came: this batch updates nothing
    check_signals_t check_signals
    double signals_checked               # for signals last, seconds
    uint64_t denormals          # state of the master thread outside
    team threads
