"""``report.html``: the page of results with curves and pictures, in one file that fetches nothing."""

from collections.abc import Callable, Iterator
from datetime import datetime
from html import escape

from experiments import shown
from experiments.reproduction.cell_runs import CellRun, RunsOfCells
from experiments.reproduction.plan import Variant
from experiments.reproduction.verdict import ABOVE, INCONCLUSIVE, MEANING, MISSED, NOT_RUN, REPRODUCED
from experiments.results import attention_maps, figures, words
from experiments.results.html_parts import cell_anchor, link, listed, prose, run_anchor, table, td, th, tr
from experiments.results.html_style import STYLE
from experiments.results.tables import Result, Score, Section
from experiments.summary import TITLES

# By a verdict: the class that colours it.
KINDS = {REPRODUCED: "reproduced", MISSED: "missed", ABOVE: "above", INCONCLUSIVE: "inconclusive"}
DETAILS = ["cell", "metric", "published", "measured", "95 % interval", "difference", "verdict", "took", "runs"]


def page(variant: Variant, sections: list[Section], runs: RunsOfCells) -> str:
    """The page's HTML."""
    anchored: set[str] = set()  # a run may be one of two sections' cells; an id stands once
    body = [*_head(variant, sections, runs), *(part for own in sections for part in _section(own, anchored))]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Results</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style></head>\n'
        "<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _head(variant: Variant, sections: list[Section], runs: RunsOfCells) -> Iterator[str]:
    yield "<h1>Results</h1>"
    label = words.label(variant)
    label = escape(label[:1].upper() + label[1:])
    yield f"<p>{label}.</p>" if variant.is_full else f'<p class="banner">{label}.</p>'
    yield (
        f"<p>Written by <code>make reproduce-paper</code> on {datetime.now():%Y-%m-%d}, from the registry and the log "
        f"of runs in <code>{escape(shown(runs.runs_dir))}</code> alone. All values are percent. A measured number is a "
        "link to its run, and there stands the command that runs it again; where it is the mean of several, these are "
        "named below it.</p>"
    )
    if machines := words.machines(sections):
        yield f"<p>Runs were made on:</p>{listed(map(escape, machines))}"
    if any(score.verdict.word in MEANING for own in sections for one in own.done for score in one.scores):
        yield f"<p>A verdict is</p>{_meanings()}"
    entries = (f"{link(own.entry.name, escape(own.entry.name))}: {escape(_state(own))}" for own in sections)
    yield f'<nav aria-label="contents"><h3>Contents</h3>{listed(entries)}</nav>'


def _meanings() -> str:
    return listed(f'<b class="{KINDS[word]}">{word}</b>: {escape(meaning)}' for word, meaning in MEANING.items())


def _state(section: Section) -> str:
    return "no data here" if section.no_data and not section.done else words.counts(section)


def _section(section: Section, anchored: set[str]) -> Iterator[str]:
    yield f'<section id="{escape(section.entry.name)}"><h2>{escape(section.entry.name)}</h2>'
    if section.title:
        yield f"<p>{prose(section.title)}</p>"
    yield f"<p>{section.epochs} epochs; {escape(words.counts(section))}.</p>"
    if section.no_data:
        state = "Its data are not here any more" if section.done else "Not run here"
        yield f"<p>{state}: {prose(section.no_data)}.</p>"
    elif not section.done:
        yield f"<p>Not run yet: <code>make reproduce-paper CELLS={escape(section.entry.name)}</code> does it.</p>"
    yield from (f"<p>Does not count: {prose(line)}.</p>" for line in section.stale)
    yield from _tables(section)
    yield from _source(section)
    if section.done:
        if section.entry.grid:
            yield from (figures.by_row(section, metric) for metric in _metrics(section))
        yield _details(section)
        yield f"<h3>How training went</h3>{figures.curves(section)}"
        if pictures := attention_maps.figure(section):
            yield f"<h3>Which frames each unit looks at</h3>{pictures}"
        yield f"<h3>Runs</h3>{_runs(section, anchored)}"
    yield "</section>"


def _source(section: Section) -> Iterator[str]:
    for own in section.entry.references:
        yield (
            f"<p>Published: {escape(own.source)}, split {escape(own.split)}; tolerance ± "
            f"{100 * own.tolerance:g} points.</p>"
        )
    if section.entry.deviations:
        yield "<p>Where this knowingly differs from the source:</p>" + listed(map(prose, section.entry.deviations))


