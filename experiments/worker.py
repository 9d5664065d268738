"""Which worker of a job this process is: ``experiments.launch`` says it through the environment."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

RANK, WORKERS = "EXPERIMENTS_WORKER", "EXPERIMENTS_WORKERS"
RUN_LINK = "EXPERIMENTS_RUN_LINK"  # a descriptor, of a socket by which the launcher hears of the run


def share() -> tuple[int, int]:
    """This worker's number, from 0, and how many there are: (0, 1) where nobody launched several."""
    return int(os.environ.get(RANK, "0")), int(os.environ.get(WORKERS, "1"))


def is_first() -> bool:
    """Whether this is the worker that records the run and speaks to the user."""
    return share()[0] == 0


def tell_run(folder: Path, command: str) -> None:
    """Tell the launcher, if there is one, in which folder this worker records its run, and what the run does.

    Waits until the launcher knows: from then on it sees to it that the record says how the run ended.
    """
    link = os.environ.get(RUN_LINK)
    if link is None:
        return
    with suppress(OSError, ValueError):  # of a process that was started without it
        if stat.S_ISSOCK(os.fstat(int(link)).st_mode):
            os.write(int(link), json.dumps({"run": str(folder.absolute()), "command": command}).encode() + b"\n")
            os.read(int(link), 1)
