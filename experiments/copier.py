"""Brings the news of a run's journal to the store while the run goes on."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pymongo.database import Database
from pymongo.errors import PyMongoError
from tqdm import tqdm

from experiments import runstore, sync
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.mirror import Mirror, TakenError, taken_numbers

COPY_SECONDS = 5.0  # between copies
LAST_WORDS_SECONDS = 1.0  # where it matters, a store that did not answer is asked again after this time


class Copier(threading.Thread):
    """A thread of its own, so that training waits for nobody.

    A store that does not answer is said once, and asked again later.

    Args:
        runs_dir: the folder of all runs; after its own, the copier brings over those that the store has missed.
        mongo: the store's address, see `runstore.named_store`.

    Raises:
        UserError: if ``mongo`` is no address.
    """

    def __init__(self, runs_dir: Path, mongo: str | None) -> None:
        super().__init__(name="runlog", daemon=True)
        named = runstore.named_store(mongo)  # a wrong address is a mistake, and ends the run before it begins
        self.address = named.redacted if named else runstore.EMBEDDED
        self._runs_dir = runs_dir
        self._mongo = mongo
        self._database: Database | None = None
        self._open = ExitStack()
        self._mirror: Mirror | None = None
        self._journal: Journal | None = None
        self._ended = threading.Event()
        self._told = False
        self._failed = float("-inf")  # when the store has not answered
        self._copying = threading.Lock()

    def reserve(self, run_id: int | str | None, write: Callable[[Journal], None]) -> Journal:
        """A new run's journal under an id that nobody else has, here or in the store."""
        taken: list[int] = []
        while True:
            database = self._connect()
            if database is not None:
                with contextlib.suppress(PyMongoError):
                    taken += taken_numbers(database)
            new = Journal.create(self._runs_dir, run_id, taken)
            write(new)
            try:
                if database is not None:
                    Mirror(new, database).reserve()
            except TakenError:
                sync.remove(new)
                if run_id is not None:
                    raise UserError(f"run {run_id}: {self.address} has one already; choose another id") from None
                continue
            except PyMongoError as error:
                self._lost(error)
            return new

    def start_copying(self, own: Journal) -> None:
        """Copy ``own`` from now on."""
        self._journal = own
        self.start()

    def run(self) -> None:  # noqa: D102
        self.copy(COPY_SECONDS)
        if self._database is not None:
            try:
                with self._copying:
                    sync.bring_over(self._runs_dir, self.address, self._database)
            except (PyMongoError, UserError, OSError) as error:
                self._lost(error)
        while not self._ended.wait(COPY_SECONDS):
            self.copy(COPY_SECONDS)

    def end(self) -> None:
        """Copy the rest, and let go of the store."""
        self._ended.set()
        self.join()
        if self.copy() and self._journal is not None:
            sync.mark_stored(self._journal, self.address)
        self._open.close()

    def copy(self, pause: float = LAST_WORDS_SECONDS) -> bool:
        """Bring the journal's news to the store now; whether it has them.

        Args:
            pause: seconds for which a store that has not answered is left alone.
        """
        with self._copying:
            return self._copy(pause)

    def _copy(self, pause: float) -> bool:
        database = self._connect(pause)
        if database is None or self._journal is None:
            return False
        try:
            if self._mirror is None:
                self._mirror = Mirror(self._journal, database)
            self._mirror.update()
            return True
        except TakenError:
            self._say(
                f"{self.address} has another run {self._journal.run_id}; this one gets a new number when it has ended"
            )
        except (PyMongoError, UserError, OSError) as error:
            self._lost(error)
        return False

    def _connect(self, pause: float = 0.0) -> Database | None:
        if self._database is None and time.monotonic() - self._failed >= pause:
            try:
                store = self._open.enter_context(runstore.open_store(self._mongo, self._runs_dir))
                client = self._open.enter_context(store.client())
                self._database = client[store.database]
            except (UserError, PyMongoError) as error:
                self._lost(error)
        return self._database

    def _lost(self, error: Exception) -> None:
        self._failed = time.monotonic()
        self._database = self._mirror = None
        with contextlib.suppress(Exception):
            self._open.close()
        self._open = ExitStack()
        self._say(str(error).partition(", Timeout:")[0])

    def _say(self, reason: str) -> None:
        if not self._told:
            self._told = True
            where = self._journal.folder if self._journal else self._runs_dir
            tqdm.write(
                f"run log: {reason}\nrun log: the run goes on, its record is kept in {where}; "
                "the store gets it when it is back, or by `python -m experiments sync`",
                file=sys.stderr,
            )
