"""How many threads compute: one for each core that this process may use.

MXNet alone takes half of the processors it sees, as if each core had two, whatever it runs on and is allowed: on two
cores a training step took 1.3 (Attention Cluster) and 1.5 times (AttentionLSTM) as long so.
"""

import math
import os
from pathlib import Path

_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of processor time in so many of the clock


def use_all_cores() -> None:
    """Let MXNet do so, if nobody has said how many threads it takes; call it before MXNet is imported."""
    os.environ["OMP_NUM_THREADS"] = str(number())


def number() -> int:
    """How many threads are to compute: what somebody has said, or one a core."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else cores()


def cores() -> int:
    """Cores that this process may use: two processors that share one count once, and no more than a quota allows."""
    processors = _allowed()
    return max(1, min(len({_core(processor) for processor in processors}), _quota(len(processors))))


def _allowed() -> set[int]:
    """The processors that this process may use, by number; where the system knows no such limit, all."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _core(processor: int) -> str:
    """What is the same for the processors of one core."""
    try:
        return Path(_SIBLINGS.format(processor)).read_text()
    except OSError:  # the system does not say
        return str(processor)


def _quota(processors: int) -> int:
    """How many of ``processors`` a container may keep busy."""
    try:
        allowed, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        return processors
    return processors if allowed == "max" else math.ceil(int(allowed) / int(period))
