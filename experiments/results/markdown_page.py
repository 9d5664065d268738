"""``RESULTS.md``: published beside measured."""

from collections.abc import Callable, Iterable
from datetime import datetime

from experiments.reproduction.plan import Variant
from experiments.reproduction.verdict import MEANING, NOT_RUN
from experiments.results import words
from experiments.results.tables import Result, Score, Section
from experiments.summary import TITLES


def page(variant: Variant, sections: list[Section]) -> str:
    """The page's Markdown."""
    lines = ["# Results", ""]
    lines += [f"Written by `make reproduce-paper` on {datetime.now():%Y-%m-%d}, from the registry and the log of runs"]
    lines += [f"alone: {words.label(variant)}. All values are percent.", ""]
    lines += [f"Runs were made on {machine}.\n" for machine in words.machines(sections)]
    lines += ["`runs/report.html` has the curves and pictures. A verdict is", ""]
    lines += [f"- **{word}**: {meaning}" for word, meaning in MEANING.items()]
    lines += [line for section in sections for line in _section(section)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    lines = ["", f"## {section.entry.name}", ""]
    lines += [section.title, ""] if section.title else []
    lines += [f"{section.epochs} epochs; {words.counts(section)}.", ""]
    if section.no_data:
        lines += [f"{'Its data are not here any more' if section.done else 'Not run here'}: {section.no_data}.", ""]
    lines += [line for own in section.stale for line in (f"Does not count: {own}.", "")]
    for reference in section.entry.references:
        lines += [f"Published: {reference.source}; tolerance ± {100 * reference.tolerance:g}.", ""]
    metrics = [score.metric for score in section.results[0].scores]
    if section.entry.grid and (section.done or section.entry.references):
        for metric in metrics:
            lines += _matrices(section, metric)
    lines += _details(section)
    if section.entry.deviations:
        lines += ["Where this knowingly differs from the source:", ""]
        lines += [f"- {deviation}" for deviation in section.entry.deviations] + [""]
    return lines[:-1]


def _matrices(section: Section, metric: str) -> list[str]:
    """The published table, the measured one, and their differences, one below the other."""
    shown: dict[str, Callable[[Score], str]] = {
        "measured": lambda score: words.measured(score.verdict) if score.verdict.values else NOT_RUN
    }
    if any(score.published for result in section.results for score in result.scores):
        shown = {
            "published": lambda score: words.published(score.published),
            **shown,
            "measured less published": _difference,
        }
    lines = []
    for name, text in shown.items():
        lines += [f"{TITLES[metric]}, {name}:", "", *_matrix(section, metric, text), ""]
    return lines


def _matrix(section: Section, metric: str, text: Callable[[Score], str]) -> list[str]:
    assert section.entry.grid is not None
    rows = [[section.entry.grid.key, *(column.replace("_", " ") for column in section.columns)]]
    for row in section.rows:
        results = [section.at(column, row) for column in section.columns]
        rows.append([str(row), *(_text(result, metric, text) for result in results)])
    return table(rows)


def _text(result: Result | None, metric: str, text: Callable[[Score], str]) -> str:
    score = next((own for own in result.scores if own.metric == metric), None) if result else None
    return text(score) if score else words.NONE


def _difference(score: Score) -> str:
    if score.verdict.word == NOT_RUN:
        return "not run"
    return f"{words.percent(score.verdict.difference, sign=True)} {score.verdict.word}".strip()


def _details(section: Section) -> list[str]:
    """A line a metric of every cell that was run; of an entry without a grid, in any case."""
    shown = section.done if section.entry.grid else section.results
    if not shown:
        return []
    rows = [["cell", "metric", "published", "measured", "95 % interval", "difference", "verdict", "runs", "took"]]
    for result in shown:
        for score in result.scores:
            rows.append(
                [
                    result.cell.name.removeprefix(f"{section.entry.name}/"),
                    TITLES[score.metric],
                    words.published(score.published),
                    words.measured(score.verdict),
                    words.interval(score.verdict),
                    words.percent(score.verdict.difference, sign=True),
                    score.verdict.word or words.NONE,
                    ", ".join(str(own.run_id) for own in result.runs) or words.NONE,
                    words.run_time(result.runs) if result.runs else words.NONE,
                ]
            )
    lines = ["Each that was run:" if section.entry.grid else "Beside each other:", "", *table(rows), ""]
    if not section.done:
        return lines
    lines += ["Again, and what a run was (`python -m experiments compare ID ID`):", "", "```"]
    lines += [f"{words.command(own.cell, run.seed)}  # run {run.run_id}" for own in section.done for run in own.runs]
    return [*lines, "```", ""]


def table(rows: Iterable[list[str]]) -> list[str]:
    """A table of Markdown, the first row its head; its source is aligned too."""
    rows = list(rows)
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, wide, strict=True)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in wide) + "|", *lines[1:]]
