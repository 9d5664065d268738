"""Runs in the terminal: a table of all, and some side by side."""

import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.summary import TITLES

Curve = dict[int, float]  # a value a step
Row = tuple[str, list[str]]  # a label, and a text a run
Curves = dict[str, Curve]  # by the metric's name
PERCENT = {f"validate.{name}" for name in TITLES}  # fractions of 1, which are shown times 100
COLUMNS = {"validate.hit_at_1 %": "Hit@1", "validate.perr %": "PERR", "validate.gap %": "GAP"}
NONE, BLOCKS = "-", "▁▂▃▄▅▆▇█"
NUMBER, LABEL = 8, 24  # characters: of a number, of a metric's name
MOST_ROWS = 40  # of a section; of two far commits every source differs


def runs(runs_dir: Path, width: int = 80) -> str:
    """A table of all runs, the newest last, a line a run; where the terminal is wider, with more columns."""
    found = sorted(journal.journals(runs_dir), key=lambda own: own.read("run").get("start_time", ""))
    if not found:
        return f"no runs in {runs_dir}; make one by: python experiments/run.py with smoke"
    return "\n".join(_overview(found, width))


def compare(runs_dir: Path, run_ids: list[str], width: int = 80) -> str:
    """What differs between runs, the first and the others: configuration, code and data, results, curves.

    Raises:
        UserError: if there is no such run, only one, or more than fit into ``width``.
    """
    found = [find(runs_dir, run_id) for run_id in dict.fromkeys(run_ids)]
    if len(found) < 2:
        raise UserError("compare: name at least two different runs")
    if (width - LABEL - 5) // len(found) - 2 < NUMBER:
        raise UserError(f"compare: {len(found)} runs do not fit into {width} columns; name fewer of them")
    names, curves = [own.folder.name for own in found], [_curves(own) for own in found]
    metrics = list(dict.fromkeys(name for own in curves for name in own))
    lines = [*_overview(found, width), ""]
    lines += _section("configuration", names, _differences([_flat(own.read("config")) for own in found]), width)
    lines += _section("code and data", names, _differences([_origin(own) for own in found]), width)
    lines += _section("results", names, [row for name in metrics for row in _results(name, curves)], width)
    lines += [f"diff: to run {names[0]}; best: the lowest loss, the highest of all else", ""]
    lines += _sparklines(names, metrics, curves, width)
    return "\n".join(_cut(line, width) for line in lines)


def find(runs_dir: Path, run_id: str) -> Journal:
    """The run ``run_id``.

    Raises:
        UserError: if there is none.
    """
    folder = runs_dir / run_id
    if run_id.startswith(".") or Path(run_id).name != run_id or not Journal(folder).read("run"):
        what = f"{folder} holds no run" if folder.is_dir() else f"no folder {folder}"
        raise UserError(f"run {run_id}: {what}; `python -m experiments runs` lists them")
    return Journal(folder)


def _curves(own: Journal) -> Curves:
    """The run's curves, with fractions in percent."""
    found: Curves = {}
    for name, curve in own.curves().items():
        if name in PERCENT:
            found[f"{name} %"] = {step: 100 * value for step, value in curve.items()}
        else:
            found[name] = curve
    return found


def _last(curve: Curve) -> float:
    return next(reversed(curve.values()))


def _overview(found: list[Journal], width: int) -> list[str]:
    """A line a run, and a column more where it fits."""
    rows = [_row(own) for own in found]
    wide = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    shown = ["id", "status", "experiment", *COLUMNS.values(), "started", "time"]
    left = width - sum(wide[name] + 2 for name in shown) + 2
    wide["experiment"] = max(10, wide["experiment"] + min(0, left))
    for name, place, least in (("dataset", 3, wide["dataset"]), ("with", 9, 12), ("model", 3, wide["model"])):
        if left >= least + 2:
            left -= wide[name] + 2
            shown.insert(place, name)
    aligned = {name: ">" if name in (*COLUMNS.values(), "time") else "<" for name in wide}
    table = [{name: name for name in wide}, *rows]
    lines = ["  ".join(f"{_cut(row[name], wide[name]):{aligned[name]}{wide[name]}}" for name in shown) for row in table]
    return [_cut(line.rstrip(), width) for line in lines]


def _row(own: Journal) -> dict[str, str]:
    with suppress(OSError):  # another user's run: we may look, not write
        journal.mark_dead(own)
    run, state, config, curves = own.read("run"), own.read("state"), own.read("config"), _curves(own)
    status, command = state.get("status") or NONE, run.get("command", "train")
    name = Path(str(config.get("experiment", NONE))).stem  # it may be a file's path
    words = run.get("meta", {}).get("options", {}).get("UPDATE", [])
    words = sorted((word for word in words if not word.startswith(("experiment=", "runtime."))), key="smoke".__eq__)
    started = datetime.fromisoformat(run.get("start_time", "1970-01-01")).replace(tzinfo=timezone.utc).astimezone()
    return {
        "id": own.folder.name,
        "status": "died" if status == journal.DIED else status.lower(),
        "experiment": name if command == "train" else f"{command} {name}",
        **{key: str(config.get(key, NONE)) for key in ("model", "dataset")},
        **{title: f"{_last(curves[name]):.1f}" if name in curves else NONE for name, title in COLUMNS.items()},
        "started": started.strftime("%m-%d %H:%M" if started.year == datetime.now().year else "%Y-%m-%d"),
        "time": _duration(state),
        "with": " ".join(words),
    }


