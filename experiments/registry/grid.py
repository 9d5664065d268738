"""A table of runs in one entry: ``grid:`` names its rows and columns, each crossing is a cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.errors import UserError
from experiments.registry.checks import check_keys, check_kind, unknown


@dataclass(frozen=True)
class Grid:
    """Rows and columns of a table of runs.

    Attributes:
        rows: one key of the entry and the values that it takes, a row each.
        columns: by a column's name, the keys of the entry that make it what it is, and their values.
        first: by a column's name, the rows that are run before all others, in this order.
        replicates: runs of each cell, with seeds 0, 1, ...
        quick: ``rows`` and ``epochs`` of the short version of the table; empty for none.
    """

    rows: dict[str, list[Any]]
    columns: dict[str, dict[str, Any]]
    first: dict[str, list[Any]]
    replicates: int
    quick: dict[str, Any]

    @property
    def key(self) -> str:
        """The key whose values are the rows."""
        return next(iter(self.rows))

    @property
    def values(self) -> list[Any]:
        """Of the rows."""
        return self.rows[self.key]

    def cells(self) -> list[tuple[str, Any]]:
        """Column and row of every cell, in the order in which they are run: row by row, the ``first`` before."""
        first = [(column, row) for column, rows in self.first.items() for row in rows]
        return list(dict.fromkeys([*first, *((column, row) for row in self.values for column in self.columns)]))

    def updates(self, column: str, row: Any) -> dict[str, Any]:
        """What a cell changes of the entry."""
        return {self.key: row, **self.columns[column]}


HINTS = {
    "rows": dict[str, list[Any]],
    "columns": dict[str, dict[str, Any]],
    "first": dict[str, list[Any]],
    "replicates": int,
    "quick": dict[str, Any],
}


def read_grid(block: Mapping[str, Any], keys: Mapping[str, Any], where: str) -> Grid:
    """The grid of an entry.

    Args:
        block: as the YAML has it.
        keys: the entry's own keys, which alone a cell may change.
        where: the entry, for messages.

    Raises:
        UserError: if it breaks the schema, or names a key, row or column that there is not.
    """
    where = f"{where}: grid"
    check_keys(block, HINTS, where)
    grid = Grid(**block)
    if len(grid.rows) != 1 or not grid.values or not grid.columns:
        raise UserError(f"{where}: rows is one key with the values that it takes, columns at least one")
    for key in [grid.key, *(key for column in grid.columns.values() for key in column)]:
        if key not in keys:
            raise unknown("key", key, keys, where)
    if not all(isinstance(row, str | int | float) for row in grid.values):
        raise UserError(f"{where}: rows are numbers or words, not {grid.values}")
    if len(set(grid.values)) < len(grid.values):
        raise UserError(f"{where}: a row stands twice in {grid.values}")
    if any(grid.key in column for column in grid.columns.values()):
        raise UserError(f"{where}: {grid.key} is the rows' key and cannot be a column's")
    for row in grid.values:
        check_kind(grid.key, row, keys[grid.key], where)
    for settings in grid.columns.values():
        for key, value in settings.items():
            check_kind(key, value, keys[key], where)
    for column, rows in grid.first.items():
        if column not in grid.columns:
            raise unknown("column", column, grid.columns, f"{where}: first")
        _check_rows(rows, grid, f"{where}: first")
    if grid.quick:
        check_keys(grid.quick, {"rows": list[Any], "epochs": int}, f"{where}: quick")
        _check_rows(grid.quick["rows"], grid, f"{where}: quick")
        if grid.quick["epochs"] < 1:
            raise UserError(f"{where}: quick: epochs={grid.quick['epochs']} is not at least 1")
    if grid.replicates < 1:
        raise UserError(f"{where}: replicates={grid.replicates} is not at least 1")
    return grid


def check_table(name: str, table: Mapping[str, Any], grid: Grid | None, where: str) -> None:
    """Hold a published table, ``{column: a value a row}``, against the grid.

    Raises:
        UserError: if it has another shape.
    """
    if grid is None:
        raise UserError(f"{where}: {name} is a table, but the entry has no grid")
    for column, values in table.items():
        if column not in grid.columns:
            raise unknown("column", column, grid.columns, where)
        if len(values) != len(grid.values):
            raise UserError(f"{where}: {name}: {column} has {len(values)} values for {len(grid.values)} rows")


def _check_rows(rows: list[Any], grid: Grid, where: str) -> None:
    for row in rows:
        if row not in grid.values:
            raise UserError(f"{where}: {row} is none of the rows {grid.values}")
