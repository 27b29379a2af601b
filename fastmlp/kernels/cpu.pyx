"""What this processor can run; built for the platform's baseline alone."""

cdef extern from "cpu.h" nogil:
    bint supports_v3()
    bint supports_v4()


def supported() -> tuple[str, ...]:
    """Instruction sets of this processor that fastmlp has builds for, the best first."""
    names = []
    if supports_v4():
        names.append("v4")
    if supports_v3():
        names.append("v3")
    return (*names, "baseline")
