"""What /proc says of the processes of a group: whether they are stopped, how much they work, whom they reach."""

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

_TICKS = os.sysconf("SC_CLK_TCK")
# A socket's timers: what was sent is not confirmed; the other side has said, or not said, that it can take more.
_SENDS_AGAIN, _ASKS_AGAIN = "01", "04"


class Signs(TypedDict):
    """Signs of life.

    Attributes:
        stopped: whether a process was stopped, as by SIGSTOP; a debugger's hold is another state.
        cpu_seconds: what the living processes have computed, with their children that have ended.
        unanswered: the addresses to which the kernel sends something again, since it was not confirmed. A machine that
            is cut off is such; one that is up confirms for a process that is stopped or busy, too.
    """

    stopped: bool
    cpu_seconds: float
    unanswered: list[str]


def of_group(group: int) -> Signs:
    """The signs of life of a process group."""
    found = Signs(stopped=False, cpu_seconds=0.0, unanswered=[])
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):  # it has ended
            # From the third field, the state, on: the name before it may hold anything.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found["stopped"] |= fields[0] == "T"
                found["cpu_seconds"] += sum(map(int, fields[11:15])) / _TICKS
                found["unanswered"] += _unanswered(process)
    return found


def _unanswered(process: Path) -> set[str]:
    own = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
    found = set()
    for line in (process / "net" / "tcp").read_text().splitlines()[1:]:
        words = line.split()
        timer, inode = words[5].partition(":")[0], words[9]
        in_vain = {_SENDS_AGAIN: int(words[6], 16), _ASKS_AGAIN: int(words[8])}.get(timer, 0)  # times
        if in_vain and f"socket:[{inode}]" in own:
            found.add(socket.inet_ntoa(struct.pack("=I", int(words[2].partition(":")[0], 16))))
    return found
