"""What does the record of a run cost? ``python -m benchmarks.run_log [--seconds N] [--rounds N]``.

A run of 100 steps a second with a metric each, recorded in a folder and the embedded store: the processor time of what
the log does within the steps, and of its own threads beside them.
"""

import argparse
import statistics
import sys
import time

import numpy as np

from benchmarks import arguments, logged
from benchmarks.plot import Bar
from benchmarks.record import Record

STEP_SECONDS = 0.01
WORK_SECONDS = 0.006  # of a step on one core


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = arguments.parser("run_log", __doc__, rounds=3)
    parser.add_argument("--seconds", type=arguments.seconds, default=20.0, help="a measurement (%(default)s)")
    given = parser.parse_args(words)
    return arguments.told(lambda: _measure(given, words))


def _measure(given: argparse.Namespace, words: list[str]) -> None:
    record = Record("run_log", words, given.out)
    found: dict[str, list[float]] = {"within the steps": [], "beside them": []}
    for _ in range(given.rounds):
        seconds = logged.run(lambda log_scalar: _measured(log_scalar, int(given.seconds / STEP_SECONDS)))
        for (where, own), one in zip(found.items(), seconds, strict=True):
            own.append(100 * one / given.seconds)
            record.add(where=where, percent=own[-1], seconds=given.seconds)
    record.head(["what the log does", "% of a core's time:", "lowest, highest"])
    for where, own in found.items():
        record.row([where, f"{statistics.median(own):.2f}", f"{min(own):.2f}, {max(own):.2f}"])
    record.panel("a metric a step", "% of a core's time", [Bar(where, own) for where, own in found.items()])
    record.say(
        f"\n{given.rounds} rounds of {given.seconds:g} s at {1 / STEP_SECONDS:.0f} steps a second. "
        "Within the steps: calls of the log; beside them: its threads, which bring the record to the store."
    )


def _measured(log_scalar: logged.LogScalar, steps: int) -> tuple[float, float]:
    """Seconds of processor time in calls of the log, and in all threads but this one."""
    array = np.ones(100_000)
    begin, own, everyone, within = time.monotonic(), time.thread_time(), time.process_time(), 0.0
    for step in range(steps):
        busy = time.thread_time() + WORK_SECONDS
        while time.thread_time() < busy:
            np.add(array, 1.0, out=array)
        before, empty = time.thread_time(), time.thread_time()
        log_scalar("train.loss", 1 / (step + 1), step)
        within += (time.thread_time() - empty) - (empty - before)  # without what reading the clock takes
        time.sleep(max(0.0, begin + (step + 1) * STEP_SECONDS - time.monotonic()))
    return within, (time.process_time() - everyone) - (time.thread_time() - own)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
