"""Removal of runs: their records in the stores, their folders, and the shared files that nobody else names."""

from contextlib import ExitStack
from pathlib import Path

from pymongo.errors import PyMongoError

from experiments import journal, mirror, sync
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.run_table import find


def delete(runs_dir: Path, run_ids: list[str], mongo: str | None) -> str:
    """Remove runs from their stores and their folders, and the shared files that no other run names.

    Raises:
        UserError: if there is no such run, it is running, or its store does not answer; then nothing is removed.
    """
    doomed = [find(runs_dir, run_id) for run_id in dict.fromkeys(run_ids)]
    lines: list[str] = []
    with ExitStack() as held:
        try:
            for own in doomed:
                held.callback(own.close)
                if not own.take():
                    raise UserError(f"run {own.run_id} is running; stop it first. Nothing was removed")
            addresses = [own.read("run")["store"] for own in doomed]
            databases = {}
            for address in set(addresses):
                store = held.enter_context(sync.open_recorded(address, runs_dir, mongo))
                databases[address] = held.enter_context(store.client())[store.database]
            for own, address in zip(doomed, addresses, strict=True):
                try:
                    mirror.Mirror(own, databases[address]).reserve()  # so that the record of this number is ours
                    mirror.delete(databases[address], own.run_id)
                    lines.append(f"run {own.run_id}: removed from {runs_dir} and {address}")
                except mirror.TakenError:
                    lines.append(f"run {own.run_id}: removed from {runs_dir}; {address} has another {own.run_id}")
                sync.remove(own)
            lines.append(_sweep(runs_dir))
        except PyMongoError as error:
            done = "; ".join(lines) or "nothing was removed"
            raise UserError(f"the store stopped answering: {str(error).partition(', Timeout:')[0]}; {done}") from None
        except OSError as error:
            raise UserError(f"{error.filename} cannot be removed: {error.strerror}") from None
    return "\n".join(lines)


def _sweep(runs_dir: Path) -> str:
    """Remove the shared files that no run names."""
    for lock in runs_dir.glob("*/lock"):
        other = Journal(lock.parent)
        alive = not other.take()
        other.close()
        if alive:  # it may be about to name files that are there already
            return f"shared files stay while run {other.run_id} lives; the next `delete` removes them"
    named: set[str] = set()
    for other in journal.journals(runs_dir):
        run, state = other.read("run"), other.read("state")
        if not run or not state:
            return f"shared files stay: which of them run {other.run_id} needs cannot be read"
        named |= {md5 for _, md5 in [*run.get("sources", []), *state.get("resources", [])]}
    doomed = [path for path in (runs_dir / "files").glob("*") if path.name not in named]
    for path in doomed:
        path.unlink()
    return f"{len(doomed)} shared files removed that no other run names"