def _tables(section: Section) -> Iterator[str]:
    """The published table, the measured one and their differences; without runs, what is published alone."""
    is_published = any(score.published for result in section.results for score in result.scores)
    if not section.entry.grid:
        if is_published and not section.done:
            scores = section.results[0].scores
            rows = [tr([th(TITLES[own.metric]), td(words.published(own.published))]) for own in scores]
            yield table("published", ["metric", "published"], rows)
        return
    tables: dict[str, Callable[[Result, Score], str]] = {}
    if is_published:
        tables["published"] = lambda _, score: td(words.published(score.published))
    if section.done:
        tables["measured"] = _measured
        if is_published:
            tables["measured less published"] = _difference
    for metric in _metrics(section):
        drawn = [_matrix(section, metric, name, content) for name, content in tables.items()]
        yield f'<div class="tables">{"".join(drawn)}</div>'


def _matrix(section: Section, metric: str, name: str, content: Callable[[Result, Score], str]) -> str:
    assert section.entry.grid is not None
    head = [section.entry.grid.key.replace("_", " "), *(column.replace("_", " ") for column in section.columns)]
    rows = []
    for row in section.rows:
        cells = [th(escape(str(row)))]
        for column in section.columns:
            result = section.at(column, row)
            score = next((own for own in result.scores if own.metric == metric), None) if result else None
            cells.append(content(result, score) if result and score else td(words.NONE))
        rows.append(tr(cells))
    return table(f"{TITLES[metric]}, {name}", head, rows)


def _measured(result: Result, score: Score) -> str:
    if score.verdict.mean is None:
        return td("<small>at work</small>" if result.going else words.NONE)
    text = link(_place(result), words.percent(score.verdict.mean))
    if score.verdict.deviation is not None:
        text += f"<small>± {words.percent(score.verdict.deviation)}</small>"
        text += f'<small class="ids">{_run_links(result)}</small>'
    return td(text)


def _difference(result: Result, score: Score) -> str:
    word = score.verdict.word
    if word == NOT_RUN or score.verdict.difference is None:
        return td(f"<small>{word or words.NONE}</small>")
    number = link(_place(result), words.percent(score.verdict.difference, sign=True))
    return td(f"{number}<small>{word}</small>", KINDS[word]) if word else td(number)


def _details(section: Section) -> str:
    """A line a metric of every cell that was run."""
    rows = []
    for result in section.done:
        for number, score in enumerate(result.scores):
            verdict = score.verdict
            cells = [
                th(escape(result.cell.name.removeprefix(f"{section.entry.name}/"))),
                td(TITLES[score.metric], "word"),
                td(words.published(score.published)),
                td(link(_place(result), words.measured(verdict))),
                td(words.interval(verdict)),
                td(words.percent(verdict.difference, sign=True)),
                td(verdict.word or words.NONE, f"word {KINDS.get(verdict.word, '')}".strip()),
                td(words.run_time(result.runs)),
                td(_run_links(result), "word"),
            ]
            rows.append(tr(cells, cell_anchor(result.cell) if number == 0 else ""))
    return table("cell by cell", DETAILS, rows)


def _runs(section: Section, anchored: set[str]) -> str:
    items = []
    for result in section.done:
        for run in result.runs:
            anchor = run_anchor(run)
            start = "<li>" if anchor in anchored else f'<li id="{anchor}">'
            anchored.add(anchor)
            items.append(f"{start}{_run(result, run)}</li>")
    return f'<ul class="runs">{"".join(items)}</ul>'


def _run(result: Result, run: CellRun) -> str:
    """What a run was, and how it is run again."""
    about = run.journal.read("run")
    git, started = about.get("git") or {}, str(about.get("start_time", "")).replace("T", " ")
    commit = str(git.get("commit") or "none")[:7] + (" with changes" if git.get("dirty") else "")
    parts = [
        f"seed {run.seed}",
        run.status,
        f"started {started[:16]} UTC",
        f"took {words.run_time([run])}",
        f"on {about.get('host', {}).get('hostname', 'an unknown machine')}",
        f"commit {commit}",
        f"folder {shown(run.journal.folder)}",
    ]
    return (
        f"<b>run {escape(str(run.run_id))}</b>, {link(cell_anchor(result.cell), escape(result.cell.name))}: "
        f"{escape(', '.join(parts))}<code>{escape(words.command(result.cell, run.seed))}</code>"
    )


def _metrics(section: Section) -> list[str]:
    return [score.metric for score in section.results[0].scores]


def _place(result: Result) -> str:
    """Where the number of ``result`` comes from: its run; of several, the line that names them all."""
    return run_anchor(result.runs[0]) if len(result.runs) == 1 else cell_anchor(result.cell)


def _run_links(result: Result) -> str:
    return " ".join(link(run_anchor(run), escape(str(run.run_id))) for run in result.runs)
