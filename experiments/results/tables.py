"""What the pages of results say, as data: the registry's numbers beside the log's."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments import registry
from experiments.registry import Cell, Entry, Published
from experiments.reproduction import verdict
from experiments.reproduction.cell_runs import ALIVE, CellRun, RunsOfCells
from experiments.reproduction.verdict import Verdict


@dataclass(frozen=True)
class Score:
    """One metric of one cell, published and measured.

    Attributes:
        metric: our name for it.
        published: None where nobody published it.
        verdict: on the values of all complete runs.
    """

    metric: str
    published: Published | None
    verdict: Verdict


@dataclass(frozen=True)
class Result:
    """What is known of one cell.

    Attributes:
        cell: which.
        runs: complete ones, one a seed, in the order of their seeds.
        going: how many are at work now.
        scores: of every published metric; where nothing is published, of the one that the recipe selects by.
    """

    cell: Cell
    runs: list[CellRun]
    going: int
    scores: list[Score]


@dataclass(frozen=True)
class Section:
    """One entry.

    Attributes:
        entry: which.
        title: the comment at the head of its file.
        epochs: that its cells were to be trained.
        results: of its cells, in the order of the table.
        no_data: why it cannot be run here, and what to do; None if it can.
        stale: complete runs of its numbers that do not count, and why.
    """

    entry: Entry
    title: str
    epochs: int
    results: list[Result]
    no_data: str | None
    stale: list[str]

    @property
    def done(self) -> list[Result]:
        """Those with a complete run."""
        return [own for own in self.results if own.runs]

    def at(self, column: str, row: Any) -> Result | None:
        """The result of one cell of the grid; None if this version of the table has no such cell."""
        return next((own for own in self.results if (own.cell.column, own.cell.row) == (column, row)), None)

    @property
    def columns(self) -> list[str]:
        """Of the grid, in its order."""
        return list(self.entry.grid.columns) if self.entry.grid else []

    @property
    def rows(self) -> list[Any]:
        """Of the grid, in its order, those that this version of the table has."""
        present = {own.cell.row for own in self.results}
        return [row for row in self.entry.grid.values if row in present] if self.entry.grid else []


def sections(cells: Iterable[Cell], runs: RunsOfCells) -> list[Section]:
    """A section for each entry of ``cells``; those with results and data come first."""
    by_entry: dict[str, list[Cell]] = {}
    for cell in cells:
        by_entry.setdefault(cell.entry.name, []).append(cell)
    found = [_section(own, runs) for own in by_entry.values()]
    return sorted(found, key=lambda own: (own.no_data is not None, "paper" not in own.entry.tags))


def _section(cells: list[Cell], runs: RunsOfCells) -> Section:
    entry = cells[0].entry
    results = [_result(cell, runs) for cell in cells]
    if entry.grid:
        values, columns = entry.grid.values, list(entry.grid.columns)
        results.sort(key=lambda own: (values.index(own.cell.row), columns.index(own.cell.column or "")))
    epochs = cells[0].numbers["epochs"]
    stale = [line for cell in cells for line in runs.stale(cell)]
    return Section(entry, _title(entry.name), epochs, results, runs.missing_data(cells[0]), stale)


def _result(cell: Cell, runs: RunsOfCells) -> Result:
    complete: dict[int, CellRun] = {}
    for run in runs.of(cell):
        if run.is_complete:
            complete.setdefault(run.seed, run)
    used = [complete[seed] for seed in sorted(complete)]
    going = sum(run.status == ALIVE for run in runs.of(cell))
    published: dict[str, Published] = {}
    for own in cell.published:
        published.setdefault(own.metric, own)
    metrics = list(published) or [cell.numbers["select_by"]]
    is_recipe = "epochs" not in cell.updates
    return Result(cell, used, going, [_score(metric, published.get(metric), used, is_recipe) for metric in metrics])


def _score(metric: str, published: Published | None, runs: list[CellRun], is_recipe: bool) -> Score:
    values = [value for own in runs if (value := own.final(metric)) is not None]
    judged = verdict.judge(values, published)
    if not is_recipe and values:  # fewer epochs than published are neither reproduction nor miss
        judged = replace(judged, word="")
    return Score(metric, published, judged)


def _title(name: str) -> str:
    """The comment at the head of the entry's file."""
    lines = Path(registry.FOLDER / f"{name}.yaml").read_text().splitlines()
    head = [
        line.removeprefix("#").strip()
        for line in lines[: next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)]
    ]
    return " ".join(head)
