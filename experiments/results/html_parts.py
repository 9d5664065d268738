"""Pieces of HTML: escaped text, tables, anchors."""

import re
from collections.abc import Iterable
from html import escape

from experiments.registry import Cell
from experiments.reproduction.cell_runs import CellRun


def prose(text: str) -> str:
    """``text`` with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def link(place: str, content: str) -> str:
    """``content``, which is HTML, as a link to a place of this page."""
    return f'<a href="#{escape(place)}">{content}</a>'


def run_anchor(run: CellRun) -> str:
    """Where the page says what ``run`` was."""
    return f"run-{_plain(str(run.run_id))}"


def cell_anchor(cell: Cell) -> str:
    """Where the page has the details of ``cell``."""
    return f"cell-{_plain(cell.name)}"


def td(content: str, kind: str = "") -> str:
    """A table's cell, of the class ``kind``."""
    return f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"


def th(content: str) -> str:
    """The head of a row."""
    return f'<th scope="row">{content}</th>'


def table(caption: str, head: Iterable[str], rows: Iterable[str]) -> str:
    """A table that scrolls sideways by itself where it is too wide.

    Args:
        caption: of the table.
        head: titles of the columns.
        rows: HTML of each, its cells and what surrounds them.
    """
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def tr(cells: Iterable[str], anchor: str = "") -> str:
    """A row, which ``anchor`` is the id of."""
    start = f'<tr id="{anchor}">' if anchor else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def listed(items: Iterable[str]) -> str:
    """A list of items that are HTML."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)
