"""``python -m experiments.reproduction``: run what is missing of the published experiments, then write the pages.

What was run already is skipped; what was stopped goes on from its last epoch. Beside ``RESULTS.md`` stands
``runs/report.html``, with curves and pictures.
"""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from datasets import cluster
from datasets.errors import DataError
from experiments import ROOT, results
from experiments.errors import UserError
from experiments.registry import Cell
from experiments.reproduction import cell_process, runner
from experiments.reproduction.cell_process import Order
from experiments.reproduction.cell_runs import RunsOfCells
from experiments.reproduction.pace import Pace
from experiments.reproduction.plan import NO_DATA, RUNNING, STOPPED, WAITING, Task, Variant, chosen, plan
from experiments.reproduction.progress import Progress, overview
from experiments.reproduction.runner import LOCK, Here, Runner
from experiments.results import words
from experiments.summary import TITLES
from experiments.threads import cores

REFRESH_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    """Run what is missing; the exit code."""
    given = _parser().parse_args(arguments)
    failures: dict[str, str] = {}
    code = 0
    try:
        variant = _variant(given)
        cells = variant.cells()
        patterns = [pattern.strip() for pattern in given.cells.split(",")] if given.cells is not None else []
        wanted = chosen(cells, patterns)
        if not wanted:
            raise UserError(f"CELLS={given.cells}: the quick version has none of them")
        runs = RunsOfCells(given.runs_dir.resolve(), given.data_root)
        if not given.write:
            with _alone(runs.runs_dir), _runner(given, runs) as workers:
                _run_all(
                    wanted,
                    runs,
                    given,
                    workers,
                    failures,
                    lambda: results.write(variant, cells, runs, tables_alone=True),
                )
        runs.refresh()
        for path in results.write(variant, cells, runs):
            print(f"written: {path}")
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print(
            "\ninterrupted; the same command goes on, `make results` writes the pages of what there is", file=sys.stderr
        )
        code = 130
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    return code or (1 if failures else 0)


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
    parser.add_argument("--cluster", metavar="ADDRESS", help="tcp://HOST:8786, a dask scheduler, docs/cluster.md")
    parser.add_argument("--mongo", help="mongodb://HOST:PORT/DATABASE, which records the runs of all machines")
    parser.add_argument("--write", action="store_true", help="write the pages from what was run, and run nothing")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


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
        descriptor = os.open(runs_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
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


@contextmanager
def _runner(given: argparse.Namespace, runs: RunsOfCells) -> Iterator[Runner]:
    """Who runs the cells: this machine, or the cluster that was named."""
    runner.store(given.mongo)  # a wrong address is one mistake, and not one of each cell
    with cluster.connected(given.cluster) as workers:
        if workers:
            runner.check(workers, runs.runs_dir, given.mongo)
            yield workers
            return
    jobs = given.jobs or (1 if given.devices.startswith("gpu") else cores())
    here = Here(jobs)
    try:
        yield here
    finally:
        here.stop()


def _run_all(
    cells: list[Cell],
    runs: RunsOfCells,
    given: argparse.Namespace,
    workers: Runner,
    failures: dict[str, str],
    write: Callable[[], object],
) -> None:
    """Run what is missing of ``cells``; puts into ``failures`` why some failed, writes after each that ended."""
    progress = Progress()
    started: set[tuple[str, int]] = set()
    pending: dict[Future[str], Task] = {}
    order = Order(runs.runs_dir, given.data_root, _runtime(given, runs), workers.slots())
    while True:
        runs.refresh()
        tasks = plan(cells, given.replicates, runs)
        if not started:
            _say_what_is_missing(tasks, progress, runs)
        if order.slots != (slots := workers.slots()):
            progress.say(f"workers: {sum(slots.values())} on {len(slots)} machine{'s' * (len(slots) != 1)}")
            order = replace(order, slots=slots)
        jobs = min(sum(slots.values()), given.jobs or sys.maxsize)
        own = {task.key for task in pending.values()}
        foreign = {task.key for task in tasks if task.standing == RUNNING} - own
        ready = {task.key: task for task in tasks if task.standing in (STOPPED, WAITING) and task.key not in started}
        for task in list(ready.values())[: max(0, jobs - len(pending) - len(foreign))]:
            started.add(task.key)
            pending[workers.submit(cell_process.run, task.cell, task.seed, order)] = task
            progress.say(f"{'goes on' if task.standing == STOPPED else 'started'}: {task.name}")
        if not pending and not ready:
            progress.say(overview(tasks, None if foreign else 0))
            return
        progress.show(tasks, Pace({cell.name: (cell, runs.of(cell)) for cell in cells}), max(1, jobs))
        for future in wait(pending, REFRESH_SECONDS).done:
            task = pending.pop(future)
            if reason := workers.reason(future):
                failures[task.name] = reason + _way_out(task)
                progress.say(f"failed:  {task.name}: {failures[task.name]}")
            else:
                progress.say(f"done:    {task.name}: {_score(task, runs)}")
                write()
        if not pending:
            time.sleep(REFRESH_SECONDS)  # others are at work on what is left


def _runtime(given: argparse.Namespace, runs: RunsOfCells) -> tuple[str, ...]:
    """What every run is told of the machine."""
    words = [f"devices={given.devices}", f"data_root={given.data_root}", f"runs_dir={runs.runs_dir}"]
    words += [] if given.devices.startswith("gpu") else ["workers=1"]
    words += [f"mongo={given.mongo}"] if given.mongo else []
    return tuple(f"runtime.{word}" for word in words)


def _way_out(task: Task) -> str:
    """What to do where a run that was to go on cannot."""
    if task.run is None:
        return ""
    return f" (`python -m experiments delete {task.run.run_id}` lets the cell start anew)"


def _say_what_is_missing(tasks: list[Task], progress: Progress, runs: RunsOfCells) -> None:
    missing = {task.cell.entry.name: runs.missing_data(task.cell) for task in tasks if task.standing == NO_DATA}
    for name, reason in missing.items():
        progress.say(f"no data: {name}: {reason}")
    for line in dict.fromkeys(line for task in tasks for line in runs.stale(task.cell)):
        progress.say(f"does not count: {line}")


def _score(task: Task, runs: RunsOfCells) -> str:
    """Measured beside published."""
    runs.refresh()
    done = [own for own in runs.of(task.cell, task.seed) if own.is_complete]
    if not done:
        return "its run is not one of this cell; was code or data changed meanwhile?"
    metric = task.cell.numbers["select_by"]
    known = task.cell.published if "epochs" not in task.cell.updates else []
    published = [f"published {words.published(own)} %" for own in known if own.metric == metric]
    value = done[0].final(metric)
    return ", ".join([f"{TITLES[metric]} {100 * (value or 0):.1f} %", *published, f"run {done[0].run_id}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
