"""Runs whose store was away when they ended: brought there afterwards, by the next run or by a person's command."""

import json
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from pymongo.database import Database
from pymongo.errors import PyMongoError

from experiments import journal, runstore
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.mirror import Mirror, TakenError, taken_numbers


def bring_over(runs_dir: Path, address: str, database: Database) -> list[str]:
    """Bring every ended run of ``address`` whose record there is not up to date; what was done, a line each.

    Runs whose process died are marked so first. A run that lives is left to its own process.

    Args:
        runs_dir: the folder of all runs.
        address: of the store, as the runs have written it down.
        database: of that store.
    """
    done = []
    for own in journal.journals(runs_dir):
        if own.read("run").get("store") != address:
            continue
        journal.mark_dead(own)
        if _is_stored(own, address) or not own.take():
            continue
        try:
            try:
                Mirror(own, database).update()
            except TakenError:
                before, own = own.folder.name, _renumbered(own, database)
                Mirror(own, database).update()
                done.append(f"run {before} is now run {own.run_id}: the store had another {before} already")
            mark_stored(own, address)
            done.append(f"run {own.run_id}: {own.read('state').get('status')}, brought to {address}")
        finally:
            own.close()
    return done


def everything(runs_dir: Path, mongo: str | None = None) -> list[str]:
    """Bring all runs of ``runs_dir`` to their stores; what was done, a line each.

    Raises:
        UserError: if a store does not answer.
    """
    lines = []
    addresses = {own.read("run").get("store", "") for own in journal.journals(runs_dir)}
    for address in sorted(addresses):
        with open_recorded(address, runs_dir, mongo) as store, store.client() as client:
            lines += bring_over(runs_dir, address, client[store.database])
    return lines


def bring(own: Journal) -> None:
    """Bring one run, which has ended and is locked by the caller, to its store.

    Raises:
        UserError: if the store does not take it.
    """
    address, mongo = own.read("run")["store"], own.read("config").get("runtime", {}).get("mongo")
    try:
        with open_recorded(address, own.folder.parent, mongo) as store, store.client() as client:
            Mirror(own, client[store.database]).update()
        mark_stored(own, address)
    except (PyMongoError, TakenError) as error:
        raise UserError(f"{address}: {error}") from None


def open_recorded(address: str, runs_dir: Path, mongo: str | None) -> AbstractContextManager[runstore.Store]:
    """The store that runs have written down as ``address``.

    Args:
        address: without login and options, as runs record it.
        runs_dir: the folder of these runs.
        mongo: the full address, where the recorded one is not enough; the environment's is looked at too.
    """
    if address == runstore.EMBEDDED:
        return runstore.open_store(None, runs_dir, ignore_environment=True)
    named = runstore.named_store(mongo)
    return runstore.open_store(mongo if named and named.redacted == address else address, runs_dir)


def mark_stored(own: Journal, address: str) -> None:
    """Note that ``address`` has the run as it now is."""
    own.write("stored", {"store": address, "as_of": _signature(own)})


def remove(own: Journal) -> None:
    """Remove a run's folder."""
    own.close()
    doomed = own.folder.with_name(f".{own.folder.name}.{os.getpid()}.removed")
    own.folder.rename(doomed)  # at once: a folder half removed is nobody's run
    shutil.rmtree(doomed)


def _is_stored(own: Journal, address: str) -> bool:
    stored = own.read("stored")
    return stored.get("store") == address and stored.get("as_of") == _signature(own)


def _signature(own: Journal) -> list[int]:
    """What changes whenever the journal does."""
    found = []
    for name in ("state.json", "metrics.jsonl", "output.txt"):
        path = own.folder / name
        stat = path.stat() if path.exists() else None
        found += [stat.st_size, stat.st_mtime_ns] if stat else [0, 0]
    return found


def _renumbered(own: Journal, database: Database) -> Journal:
    """``own`` under the next number that is free here and in the store."""
    runs_dir = own.folder.parent
    highest = max([0, *journal.numbers(runs_dir), *taken_numbers(database)])
    while True:
        highest += 1
        try:
            (runs_dir / str(highest)).mkdir()
            break
        except FileExistsError:
            pass
    own.close()
    own.folder.rename(runs_dir / str(highest))
    moved = Journal(runs_dir / str(highest))
    moved.take()
    run = json.loads((moved.folder / "run.json").read_text())
    moved.write("run", {**run, "id": highest})
    return moved
