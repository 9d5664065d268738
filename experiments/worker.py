"""Which worker of a job this process is: ``experiments.launch`` says it through the environment."""

import os

RANK, WORKERS = "EXPERIMENTS_WORKER", "EXPERIMENTS_WORKERS"


def share() -> tuple[int, int]:
    """This worker's number, from 0, and how many there are: (0, 1) where nobody launched several."""
    return int(os.environ.get(RANK, "0")), int(os.environ.get(WORKERS, "1"))


def is_first() -> bool:
    """Whether this is the worker that records the run and speaks to the user."""
    return share()[0] == 0
