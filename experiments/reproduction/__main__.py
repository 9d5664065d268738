"""``python -m experiments.reproduction``: run what is missing of the published experiments, then write the pages.

What was run already is skipped; what was stopped goes on from its last epoch. Beside ``RESULTS.md`` stands
``runs/report.html``, with curves and pictures.
"""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path

from datasets.errors import DataError
from experiments import ROOT, results
from experiments.errors import UserError
from experiments.registry import Cell
from experiments.reproduction.cell_runs import RunsOfCells
from experiments.reproduction.pace import Pace
from experiments.reproduction.plan import NO_DATA, RUNNING, STOPPED, WAITING, Task, Variant, chosen, plan
from experiments.reproduction.progress import Progress, overview
from experiments.reproduction.runner import Runner
from experiments.summary import TITLES

REFRESH_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    """Run what is missing; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        variant = _variant(given)
        cells = variant.cells()
        wanted = chosen(cells, [pattern for pattern in (given.cells or "").split(",") if pattern])
        if not wanted:
            raise UserError("CELLS: the quick version has none of them")
        with _alone(given.runs_dir):
            runs = RunsOfCells(given.runs_dir, given.data_root)
            failures = {} if given.write else _run_all(wanted, runs, given)
            runs.refresh()
            for path in results.write(variant, cells, runs, given.replicates):
                print(f"written: {path}")
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ninterrupted; the same command goes on, `make results` writes the pages of what there is", file=sys.stderr
        )
        return 130
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments.reproduction", description=__doc__)
    parser.add_argument("--epochs", type=_positive, help="in place of what the entries say; a table of its own")
    parser.add_argument("--cells", help="names separated by commas, with the shell's wildcards: '*/shift_fc1/*'")
    parser.add_argument("--replicates", type=_positive, help="runs of each cell, with seeds 0, 1, ...")
    parser.add_argument("--quick", action="store_true", help="the short version that entries name; a table of its own")
    parser.add_argument("--jobs", type=_positive, help="runs at once (the cores there are; with GPUs 1)")
    parser.add_argument("--devices", default="cpu", help="of each run: cpu, gpu, gpu:0-7 (%(default)s)")
    parser.add_argument("--data-root", default="data", help="(%(default)s)")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="(%(default)s)")
    parser.add_argument("--write", action="store_true", help="write the pages from what was run, and run nothing")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _variant(given: argparse.Namespace) -> Variant:
    if given.quick and given.epochs:
        raise UserError("QUICK=1 has its own number of epochs; give it or EPOCHS, not both")
    if given.quick:
        return Variant("quick")
    return Variant(f"epochs-{given.epochs}", given.epochs) if given.epochs else Variant()


@contextmanager
def _alone(runs_dir: Path) -> Iterator[None]:
    """Within the block no other process does this over the same runs."""
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(runs_dir / "reproduce.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UserError(f"runs: {runs_dir} cannot be written to: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{runs_dir}: make reproduce-paper is at work there already; wait for it or stop it") from None
    else:
        yield
    finally:
        os.close(descriptor)


def _run_all(cells: list[Cell], runs: RunsOfCells, given: argparse.Namespace) -> dict[str, str]:
    """Run what is missing of ``cells``; why what failed did, by its name."""
    cores = len(os.sched_getaffinity(0))
    jobs = given.jobs or (1 if given.devices.startswith("gpu") else cores)
    runtime = {"devices": given.devices, "data_root": given.data_root, "runs_dir": given.runs_dir, "workers": 1}
    if given.devices.startswith("gpu"):
        del runtime["workers"]
    runner = Runner(jobs, [f"runtime.{name}={value}" for name, value in runtime.items()])
    progress = Progress()
    started: set[str] = set()
    failures: dict[str, str] = {}
    pending: dict[Future[str], Task] = {}
    try:
        while True:
            runs.refresh()
            tasks = plan(cells, given.replicates, runs)
            if not started:
                _say_what_is_missing(tasks, progress, runs)
            own = {task.name for task in pending.values()}
            room = jobs - len(pending) - sum(task.standing == RUNNING and task.name not in own for task in tasks)
            ready = [task for task in tasks if task.standing in (STOPPED, WAITING) and task.name not in started]
            for task in ready[: max(0, room)]:
                started.add(task.name)
                pending[runner.submit(task.words())] = task
                progress.say(f"{'goes on' if task.standing == STOPPED else 'started'}: {task.name}")
            if not pending and not ready:
                progress.say(overview(tasks, None) if any(t.standing == RUNNING for t in tasks) else overview(tasks, 0))
                return failures
            progress.show(tasks, Pace({cell.name: (cell, runs.of(cell)) for cell in cells}), jobs)
            for future in wait(pending, REFRESH_SECONDS).done:
                task = pending.pop(future)
                if reason := future.result():
                    failures[task.name] = reason
                    progress.say(f"failed:  {task.name}: {reason}")
                else:
                    progress.say(f"done:    {task.name}: {_score(task, runs)}")
            if not pending:
                time.sleep(0 if room > 0 else REFRESH_SECONDS)
    finally:
        runner.stop()


def _say_what_is_missing(tasks: list[Task], progress: Progress, runs: RunsOfCells) -> None:
    missing = {task.cell.entry.name: runs.missing_data(task.cell) for task in tasks if task.standing == NO_DATA}
    for name, reason in missing.items():
        progress.say(f"no data: {name}: {reason}")


def _score(task: Task, runs: RunsOfCells) -> str:
    """Measured beside published."""
    runs.refresh()
    done = [own for own in runs.of(task.cell, task.seed) if own.is_complete]
    if not done:
        return "its run is not one of this cell; was code or data changed meanwhile?"
    metric = task.cell.numbers["select_by"]
    known = task.cell.published if "epochs" not in task.cell.updates else []
    published = [f"published {100 * own.value:.4g} %" for own in known if own.metric == metric]
    value = done[0].final(metric)
    return ", ".join([f"{TITLES[metric]} {100 * (value or 0):.1f} %", *published, f"run {done[0].run_id}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
