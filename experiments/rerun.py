"""A run again: the same configuration today, what differs since, and whether the results are the same."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import ROOT, configuration, data, journal, surroundings
from experiments.configuration import RUNTIME
from experiments.errors import UserError
from experiments.journal import Journal

SHOWN = 12  # differences of a kind; more are counted
SPEEDS = {"train.videos_per_second"}  # metrics that depend on the machine's mood


def rerun(run_id: str, runs_dir: Path, data_root: str | None) -> int:
    """Run the configuration of run ``run_id`` again, as a new run; the exit code.

    Args:
        run_id: of a training run.
        runs_dir: where it lies, and the new one will.
        data_root: where the data lie today; None for where the run had them.

    Raises:
        UserError: if there is no such run, or it was no training.
    """
    before = Journal(configuration.run_folder({"runtime": {"runs_dir": str(runs_dir)}}, run_id))
    run, config = before.read("run"), before.read("config")
    if run.get("command") != "train" or "runtime" not in config:
        raise UserError(f"run {run_id}: a record of {run.get('command', 'nothing')}; only training is run again")
    own_folder = runs_dir.resolve() == (ROOT / RUNTIME["runs_dir"]).resolve()
    runtime = {**config["runtime"], "runs_dir": RUNTIME["runs_dir"] if own_folder else str(runs_dir)}
    if data_root is not None:
        runtime["data_root"] = data_root
    config = {**config, "runtime": runtime, "experiment": configuration.entry_of(before.folder, config)}
    print(f"run {run_id} again: {config['experiment']}, started {run['start_time']}", flush=True)
    _show("code", _code(run))
    _show("packages", _differences(run["packages"], surroundings.packages()))
    machine = surroundings.machine()
    _show("machine", _differences({name: run["host"].get(name) for name in machine}, machine))
    _show("data", _data(before.read("state").get("info", {}).get("data", {}), config))
    comment = f"run {run_id} again, {run['uuid']}"
    command = [sys.executable, str(ROOT / "experiments" / "run.py"), "-c", comment, "with", *_words(config)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        return done.returncode
    again = [own for own in journal.journals(runs_dir) if own.read("run").get("meta", {}).get("comment") == comment]
    print(f"\nrun {again[-1].run_id} against run {run_id}")
    _show("results", _results(before, again[-1]))
    return 0


def _words(config: Mapping[str, Any]) -> list[str]:
    """The configuration as the command line says it; what belongs to the machine only where it is not the default."""
    own = {key: value for key, value in config.items() if key not in ("runtime", "resume")}
    runtime = {f"runtime.{name}": value for name, value in config["runtime"].items() if value != RUNTIME.get(name)}
    return [f"{key}={value if isinstance(value, str) else repr(value)}" for key, value in {**own, **runtime}.items()]


def _code(run: Mapping[str, Any]) -> list[str]:
    """Source files that are not what they were, and the commits."""
    commit, _ = surroundings.git()
    then, today = run["git"].get("commit", "none"), commit.get("commit", "none")
    lines = [] if then == today else [f"git commit: {then[:12]}, today {today[:12]}"]
    for name, md5 in run["sources"]:
        path = ROOT / name
        if not path.exists():
            lines.append(f"{name}: gone")
        elif journal.digest(path) != md5:
            lines.append(f"{name}: changed")
    return lines


def _data(then: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Splits whose checksums are not what they were."""
    today = {split: data.notes_of(data.open_split(config, split)) for split in then}
    return [
        f"{split}, {name}: {then[split][name]}, today {value}"
        for split, notes in today.items()
        for name, value in notes.items()
        if name in then[split] and then[split][name] != value
    ]


def _differences(then: Mapping[str, Any], today: Mapping[str, Any]) -> list[str]:
    names = sorted(set(then) | set(today))
    pairs = {name: (then.get(name, "none"), today.get(name, "none")) for name in names}
    return [f"{name}: {before}, today {now}" for name, (before, now) in pairs.items() if before != now]


def _results(before: Journal, again: Journal) -> list[str]:
    """For each metric that has other values, or steps, than it had: the largest difference."""
    curves = [own.curves() for own in (before, again)]
    lines = []
    for name in sorted((set(curves[0]) | set(curves[1])) - SPEEDS):
        then, today = (own.get(name, {}) for own in curves)
        if set(then) != set(today):
            lines.append(f"{name}: {len(then)} values, today {len(today)}")
        elif then != today:
            off = {step: abs(today[step] - then[step]) for step in then}
            worst = max(off, key=lambda step: off[step])
            lines.append(f"{name}: {then[worst]:.10g} at step {worst}, today {today[worst]:.10g}")
    return lines


def _show(what: str, lines: list[str]) -> None:
    if not lines:
        print(f"  {what + ':':10}the same")
    for line in lines[:SHOWN]:
        print(f"  {what + ':':10}{line}")
    if len(lines) > SHOWN:
        print(f"  {what + ':':10}and {len(lines) - SHOWN} more differences")
    sys.stdout.flush()
