"""``python -m experiments COMMAND``: the experiments there are, their data, and the record of runs."""

import argparse
import shutil
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
    runs = commands.add_parser("runs", help="the runs there are, and how each ended")
    compare = commands.add_parser("compare", help="what differs between runs: configuration, results, curves")
    compare.add_argument("run", nargs="+")
    delete = commands.add_parser("delete", help="remove runs: record, curves, files")
    delete.add_argument("run", nargs="+")
    sync = commands.add_parser("sync", help="bring runs to the store that was away when they ended")
    again = commands.add_parser("rerun", help="a run's configuration once more, and what came out differently")
    again.add_argument("run")
    again.add_argument("--data-root", help="where the data are today, if not where the run had them")
    for command in (runs, compare, delete, sync, again):
        command.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="(%(default)s)")
    for command in (delete, sync):
        command.add_argument("--mongo", help="the store's address, mongodb://HOST:PORT/DATABASE, if it has moved")
    given = parser.parse_args(arguments)
    try:
        if given.command == "list":
            print(_list())
        elif given.command == "show":
            print(_show(given.name))
        elif given.command == "prepare":
            from experiments import prepare as preparation

            preparation.prepare(given.dataset, given.data_root)
        else:
            return _of_runs(given)
    except (UserError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _of_runs(given: argparse.Namespace) -> int:
    from experiments import rerun, run_removal, run_table, sync

    width = shutil.get_terminal_size().columns
    if given.command == "runs":
        print(run_table.runs(given.runs_dir, width))
    elif given.command == "compare":
        print(run_table.compare(given.runs_dir, given.run, width))
    elif given.command == "delete":
        print(run_removal.delete(given.runs_dir, given.run, given.mongo))
    elif given.command == "sync":
        print("\n".join(sync.everything(given.runs_dir, given.mongo)) or "every run is where it belongs")
    else:
        return rerun.rerun(given.run, given.runs_dir, given.data_root)
    return 0


def _list() -> str:
    entries = [registry.load(name) for name in registry.names()]
    rows = [(entry.name, entry.model["name"], entry.data.dataset, _published(entry)) for entry in entries]
    return _table([("experiment", "model", "dataset", "published"), *rows])


def _show(name: str) -> str:
    entry = registry.load(name)
    lines = [entry.name, "=" * len(entry.name), "", entry.text.rstrip(), ""]
    cells = registry.cells(entry)
    if name in registry.names() and entry.grid:
        lines.append(f"run all {len(cells)} cells:  make reproduce-paper CELLS={name}")
    changes = "".join(f" {key}={value}" for key, value in cells[0].updates.items())
    lines.append(f"run {'one' if entry.grid else 'it'}:  python experiments/run.py with experiment={name}{changes}")
    return "\n".join(lines)


def _published(entry: registry.Entry) -> str:
    if entry.grid:
        return f"{'a table' if entry.references else '-'} ({len(registry.cells(entry))} cells)"
    return ", ".join(f"{own.metric} {own.value:.4g}" for own in registry.cells(entry)[0].published) or "-"


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
