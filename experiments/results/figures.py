"""Figures of a section: what was measured beside what was published, row by row, and how training went."""

from collections.abc import Sequence
from functools import partial
from html import escape
from itertools import cycle, islice
from statistics import fmean
from typing import Any

from experiments.reproduction.cell_runs import CellRun
from experiments.results import svg
from experiments.results.html_parts import run_anchor
from experiments.results.tables import Result, Score, Section
from experiments.summary import TITLES

MOST_POINTS = 150  # of a curve; of more, means of neighbours are drawn
# From dark to light, for rows, which have an order. Dashes tell them apart too.
SHADES = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0bf1f", "#d0a800")
DASHES = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (1, 1)))

Points = list[tuple[float, float]]


def by_row(section: Section, metric: str) -> str:
    """``metric`` of every column over the rows, where these are numbers; empty where they are not."""
    rows = section.rows
    if not rows or not all(isinstance(row, int | float) and not isinstance(row, bool) for row in rows):
        return ""
    assert section.entry.grid is not None
    key, title = section.entry.grid.key, TITLES[metric]
    with_published = any(score.published for result in section.results for score in result.scores)
    what = "measured (solid) and published (dashed)" if with_published else "measured"
    description = f"{title} in percent by {key}, {what}"

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for column, colour, marker in zip(section.columns, cycle(svg.COLOURS), cycle(svg.MARKERS)):
            _column(axes, section, column, metric, {"color": colour, "marker": marker})
        if min(rows) > 0:
            axes.set_xscale("log", base=2)
        axes.set_xticks(rows, [str(row) for row in rows], minor=False)
        axes.minorticks_off()
        axes.set(xlabel=key, ylabel=f"{title}, %", ylim=(0, None))
        _legend(figure, section.columns, with_published)

    name = f"by-row-{section.entry.name}-{metric}"
    return _figure(svg.drawing(name, description, (4.5, 3.9), draw), _caption(description, with_published), "one")


def curves(section: Section) -> str:
    """The metric that the recipe selects by, and the training loss, of every complete run by epoch."""
    metric = section.results[0].cell.numbers["select_by"]
    drawn = [
        _panels(
            section, f"validate.{metric}", f"{TITLES[metric]} on the split {section.entry.data.valid_split}, %", 100
        ),
        _panels(section, "train.loss", "training loss, logarithmic", 1),
    ]
    return _row_legend(section) + "".join(drawn)


def _panels(section: Section, name: str, what: str, factor: float) -> str:
    """A drawing for each column, all of one scale, with a line for every run; ``factor`` times the curve ``name``."""
    looks = dict(zip(section.rows, zip(_shades(section), cycle(DASHES)), strict=False))
    lines: dict[str | None, list[tuple[CellRun, Any, Points]]] = {}
    for result in section.results:
        for run in result.runs:
            if points := _by_epoch(run, name, factor):
                lines.setdefault(result.cell.column, []).append((run, result.cell.row, points))
    values = [value for own in lines.values() for _, _, points in own for _, value in points]
    if not values:
        return ""
    is_log = name == "train.loss" and min(values) > 0

    def draw(figure: Any, column: str | None) -> None:
        from matplotlib import ticker

        axes = figure.subplots()
        for run, row, points in lines[column]:
            shade, dashes = looks.get(row, (svg.COLOURS[0], "-"))
            marker = "o" if len(points) == 1 else None
            (line,) = axes.plot(*zip(*points, strict=True), color=shade, linestyle=dashes, marker=marker)
            line.set_url(f"#{run_anchor(run)}")
        axes.set(title=column.replace("_", " ") if column else "", xlabel="epoch", ylabel=what.split(",")[0])
        limits = (min(values) / 1.2, max(values) * 1.2) if is_log else (0, 1.05 * max(values) or 1.0)
        axes.set(xlim=(0, None), ylim=limits)
        if is_log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(ticker.NullLocator())

    drawn = [
        svg.drawing(
            f"{name.replace('.', '-')}-{section.entry.name}-{column}",
            f"{what}, by epoch: {column.replace('_', ' ') if column else section.entry.name}",
            (3.6, 2.6),
            partial(draw, column=column),
        )
        for column in [own for own in [*section.columns, None] if own in lines]
    ]
    panels = "".join(f"<div>{own}</div>" for own in drawn)
    caption = escape(f"{what[:1].upper()}{what[1:]}, by epoch; a line is a run, and a link to it.")
    return f'<figure><div class="panels">{panels}</div><figcaption>{caption}</figcaption></figure>'


