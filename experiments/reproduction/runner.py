"""Who runs cells: threads here that each watch over a process, or the workers of a cluster."""

import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from datasets.cluster import Cluster, Seat
from experiments import ROOT, runstore

LOCK = "reproduce.lock"  # in the folder of runs, held by whoever reproduces there
HERE = "this machine"


class Runner(Protocol):
    """Runs cells, several at once."""

    def submit(self, function: Callable[..., str], *arguments: Any) -> Future[str]:
        """Have ``function(*arguments, seat)`` done as soon as there is room."""

    def reason(self, future: Future[str]) -> str:
        """What ``future`` returns, or why it does not."""

    def slots(self) -> dict[str, int]:
        """How many cells each machine runs at once."""

    def stop(self) -> None:
        """Ask all that run to end, and wait for them."""


class Here:
    """This machine, ``jobs`` cells at once."""

    def __init__(self, jobs: int):
        self._jobs = jobs
        self._executor: Executor = ThreadPoolExecutor(jobs, thread_name_prefix="cell")
        self._stopping = threading.Event()

    def submit(self, function: Callable[..., str], *arguments: Any) -> Future[str]:
        """Have ``function(*arguments, seat)`` done as soon as there is room."""
        return self._executor.submit(function, *arguments, Seat(HERE, self._stopping.is_set))

    def reason(self, future: Future[str]) -> str:
        """What ``future`` returns."""
        return future.result()

    def slots(self) -> dict[str, int]:
        """All are here."""
        return {HERE: self._jobs}

    def stop(self) -> None:
        """Ask all that run to end, and wait for them."""
        self._stopping.set()
        self._executor.shutdown(cancel_futures=True)


def check(cluster: Cluster, runs_dir: Path, mongo: str | None) -> None:
    """See to it that all workers record in one log, which is ours.

    Raises:
        DataError: if one of them would not.
    """
    cluster.check(_unfit, runs_dir, mongo, store(mongo), socket.gethostname(), _code())


def _unfit(runs_dir: Path, mongo: str | None, ours: str, host: str, code: str) -> str:
    """In a worker: why its runs would not be in the log of the machine ``host``, or not count there, if so."""
    if code != _code():
        return f"has another version of this project, in {ROOT}; bring both to the same, and start the worker anew"
    try:
        descriptor = os.open(runs_dir / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return f"does not see the folder {runs_dir}; --runs-dir must be one that all workers share"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return f"does not see locks of others in {runs_dir}; --runs-dir must be on a disk that shares locks too, as NFS"
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
    own = store(mongo)
    if own != ours:
        return f"records runs in {own}, and this command in {ours}; name one MongoDB to all by --mongo"
    if own == runstore.EMBEDDED and socket.gethostname() != host:
        return f"is not on {host}, and the embedded store serves one machine: name a MongoDB by --mongo"
    return ""


def _code() -> str:
    """The same where the project's code is the same."""
    packages = ("datasets", "evaluation", "experiments", "gluon_models")
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def store(mongo: str | None) -> str:
    """Where runs are recorded here, without login; see ``runstore.named_store``."""
    named = runstore.named_store(mongo)
    return named.redacted if named else runstore.EMBEDDED
