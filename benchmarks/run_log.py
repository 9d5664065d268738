"""What does the record of a run cost? ``python -m benchmarks.run_log [--seconds N]``.

A run of 100 steps a second with a metric each, recorded in a folder and the embedded store: the processor time of what
the log does within the steps, and of its own threads beside them.
"""

import argparse
import time

import numpy as np

from benchmarks import arguments, logged

STEP_SECONDS = 0.01
WORK_SECONDS = 0.006  # of a step on one core


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_log", description=__doc__)
    parser.add_argument("--seconds", type=arguments.seconds, default=60.0, help="(%(default)s)")
    seconds = parser.parse_args().seconds
    within, beside = logged.run(lambda log_scalar: _measured(log_scalar, int(seconds / STEP_SECONDS)))
    print(f"{seconds:.0f} s at {1 / STEP_SECONDS:.0f} steps a second, a metric each:")
    print(f"  within the steps {within / seconds:.2%} of one core's time, beside them {beside / seconds:.2%}")


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
    main()
