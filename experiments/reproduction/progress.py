"""What `make reproduce-paper` shows while it runs."""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from shutil import get_terminal_size

from experiments.reproduction.pace import Pace
from experiments.reproduction.plan import DONE, NO_DATA, RUNNING, STOPPED, WAITING, Task

SILENT_SECONDS = 600.0  # between lines of the whole where the output is no terminal


class Progress:
    """A few lines at the terminal's foot that are drawn anew; elsewhere a line for each thing that happens."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._drawn = 0
        self._last = 0.0

    def show(self, tasks: list[Task], pace: Pace, jobs: int) -> None:
        """Where everything stands."""
        whole = overview(tasks, pace.seconds_left(tasks, jobs))
        if self._is_terminal:
            width = get_terminal_size().columns - 1
            running = [task for task in tasks if task.standing == RUNNING]
            wide = max((len(task.name) for task in running), default=0)
            lines = [whole, *(_line(task, pace, wide) for task in running)]
            self._erase()
            print("\n".join(line[:width] for line in lines), flush=True)
            self._drawn = len(lines)
        elif time.monotonic() - self._last > SILENT_SECONDS or not self._last:
            self._last = time.monotonic()
            print(whole, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._erase()
        print(text, flush=True)

    def _erase(self) -> None:
        if self._drawn:
            print(f"\033[{self._drawn}A\033[J", end="")
        self._drawn = 0


def overview(tasks: Iterable[Task], seconds_left: float | None) -> str:
    """One line of all ``tasks``: how many are done, run, wait, and when the last will end."""
    count = Counter(task.standing for task in {task.key: task for task in tasks}.values())
    parts = [f"{count[DONE]} of {count.total()} done", f"{count[RUNNING]} running"]
    parts.append(f"{count[WAITING] + count[STOPPED]} left")
    if count[NO_DATA]:
        parts.append(f"{count[NO_DATA]} without data")
    line = ", ".join(parts)
    if not count[RUNNING] + count[WAITING] + count[STOPPED]:
        return line
    if seconds_left is None:
        return f"{line}; the end is not known before an epoch of each kind was made"
    return f"{line}; ends about {_clock(seconds_left)} (in {duration(seconds_left)})"


def duration(seconds: float) -> str:
    """Such as ``5 h 12 min``."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _clock(seconds_left: float) -> str:
    end = datetime.now() + timedelta(seconds=seconds_left)
    return f"{end:%H:%M}" if seconds_left < 20 * 3600 else f"{end:%a %H:%M}"


def _line(task: Task, pace: Pace, wide: int) -> str:
    own = task.run
    assert own is not None
    speeds = own.curves.get("train.videos_per_second", {})
    speed = f"{speeds[max(speeds)]:,.0f} videos/s" if speeds else ""
    each = pace.seconds_per_epoch(task.cell)
    end = f"until {_clock(task.epochs_left * each)}" if each else ""
    epochs = own.config["epochs"]
    place = f"epoch {min(own.epochs + 1, epochs)}/{epochs}"
    return f"  {task.name:{wide}}  {place:13}  {speed:>15}  {end:11}  run {own.run_id}"