def _row_legend(section: Section) -> str:
    if section.entry.grid is None:
        return ""
    shades = zip(section.rows, _shades(section), strict=True)
    keys = [f'<span><i style="background:{shade}"></i>{escape(str(row))}</span>' for row, shade in shades]
    return f'<p class="legend">{escape(section.entry.grid.key)}: {" ".join(keys)}</p>'


def _column(axes: Any, section: Section, column: str, metric: str, look: dict[str, Any]) -> None:
    """The published and the measured points of one column."""
    cells = [(row, own, _score(own, metric)) for row in section.rows if (own := section.at(column, row))]
    published = [(row, 100 * score.published.value) for row, _, score in cells if score and score.published]
    if published:
        hollow = {"markerfacecolor": "white", "linestyle": "--", "linewidth": 1.0, "markersize": 5}
        axes.plot(*zip(*published, strict=True), **look, **hollow)
    measured = [(row, own, score.verdict) for row, own, score in cells if score and score.verdict.mean is not None]
    if measured:
        rows = [row for row, _, _ in measured]
        values = [100 * (verdict.mean or 0) for _, _, verdict in measured]
        deviations = [100 * (verdict.deviation or 0) for _, _, verdict in measured]
        axes.errorbar(rows, values, yerr=deviations, **look, markersize=4, capsize=3, zorder=3)
        places = axes.scatter(rows, values, s=60, alpha=0.0, zorder=4)  # what a finger meets
        places.set_urls([f"#{run_anchor(own.runs[0])}" for _, own, _ in measured])


def _legend(figure: Any, columns: list[str], with_published: bool) -> None:
    from matplotlib.lines import Line2D

    looks = islice(zip(cycle(svg.COLOURS), cycle(svg.MARKERS)), len(columns))
    lines = [
        Line2D([], [], color=colour, marker=marker, label=column.replace("_", " "), markersize=5)
        for column, (colour, marker) in zip(columns, looks, strict=True)
    ]
    if with_published:
        lines.append(
            Line2D(
                [], [], color="#555555", linestyle="--", marker="o", markerfacecolor="white", label="published (hollow)"
            )
        )
    figure.legend(handles=lines, loc="outside lower center", ncols=3)


def _by_epoch(run: CellRun, name: str, factor: float) -> Points:
    """The curve ``name`` over epochs; the run's last step, at which it was evaluated, ended the last of them."""
    curve = run.curves.get(name, {})
    last = max((max(own) for key, own in run.curves.items() if key.startswith("validate.")), default=0)
    if not curve or not last:
        return []
    points = [(step * run.config["epochs"] / last, factor * value) for step, value in sorted(curve.items())]
    width = -(-len(points) // MOST_POINTS)
    parts = [points[start : start + width] for start in range(0, len(points), width)]
    return [(fmean(at for at, _ in part), fmean(value for _, value in part)) for part in parts]


def _shades(section: Section) -> Sequence[str]:
    """One for each row, spread over all there are."""
    count = len(section.rows)
    if count > len(SHADES):
        return list(islice(cycle(SHADES), count))
    return [SHADES[round(place * (len(SHADES) - 1) / max(1, count - 1))] for place in range(count)]


def _score(result: Result, metric: str) -> Score | None:
    return next((own for own in result.scores if own.metric == metric), None)


def _figure(drawn: str, caption: str, kind: str) -> str:
    return f'<figure class="{kind}">{drawn}<figcaption>{escape(caption)}</figcaption></figure>'


def _caption(description: str, with_published: bool) -> str:
    hollow = (
        " Hollow points on dashed lines are published, filled ones measured" if with_published else " Points are means"
    )
    return f"{description}.{hollow}; bars are the standard deviation over seeds, where there are several."
