"""Numbers too small for a float's full precision are taken for 0, as torch's ``set_flush_denormal`` does it.

A saturated softmax has gradients of 1e-20, whose squares in Adam's second moment are such subnormal numbers. They
change no result, and a CPU takes many times as long for each: a training step of such a net ran in two thirds of the
time without them.
"""

import ctypes
import platform

import numpy as np

_MXCSR = 7  # the control register's place in glibc's fenv_t for x86-64, in words of four bytes
_FLUSH_TO_ZERO, _SUBNORMALS_ARE_ZERO = 0x8000, 0x0040


def flush_to_zero() -> None:
    """Do so in this thread and those it starts from now on; call it before MXNet starts its own."""
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return
    for kind in (np.float16, np.float32, np.float64):
        np.finfo(kind)  # found once, and warned of where subnormal numbers are gone by then
    libm = ctypes.CDLL("libm.so.6")
    environment = (ctypes.c_uint32 * 8)()
    if libm.fegetenv(environment) == 0:
        environment[_MXCSR] |= _FLUSH_TO_ZERO | _SUBNORMALS_ARE_ZERO
        libm.fesetenv(environment)
