# Part of engine.pyx: memory, the numbers of a network at one moment, and who may write them.
#
# A reader takes the engine's current set and a block of it, and reads these for as long as it
# likes.  A writer (a slice of training, or whatever sets parameters) holds the gate, and before
# it writes it makes sure that nobody else holds what it writes to: a block that a reader holds
# is replaced by a copy, and a set that is kept as a snapshot gets the copy.  So every reader sees
# the whole of one set.  Readers wait for the end of a slice, and the next slice waits until all
# of those have taken theirs.

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject* o)

cdef extern from "pythread.h" nogil:
    ctypedef void* PyThread_type_lock
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock)
    int PyThread_acquire_lock_timed(PyThread_type_lock, long long microseconds, int interrupt)
    void PyThread_release_lock(PyThread_type_lock)
    unsigned long PyThread_get_thread_ident()

cdef enum:
    GATE_WAIT = 20000           # microseconds from one look for Ctrl-C to the next
    TURN_WAIT = 50              # microseconds in which a waiting reader gets its turn
    MOST_TURNS = 2000


cdef class Block:
    """Zeroed memory that begins on a cache line; untouched pages cost nothing (memory.h)."""
    cdef void* allocated
    cdef char* data
    cdef readonly Py_ssize_t size

    def __cinit__(self, Py_ssize_t size):
        self.allocated = zeroed(size, &self.data)
        if self.allocated == NULL:
            raise MemoryError(f"no memory for {size} bytes")
        self.size = size

    def __dealloc__(self):
        free(self.allocated)

    def __reduce__(self):
        return block_of, (self.data[:self.size],)


def block_of(bytes contents):
    """A block of memory with these bytes: of a snapshot that was copied or pickled."""
    cdef Block block = Block(len(contents))
    memcpy(block.data, <const char*>contents, block.size)
    return block


cdef Block copied(Block block):
    """A copy of a block's memory; None of none."""
    return None if block is None else copied_to(Block(block.size), block)


cdef Block copied_to(Block target, Block source):
    memcpy(target.data, source.data, source.size)
    return target


cdef class ParameterSet:
    """A network's parameters, running statistics and averaged parameters at one moment."""
    cdef Block numbers          # the parameters, and after them the running statistics
    cdef Block average          # the averaged parameters, laid out like them; or None
    cdef Block folded           # the weights of the inference network, made when first read
    cdef bint folded_is_stale
    cdef readonly bint use_average   # predict by the average
    cdef readonly int64_t averaged   # the number of steps that the average has seen
    cdef tuple layout           # what decides where which number lies

    cdef ParameterSet sharing(self):
        """Another set of the same blocks."""
        cdef ParameterSet other = ParameterSet.__new__(ParameterSet)
        other.numbers = self.numbers
        other.average = self.average
        other.folded_is_stale = True
        other.use_average = self.use_average
        other.averaged = self.averaged
        other.layout = self.layout
        return other

    cdef Block source(self, bint training):
        """The parameters, or in prediction their average where that is in use."""
        with cython.critical_section(self):
            if self.use_average and self.average is not None and not training:
                return self.average
            return self.numbers

    cdef int disown(self, ParameterSet writer, Block for_numbers, Block for_average) except -1:
        """Give a set that shares these blocks, and is to be written, blocks of its own.

        A block that a reader holds stays with this set.  One that nobody reads goes to the
        writer, whose caches it is in, and this set gets a copy, in the memory passed.
        """
        with cython.critical_section(self):
            if Py_REFCNT(<PyObject*>self.numbers) > 2:
                writer.numbers = copied_to(for_numbers, self.numbers)
            else:
                self.numbers = copied_to(for_numbers, self.numbers)
            if self.average is None:
                return 0
            if Py_REFCNT(<PyObject*>self.average) > 2:
                writer.average = copied_to(for_average, self.average)
            else:
                self.average = copied_to(for_average, self.average)
        return 0

    cdef int own(self) except -1:
        """Copy the blocks that others hold too."""
        if Py_REFCNT(<PyObject*>self.numbers) > 1:
            self.numbers = copied(self.numbers)
        if self.average is not None and Py_REFCNT(<PyObject*>self.average) > 1:
            self.average = copied(self.average)
        return 0

    def tobytes(self):
        """The numbers as they lie in memory."""
        average = b"" if self.average is None else self.average.data[:self.average.size]
        return self.numbers.data[:self.numbers.size] + average


cdef class Gate:
    """One writer at a time; readers take a reference between two writers.

    Nothing in here runs Python code, so that no signal can leave it half done.
    """
    cdef PyThread_type_lock lock
    cdef bint writing
    cdef unsigned long writer   # the thread that writes
    cdef int depth              # how often it has entered
    cdef int waiting            # readers that wait for its end

    def __cinit__(self):
        self.lock = PyThread_allocate_lock()
        if self.lock == NULL:
            raise MemoryError("no memory for a lock")

    def __dealloc__(self):
        if self.lock != NULL:
            PyThread_free_lock(self.lock)

    cdef bint is_mine(self) noexcept:
        """Whether the calling thread is the writer."""
        return self.writing and self.writer == PyThread_get_thread_ident()

    cdef int acquire(self) except -1:
        """Take the lock; Ctrl-C ends the wait.

        A lock that is free is taken without letting go of the GIL, which another thread that trains
        a small network would take.
        """
        cdef int taken = PyThread_acquire_lock_timed(self.lock, 0, 0)
        while not taken:
            with nogil:
                taken = PyThread_acquire_lock_timed(self.lock, GATE_WAIT, 0)
            if not taken:
                PyErr_CheckSignals()
        return 0

    cdef int enter(self) except -1:
        """Become the writer, after those readers who wait for the last one's end."""
        cdef int turns = 0
        if self.is_mine():
            self.depth += 1
            return 0
        while self.waiting > 0 and turns < MOST_TURNS:
            with nogil:
                pause_microseconds(TURN_WAIT)
            turns += 1
        self.acquire()
        with cython.critical_section(self):
            self.writing = True
            self.writer = PyThread_get_thread_ident()
            self.depth = 1
        return 0

    cdef void leave(self) noexcept:
        self.depth -= 1
        if self.depth == 0:
            with cython.critical_section(self):
                self.writing = False
            PyThread_release_lock(self.lock)

    cdef int renew(self) except -1:
        """In a process made by fork: no other thread is there that could leave."""
        self.waiting = 0
        if not self.is_mine():
            PyThread_free_lock(self.lock)
            self.writing = False
            self.lock = PyThread_allocate_lock()
            if self.lock == NULL:
                raise MemoryError("no memory for a lock")
        return 0


cdef class Paused:
    """The context in which no other thread writes the parameters."""
    cdef Gate gate

    def __enter__(self):
        self.gate.enter()

    def __exit__(self, *error):
        self.gate.leave()


cdef class TrainingLock:
    """The context of a call of fit, one at a time; entered a second time it raises RuntimeError."""
    cdef readonly bint held
    cdef unsigned long owner

    def __enter__(self):
        cdef bint taken
        with cython.critical_section(self):
            taken = not self.held
            self.held = True
        if not taken:
            raise RuntimeError(
                "this network is in training already; wait until that call of fit returns, or "
                "train a copy (copy.deepcopy)"
            )
        self.owner = PyThread_get_thread_ident()

    def __exit__(self, *error):
        self.held = False

    def renew(self):
        """In a process made by fork: held only if the thread that forked holds it."""
        if self.owner != PyThread_get_thread_ident():
            self.held = False
