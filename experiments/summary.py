"""What a person is told at the end of a run."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import shown
from experiments.configuration import RUNTIME
from experiments.registry import Entry, Published, cell_of, flatten

TITLES = {"hit_at_1": "Hit@1", "perr": "PERR", "gap": "GAP@20", "mean_ap": "mAP"}


def summary(
    entry: Entry,
    config: Mapping[str, Any],
    command: str,
    metrics: Mapping[str, float],
    run_id: int | None,
    folder: Path,
    store: str,
) -> str:
    """Measured beside published, where the record lies, and what to type next; several lines.

    Args:
        entry: the experiment.
        config: as it was run.
        command: ``train`` or ``evaluate``.
        metrics: measured, as fractions of 1.
        run_id: None if the run was not recorded.
        folder: the run's own.
        store: address of the record, without a password.
    """
    cell = cell_of(entry, config)
    numbers = cell.numbers if cell else flatten(entry)
    changed = _changed(config, numbers)
    same_data = not config["smoke"] and config["dataset"] == numbers["dataset"]
    published = _first_published(cell.published) if cell and same_data else {}
    lines = ["", f"{entry.name}, {config['valid_split']} split of {config['dataset']}", ""]
    lines.append(f"  {'':8}{'measured':>10}{'published':>11}")
    for name, title in TITLES.items():
        theirs = f"{100 * published[name].value:.1f} %" if name in published else "-"
        lines.append(f"  {title:8}{f'{100 * metrics[name]:.1f} %':>10}{theirs:>11}")
    lines.append("")
    if config["smoke"]:
        lines += [
            "  smoke: a few synthetic videos, to see that everything works; the numbers mean nothing",
            "",
        ]
    if published:
        lines += [f"  published by: {source}" for source in dict.fromkeys(own.source for own in published.values())]
        lines += [f"  differs: {deviation}" for deviation in entry.deviations]
        lines += [f"  changed: {', '.join(changed)}"] if changed else []
        lines.append("")
    if run_id is None:
        lines.append("  not recorded (-u)")
    else:
        lines.append(f"  run         {run_id}, recorded in {store}")
    if command == "train":
        lines.append(f"  checkpoint  {shown(folder / 'checkpoints' / 'last')}")
        python = os.path.relpath(sys.executable)
        lines.append(
            f"  evaluate    {python} experiments/run.py evaluate with "
            f"{_words(config, _changed(config, flatten(entry)), run_id, folder)}"
        )
    lines.append(f"  browse      {_board(config)}")
    return "\n".join(lines)


def _changed(config: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[str]:
    """What the command line changed of ``numbers``."""
    return [f"{key}={config[key]!r}" for key in config if key in numbers and config[key] != numbers[key]]


def _first_published(published: list[Published]) -> dict[str, Published]:
    """By metric; where several sources give one, the entry's first."""
    return {own.metric: own for own in reversed(published)}


def _board(config: Mapping[str, Any]) -> str:
    """The command that shows the run in Omniboard."""
    runtime = config["runtime"]
    options = [f"--mongo {runtime['mongo']}"] if runtime["mongo"] else []
    options += [f"--runs-dir {runtime['runs_dir']}"] if runtime["runs_dir"] != RUNTIME["runs_dir"] else []
    return " ".join([f"{os.path.relpath(sys.executable)} -m experiments.board", *options]) if options else "make board"


def _words(config: Mapping[str, Any], changed: list[str], run_id: int | None, folder: Path) -> str:
    """What the command line says to evaluate the run, where it lies."""
    words = [f"weights={run_id}"]
    if run_id is None:
        words = ["smoke"] if config["smoke"] else [change.replace(" ", "") for change in changed]
        words += [
            f"experiment={config['experiment']}",
            f"weights={shown(folder / 'checkpoints' / 'last' / 'net.params')}",
        ]
    machine = {name: value for name, value in config["runtime"].items() if value != RUNTIME[name]}
    return " ".join([*words, *(f"runtime.{name}={value}" for name, value in machine.items())])