def _duration(state: Mapping[str, Any]) -> str:
    """How long the run worked; the last part of one that is running or died is not yet in its sum."""
    seconds = state.get("wall_seconds")
    if state.get("status") in (journal.RUNNING, journal.DIED):
        end, start = state.get("stop_time") or journal.now(), state["parts"][-1]
        seconds = (seconds or 0) + (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    if seconds is None or state["status"] == journal.QUEUED:
        return NONE
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The values of nested blocks as text, by their dotted keys."""
    found = {}
    for key, item in value.items():
        found.update(_flat(item, f"{prefix}{key}.") if isinstance(item, Mapping) else {f"{prefix}{key}": str(item)})
    return found


def _origin(own: Journal) -> dict[str, str]:
    """What the run was made of; of checksums the first characters."""
    run, diff = own.read("run"), own.folder / "changes.diff"
    data = own.read("state").get("info", {}).get("data", {})
    return {
        "git.commit": run.get("git", {}).get("commit", NONE)[:8],
        "git.changes": journal.digest(diff)[:8] if diff.exists() else "none",
        **{f"data.{split}": facts["fingerprint"][:8] for split, facts in data.items()},
        **{f"packages.{name}": version for name, version in run.get("packages", {}).items()},
        **{name: md5[:8] for name, md5 in run.get("sources", [])},
    }


def _differences(values: list[dict[str, str]]) -> list[Row]:
    keys = dict.fromkeys(key for own in values for key in own)
    rows = [(key, [own.get(key, NONE) for own in values]) for key in keys]
    return [(key, cells) for key, cells in rows if len(set(cells)) > 1]


def _section(title: str, names: list[str], rows: list[Row], width: int) -> list[str]:
    """A row a label, a column a run; what is too long for its column is given a line a run."""
    if not rows:
        return [f"{title}: nothing differs" if title != "results" else "results: none", ""]
    label = min(LABEL + 5, max(len(title), *(len(name) for name, _ in rows)))
    room = (width - label) // len(names) - 2
    cell = max([NUMBER, *(len(text) for _, cells in rows for text in cells if len(text) <= room)])
    lines = []
    for name, cells in [(title, [_cut(name, cell) for name in names]), *rows[:MOST_ROWS]]:
        if max(map(len, cells)) <= cell:
            lines.append(f"{_cut(name, label):{label}}" + "".join(f"  {text:>{cell}}" for text in cells))
        else:
            lines += [name, *(f"  {own}: {text}" for own, text in zip(names, cells, strict=True))]
    return [*lines, *([f"and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []), ""]


def _results(name: str, curves: list[Curves]) -> list[Row]:
    """The rows of one metric: its last and its best values, each with the differences to the first run."""
    values = [list(own.get(name, {}).values()) for own in curves]
    kinds = {"last": [own[-1] if own else None for own in values]}
    if max(map(len, values)) > 1:
        best = min if "loss" in name else max
        kinds["best"] = [best((value for value in own if not math.isnan(value)), default=None) for own in values]
    rows, title = [], _cut(name, LABEL)
    for kind, (first, *others) in kinds.items():
        diffs = [None if first is None or other is None else other - first for other in others]
        rows.append((f"{title:{LABEL}} {kind}", [_number(value) for value in (first, *others)]))
        rows.append((f"{'':{LABEL}} diff", ["", *(_number(diff, "+") for diff in diffs)]))
        title = ""
    return rows


def _number(value: float | None, sign: str = "") -> str:
    """``value`` in at most `NUMBER` characters."""
    texts = [NONE if value is None else format(value, f"{sign}{form}") for form in (".5g", ".3g", ".1e")]
    return next((text for text in texts if len(text) <= NUMBER), texts[-1])


def _sparklines(names: list[str], metrics: list[str], curves: list[Curves], width: int) -> list[str]:
    """Of each metric with more than one value a line a run, all runs on the same steps and the same scale."""
    own_id = min(NUMBER, max(map(len, names)))
    room = min(60, width - own_id - 4 - 3 * (NUMBER + 2))
    lines = ["curves".ljust(own_id + 4 + room) + "".join(f"  {name:>{NUMBER}}" for name in ("min", "max", "last"))]
    for metric in metrics:
        finite = [[point for point in own.get(metric, {}).items() if math.isfinite(point[1])] for own in curves]
        steps, values = zip(*(point for own in finite for point in own), strict=True) if any(finite) else ((), ())
        if max(map(len, finite)) < 2:
            continue
        lines.append(f"{metric}, steps {min(steps)} to {max(steps)}")
        for name, points, own in zip(names, finite, curves, strict=True):
            line = _sparkline(points, steps, values, min(room, len(set(steps))))
            ends = [choose((value for _, value in points), default=None) for choose in (min, max)]
            ends.append(_last(own[metric]) if metric in own else None)
            figures = "".join(f"  {_number(value):>{NUMBER}}" for value in ends)
            lines.append(f"  {_cut(name, own_id):{own_id}}  {line:{room}}{figures}")
    return lines if len(lines) > 1 else ["curves: nothing was measured more than once"]


def _sparkline(points: list[tuple[int, float]], steps: Sequence[int], values: Sequence[float], size: int) -> str:
    """The mean of each column's values as a block; where there is none, the one before goes on."""
    first, low = min(steps), min(values)
    width, height = max(steps) - first + 1, max(values) - low or 1.0
    found: dict[int, list[float]] = {}
    for step, value in points:
        found.setdefault((step - first) * size // width, []).append((value - low) / height * (len(BLOCKS) - 1))
    text = ""
    for column in range(max(found, default=-1) + 1):
        text += BLOCKS[round(statistics.fmean(found[column]))] if column in found else text[-1:] or " "
    return text
