"""What is to be run: cells and seeds, which of them are done, and in which order the rest comes."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from experiments import journal, registry
from experiments.errors import UserError
from experiments.registry import Cell
from experiments.reproduction.cell_runs import ALIVE, CellRun, RunsOfCells, key_of

PAPER_TAGS = {"paper", "question"}  # entries that are reproduced
DONE, RUNNING, STOPPED, WAITING, NO_DATA = "done", "running", "stopped", "waiting", "no data"


@dataclass(frozen=True)
class Variant:
    """A version of all tables; runs of one are never shown as another's.

    Attributes:
        name: ``full``, ``quick`` or ``epochs-N``.
        epochs: in place of the entries' own; None for these, and for ``quick``, where each entry has its number.
    """

    name: str = "full"
    epochs: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether the published recipes are run as they are."""
        return self.name == "full"

    def cells(self) -> list[Cell]:
        """The cells of all entries, entry by entry."""
        found = []
        for name in registry.names():
            entry = registry.load(name)
            if not PAPER_TAGS & set(entry.tags):
                continue
            if self.name != "quick":
                found += registry.cells(entry, self.epochs)
            elif entry.grid and entry.grid.quick:
                quick = entry.grid.quick
                found += [own for own in registry.cells(entry, quick["epochs"]) if own.row in quick["rows"]]
        return found


@dataclass(frozen=True)
class Task:
    """One cell with one seed.

    Attributes:
        cell: which.
        seed: with which.
        standing: one of the words above.
        run: that is done, running or stopped; None otherwise.
    """

    cell: Cell
    seed: int
    standing: str
    run: CellRun | None

    @property
    def name(self) -> str:
        """The cell's, with the seed where it is not 0."""
        return self.cell.name + (f" seed {self.seed}" if self.seed else "")

    @property
    def key(self) -> tuple[str, int]:
        """The same for cells of several entries that are one run."""
        return key_of(self.cell.numbers), self.seed

    @property
    def epochs_left(self) -> int:
        """To be made."""
        if self.standing == DONE:
            return 0
        return self.cell.numbers["epochs"] - (self.run.epochs if self.run else 0)

    def words(self) -> list[str]:
        """What the command line says after ``with``."""
        if self.standing == STOPPED and self.run:
            return [f"resume={self.run.run_id}"]
        return command_words(self.cell, self.seed)


def command_words(cell: Cell, seed: int = 0) -> list[str]:
    """What the command line says after ``with`` to run ``cell``."""
    updates = [f"{key}={value}".replace(" ", "") for key, value in cell.updates.items()]
    return [f"experiment={cell.entry.name}", *updates, *([f"seed={seed}"] if seed else [])]


def replicates_of(cell: Cell, replicates: int | None) -> int:
    """How many seeds ``cell`` is run with: ``replicates``, or what its entry says."""
    return replicates or (cell.entry.grid.replicates if cell.entry.grid else 1)


def chosen(cells: list[Cell], patterns: list[str]) -> list[Cell]:
    """The cells that one of ``patterns`` names, as the shell's wildcards do; all without patterns.

    Raises:
        UserError: if a pattern names none.
    """
    for pattern in patterns:
        if not any(_names(pattern, cell) for cell in [*cells, *Variant().cells()]):
            examples = f"{cells[0].name} or {cells[-1].name}"
            raise UserError(f"CELLS: {pattern} names no cell; one is called {examples}, and '*' stands for any text")
    return [cell for cell in cells if not patterns or any(_names(pattern, cell) for pattern in patterns)]


def plan(cells: Iterable[Cell], replicates: int | None, runs: RunsOfCells) -> list[Task]:
    """A task for each cell and seed, in the order in which they are run.

    What an entry names first comes first; of these and of the rest, the paper's before other questions, and every
    cell once before its replicates.
    """
    tasks = [task_of(cell, seed, runs) for cell in cells for seed in range(replicates_of(cell, replicates))]
    return sorted(tasks, key=lambda task: (not _is_first(task.cell), "paper" not in task.cell.entry.tags, task.seed))


def task_of(cell: Cell, seed: int, runs: RunsOfCells) -> Task:
    """How ``cell`` stands with ``seed``."""
    own = runs.of(cell, seed)
    for standing, found in (
        (DONE, [run for run in own if run.is_complete]),
        (RUNNING, [run for run in own if run.status == ALIVE]),
    ):
        if found:
            return Task(cell, seed, standing, found[0])
    if runs.missing_data(cell):
        return Task(cell, seed, NO_DATA, None)
    stopped = [run for run in own if run.status != journal.COMPLETED and isinstance(run.run_id, int)]
    if stopped:
        return Task(cell, seed, STOPPED, max(stopped, key=lambda run: run.epochs))
    return Task(cell, seed, WAITING, None)


def _is_first(cell: Cell) -> bool:
    grid = cell.entry.grid
    return grid is not None and cell.column is not None and cell.row in grid.first.get(cell.column, [])


def _names(pattern: str, cell: Cell) -> bool:
    return fnmatchcase(cell.name, pattern) or cell.name.startswith(f"{pattern}/")
