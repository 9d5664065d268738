"""Whether MXNet's build for GPUs has machine code for a GPU. Imports no MXNet."""

import ctypes

LIBRARY = "libcuda.so.1"  # NVIDIA's driver, without which that build cannot be imported
NO_DRIVER = (
    f"MXNet's build for GPUs needs NVIDIA's driver, and {LIBRARY} is not here; make setup GPU=0 takes the one for CPUs"
)
# mxnet-cu117 1.9.1 holds machine code for 5.0, 6.0, 7.0, 8.0 and 8.6, each of which later minor versions run too, and
# no PTX, from which a driver could make code for what came afterwards.
LOWEST, HIGHEST = (5, 0), (8, 9)
_MAJOR, _MINOR = 75, 76  # of cuda.h's CUdevice_attribute


def refusal(number: int, library: str = LIBRARY) -> str | None:
    """Why MXNet cannot use GPU ``number`` as CUDA counts them; None where it can, or nobody can tell."""
    found = capability(number, library)
    return None if found is None else verdict(number, found)


def verdict(number: int, found: tuple[int, int]) -> str | None:
    """Why GPU ``number``, of the compute capability ``found``, is not served; None if it is."""
    if LOWEST <= found <= HIGHEST:
        return None
    age = "new" if found > HIGHEST else "old"
    return (
        f"GPU {number} has compute capability {_text(found)} and is too {age}: mxnet-cu117 1.9.1 has code for "
        f"{_text(LOWEST)} to {_text(HIGHEST)}; take another GPU, or runtime.devices=cpu"
    )


def capability(number: int, library: str = LIBRARY) -> tuple[int, int] | None:
    """The compute capability of GPU ``number``, asked of the driver; None where there is no driver or no such GPU."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return None
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    failed = (
        cuda.cuInit(0)
        or cuda.cuDeviceGet(ctypes.byref(device), number)
        or cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    )
    return None if failed else (major.value, minor.value)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
