"""What /proc says of the processes of a group: whether they are stopped, how much they work."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def is_stopped(group: int) -> bool:
    """Whether a process of the group was stopped, as by SIGSTOP; a debugger's hold is another state."""
    return any(fields[0] == "T" for fields in _members(group))


def cpu_seconds(group: int) -> float:
    """What the group's living processes have computed, with their children that have ended."""
    return sum(sum(map(int, fields[11:15])) for fields in _members(group)) / _TICKS


def _members(group: int) -> Iterator[list[str]]:
    """Of each process of the group the fields of its ``stat`` from the third, its state, on."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    yield fields
