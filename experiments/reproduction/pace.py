"""How long what is left will take, from the speeds of what was run."""

from collections.abc import Iterable, Mapping

import numpy as np

from experiments.registry import Cell
from experiments.reproduction.cell_runs import CellRun
from experiments.reproduction.plan import DONE, NO_DATA, Task


class Pace:
    """Seconds that an epoch of each cell takes.

    A cell that was never run is judged by others of its model and shape of data: those of its row; else, where rows
    are numbers, by a straight line through those that were; else by their mean.

    Args:
        runs: of each cell that was run, by the cell's name.
    """

    def __init__(self, runs: Mapping[str, tuple[Cell, list[CellRun]]]):
        self._seconds: dict[str, float] = {}
        self._cells = {name: cell for name, (cell, _) in runs.items()}
        for name, (_, own) in runs.items():
            if known := [run.seconds_per_epoch for run in own if run.seconds_per_epoch is not None]:
                self._seconds[name] = known[-1]

    def seconds_per_epoch(self, cell: Cell) -> float | None:
        """Measured or judged; None where nothing like it was run."""
        if cell.name in self._seconds:
            return self._seconds[cell.name]
        table = [
            (own.row, self._seconds[name])
            for name, own in self._cells.items()
            if name in self._seconds and _kind(own) == _kind(cell)
        ]
        if not table:
            return None
        if same_row := [seconds for row, seconds in table if row == cell.row]:
            return float(np.mean(same_row))
        rows = {row for row, _ in table}
        if len(rows) > 1 and all(isinstance(row, int | float) for row in [*rows, cell.row]):
            slope, offset = np.polyfit([row for row, _ in table], [seconds for _, seconds in table], 1)
            return max(float(offset + slope * cell.row), min(seconds for _, seconds in table))
        return float(np.mean([seconds for _, seconds in table]))

    def seconds_left(self, tasks: Iterable[Task], jobs: int) -> float | None:
        """Until all ``tasks`` are done, ``jobs`` at a time; None while no speed is known for one of them."""
        each_once = {task.key: task for task in tasks}.values()
        left = [task for task in each_once if task.standing not in (DONE, NO_DATA)]
        each = [self.seconds_per_epoch(task.cell) for task in left]
        if any(seconds is None for seconds in each):
            return None
        times = [task.epochs_left * seconds for task, seconds in zip(left, each, strict=True) if seconds is not None]
        return max([sum(times) / jobs, *times], default=0.0)


def _kind(cell: Cell) -> tuple[object, ...]:
    """What cells share whose speeds can be compared."""
    return tuple(cell.numbers[key] for key in ("model", "seg_num", "batch_size"))
