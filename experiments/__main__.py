"""``python -m experiments list | show NAME | prepare DATASET``."""

import argparse
import sys
from pathlib import Path

from datasets.errors import DataError
from experiments import ROOT, registry
from experiments.errors import UserError


def main(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the experiments there are")
    show = commands.add_parser("show", help="one experiment: its numbers, references and deviations")
    show.add_argument("name", help="an experiment's name, or the path of a YAML file")
    prepare = commands.add_parser("prepare", help="bring a dataset into data_root")
    prepare.add_argument("dataset")
    prepare.add_argument("--data-root", type=Path, default=ROOT / "data")
    given = parser.parse_args(arguments)
    try:
        if given.command == "list":
            print(_list())
        elif given.command == "show":
            print(_show(given.name))
        else:
            from experiments import prepare as preparation

            preparation.prepare(given.dataset, given.data_root)
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _list() -> str:
    entries = [registry.load(name) for name in registry.names()]
    rows = [(entry.name, entry.model["name"], entry.data.dataset, _published(entry)) for entry in entries]
    return _table([("experiment", "model", "dataset", "published"), *rows])


def _show(name: str) -> str:
    entry = registry.load(name)
    lines = [entry.name, "=" * len(entry.name), "", entry.text.rstrip(), ""]
    lines.append(f"run it:  python experiments/run.py with experiment={name}")
    return "\n".join(lines)


def _published(entry: registry.Entry) -> str:
    if not entry.references:
        return "-"
    return ", ".join(f"{name} {value:.3g}" for name, value in entry.references[0].metrics.items())


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
