"""The runs that an entry stands for: one, or one for each cell of its grid."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from experiments.registry.schema import Entry


@dataclass(frozen=True)
class Published:
    """One number that somebody published of a cell.

    Attributes:
        metric: by our name for it.
        value: a fraction of 1.
        tolerance: how far a reproduction may be off, a fraction of 1.
        source: where it stands.
    """

    metric: str
    value: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Cell:
    """One configuration of an entry, which may be run with several seeds.

    Attributes:
        name: ``ENTRY`` or ``ENTRY/COLUMN/ROW``.
        entry: which it is a cell of.
        column, row: its place in the grid; None without one.
        updates: what it changes of the entry, as the command line says it after ``with``.
        numbers: the whole configuration, flat.
        published: what it is held against.
    """

    name: str
    entry: Entry
    column: str | None
    row: Any
    updates: dict[str, Any]
    numbers: dict[str, Any]
    published: list[Published]


def cells(entry: Entry, epochs: int | None = None) -> list[Cell]:
    """All cells of ``entry``, in the order in which they are run.

    Args:
        entry: any.
        epochs: in place of the entry's own.
    """
    short = {} if epochs is None else {"epochs": epochs}
    if entry.grid is None:
        return [_cell(entry.name, entry, None, None, short)]
    return [
        _cell(f"{entry.name}/{column}/{row}", entry, column, row, {**entry.grid.updates(column, row), **short})
        for column, row in entry.grid.cells()
    ]


def _cell(name: str, entry: Entry, column: str | None, row: Any, updates: dict[str, Any]) -> Cell:
    numbers = {**flatten(entry), **updates}
    return Cell(name, entry, column, row, updates, numbers, _published(entry, column, row))


def cell_of(entry: Entry, numbers: Mapping[str, Any]) -> Cell | None:
    """The cell that a run with these ``numbers`` belongs to, whatever else it changed; None if there is none."""
    found = [
        own
        for own in cells(entry)
        if all(key in numbers and numbers[key] == value for key, value in own.updates.items())
    ]
    return found[0] if found else None


def flatten(entry: Entry) -> dict[str, Any]:
    """The entry's numbers as one flat configuration, the model's name under ``model``."""
    arguments = {key: value for key, value in entry.model.items() if key != "name"}
    return {"model": entry.model["name"], **arguments, **asdict(entry.data), **asdict(entry.training)}


def _published(entry: Entry, column: str | None, row: Any) -> list[Published]:
    found = []
    for reference in entry.references:
        for metric, value in reference.metrics.items():
            if isinstance(value, dict):
                assert entry.grid is not None
                if column not in value:
                    continue
                value = value[column][entry.grid.values.index(row)]
            tolerance = min(reference.tolerance, value / 2)
            found.append(Published(metric, value, tolerance, reference.source))
    return found
