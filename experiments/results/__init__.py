"""The pages of results, from the registry and the log of runs: nothing is trained here.

The full version goes to ``RESULTS.md``, which is kept in the repository, and ``runs/report.html``; others, of fewer
epochs, only below ``runs/``, under names of their own.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from experiments import ROOT
from experiments.errors import UserError
from experiments.registry import Cell
from experiments.reproduction.cell_runs import RunsOfCells
from experiments.reproduction.plan import Variant
from experiments.results import html_page, markdown_page
from experiments.results.tables import sections


def write(variant: Variant, cells: Iterable[Cell], runs: RunsOfCells, tables_alone: bool = False) -> list[Path]:
    """Write the pages; where they are.

    Args:
        variant: which version of the tables.
        cells: of all its entries.
        runs: the log.
        tables_alone: leave out ``report.html``, which takes its time.

    Raises:
        UserError: if one cannot be written.
    """
    found = sections(cells, runs)
    own_runs = runs.runs_dir.resolve() == (ROOT / "runs").resolve()
    page = ROOT / "RESULTS.md" if variant.is_full and own_runs else runs.runs_dir / f"RESULTS{_suffix(variant)}.md"
    report = runs.runs_dir / f"report{_suffix(variant)}.html"
    _write(page, markdown_page.page(variant, found))
    if tables_alone:
        return [page]
    _write(report, html_page.page(variant, found, runs))
    return [page, report]


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(text)
        aside.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)


def _suffix(variant: Variant) -> str:
    return "" if variant.is_full else f"-{variant.name}"
