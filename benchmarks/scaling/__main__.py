"""``python -m benchmarks.scaling [--write docs/scaling.md] [--read docs/scaling.json] [--quick]``.

Measures the parts of a step on this machine and real jobs of 1, 2 and 3 workers, and prints the page that says by a
model what 1 to 64 workers would do. Beside a page that is written stand what was measured (.json) and a figure (.svg).
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.arguments import told
from benchmarks.scaling.measure import measure
from benchmarks.scaling.page import figure, page
from experiments.errors import UserError


def main(arguments: list[str]) -> int:
    """Measure or read, then print or write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.split("\n\n")[1])
    parser.add_argument("--write", type=Path, metavar="PAGE.md", help="write the page there instead of printing it")
    parser.add_argument("--read", type=Path, metavar="FILE.json", help="take what was measured before, from this file")
    parser.add_argument("--quick", action="store_true", help="small nets and few steps, to see that it works")
    given = parser.parse_args(arguments)
    return told(lambda: _run(given), "nothing was written")


def _run(given: argparse.Namespace) -> None:
    if given.write and given.write.suffix != ".md":
        raise UserError(f"--write {given.write}: not the name of a page, PAGE.md")
    measured = _read(given.read) if given.read else measure(given.quick)
    text = page(measured, f"{given.write.stem}.svg" if given.write else None)
    if not given.write:
        print(text, end="")
        return
    files = {".json": json.dumps(measured, indent=1) + "\n", ".svg": figure(measured), ".md": text}
    for suffix, content in files.items():
        aside = given.write.with_suffix(f"{suffix}.new")
        aside.write_text(content)
        aside.replace(given.write.with_suffix(suffix))
    print(f"written: {given.write}, and beside it .svg and .json")


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError:
        raise UserError(f"{path}: no measurements; measure anew, without --read") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
