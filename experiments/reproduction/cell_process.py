"""A cell run in a fresh process, which does not outlive the one that started it."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from datasets.cluster import Seat
from experiments import ROOT, child
from experiments.registry import Cell
from experiments.reproduction.cell_runs import RunsOfCells
from experiments.reproduction.plan import DONE, NO_DATA, RUNNING, task_of
from experiments.threads import cores

INTERRUPTED = "interrupted"
LOOK_SECONDS = 0.5  # between looks whether it is still wanted


@dataclass(frozen=True)
class Order:
    """What all cells are told.

    Attributes:
        runs_dir: where runs lie.
        data_root: where data lie, below the project where it is no absolute path.
        runtime: words of the form ``runtime.KEY=VALUE``.
        slots: cells that each machine runs at once; each computes on its share of the cores.
    """

    runs_dir: Path
    data_root: str
    runtime: tuple[str, ...]
    slots: dict[str, int]


def run(cell: Cell, seed: int, order: Order, seat: Seat) -> str:
    """Run ``cell``, or what is missing of it; the result is empty, or says in a line why it failed.

    What is missing is looked up here and now: a worker of a cluster may have been lost with the cell half done, and
    even after it was done.
    """
    runs = RunsOfCells(order.runs_dir, order.data_root)
    while not seat.stopped():
        runs.refresh()
        task = task_of(cell, seed, runs)
        if task.standing == DONE:
            return ""
        if task.standing == NO_DATA:
            return f"on {seat.host}: {runs.missing_data(cell)}"
        if task.standing != RUNNING:
            return _train(task.words(), order, seat)
        time.sleep(LOOK_SECONDS)  # somebody is at work on it, or has not yet noticed that he is not to be any more
    return INTERRUPTED


def _train(words: list[str], order: Order, seat: Seat) -> str:
    threads = max(1, cores() // order.slots.get(seat.host, 1))
    command = [sys.executable, str(ROOT / "experiments" / "run.py"), "with", *words, *order.runtime]
    with tempfile.TemporaryFile() as said:
        process = child.start(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C in the terminal is for the first process, which then ends them
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        while True:
            try:
                code = process.wait(LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if seat.stopped():
                    child.stop(process)  # a run that is asked to ends in order
                    return INTERRUPTED
        if code == 0:
            return ""
        said.seek(0)
        lines = [line for line in said.read().decode(errors="replace").replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"it ended with code {code} and no word"
