"""What a benchmark found: a Markdown table on the terminal and in a file, a picture, and JSON a measurement."""

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.plot import Bar, Panel
from experiments import ROOT

FOLDER = ROOT / "runs" / "bench"


class Record:
    """Files ``NAME.jsonl``, to which lines are added for ever, ``NAME.md`` and ``NAME.png``, what was last found.

    Args:
        name: of the benchmark.
        words: of its command line, for the head of its tables.
        folder: where the files go.
    """

    def __init__(self, name: str, words: Sequence[str], folder: Path = FOLDER) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lines, self._table, self._picture = (folder / f"{name}.{kind}" for kind in ("jsonl", "md", "png"))
        self._panels: list[Panel] = []
        self._same = {"benchmark": name, "machine": machine(), "started": time.strftime("%Y-%m-%dT%H:%M:%S")}
        self._heading = f"{name} {' '.join(words)}".rstrip() + f", {self._same['started']}"
        self._table.write_text("")
        self.say(f"{self._heading}\n\n{machine()}\n")

    def add(self, **measured: Any) -> None:
        """One measurement."""
        with self._lines.open("a") as file:
            file.write(json.dumps({**self._same, **measured}) + "\n")

    def say(self, text: str) -> None:
        """A piece of the table or beside it, on the terminal too."""
        print(text, flush=True)
        with self._table.open("a") as file:
            file.write(text + "\n")

    def head(self, columns: Sequence[str]) -> None:
        """The first two lines of a table; a column's name ends in a colon where it is of numbers."""
        self.row(column.removesuffix(":") for column in columns)
        self.say("|" + "|".join("---:" if column.endswith(":") else "---" for column in columns) + "|")

    def row(self, cells: Iterable[str]) -> None:
        """A line of a table."""
        self.say(f"| {' | '.join(cells)} |")

    def panel(self, title: str, unit: str, bars: Sequence[Bar]) -> None:
        """One more piece of the picture, which is written anew, so that it is there when the rest is interrupted."""
        self._panels.append(Panel(title, bars))
        head = f"{self._heading}\nmedians, whiskers from the lowest to the highest\n{self._same['machine']}"
        plot.draw(self._picture, head, unit, self._panels)


def machine() -> str:
    """The machine's name, processor and memory, where the system says them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), "a processor unnamed"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.uname().nodename}: {processor}, {os.cpu_count()} cores, {memory:.0f} GB"
