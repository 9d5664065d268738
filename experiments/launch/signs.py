"""What /proc says of the processes of a group: whether they are stopped, how much they work, whom they reach."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def is_stopped(group: int) -> bool:
    """Whether a process of the group was stopped, as by SIGSTOP; a debugger's hold is another state."""
    return any(fields[0] == "T" for _, fields in _members(group))


def cpu_seconds(group: int) -> float:
    """What the group's living processes have computed, with their children that have ended."""
    return sum(sum(map(int, fields[11:15])) for _, fields in _members(group)) / _TICKS


def unanswered(group: int) -> list[str]:
    """The addresses to which the kernel sends again what the group has sent, since it was not confirmed.

    A machine that is cut off is such. One that is up confirms for a process that is stopped or busy.
    """
    found = set()
    for process, _ in _members(group):
        with suppress(OSError):
            own = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
            for line in (process / "net" / "tcp").read_text().splitlines()[1:]:
                words = line.split()
                timer, again, inode = words[5].partition(":")[0], int(words[6], 16), words[9]
                if timer == "01" and again and f"socket:[{inode}]" in own:
                    found.add(socket.inet_ntoa(struct.pack("=I", int(words[2].partition(":")[0], 16))))
    return sorted(found)


def _members(group: int) -> Iterator[tuple[Path, list[str]]]:
    """Of each process of the group its folder and the fields of its ``stat`` from the third, its state, on."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    yield entry, fields
