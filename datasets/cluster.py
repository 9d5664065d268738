"""A dask.distributed cluster in the place of this machine's own processes. docs/cluster.md says how to start one.

Work handed to a worker that goes away is begun anew by another one. Whoever can reach a scheduler can run what he likes
on its workers: dask sends Python's pickles.
"""

import concurrent.futures
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from datasets.errors import DataError, one_line

CONNECT_SECONDS = 10
END_SECONDS = 40.0  # that work which was stopped gets to end in order


@dataclass(frozen=True)
class Seat:
    """Where a piece of work is done.

    Attributes:
        host: the machine, as the one that handed it out names it.
        stopped: whether nobody waits for it any more; to be asked every second or so.
    """

    host: str
    stopped: Callable[[], bool]


class Cluster:
    """Workers of many machines.

    Args:
        client: a ``distributed.Client``.
        address: of the scheduler, for messages.
    """

    def __init__(self, client: Any, address: str):
        self._client = client
        self._address = address
        # pure=False: the same work handed out twice is done twice.
        self._executor: concurrent.futures.Executor = client.get_executor(pure=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have ``function(*arguments, seat)`` done by a worker; it must be a function of a module that all have."""
        return self._executor.submit(_perform, self._client.id, function, *arguments)

    def reason(self, future: Future[str]) -> str:
        """What ``future`` returns, or in a line why there is nothing."""
        try:
            with _explained(self._address):
                return future.result()
        except Exception as error:  # whatever a worker may have raised
            return one_line(error)

    def slots(self) -> dict[str, int]:
        """How many pieces of work each machine does at once; empty while there is no worker.

        Raises:
            DataError: if the scheduler has gone.
        """
        self.check_scheduler()
        with _explained(self._address):
            count: Counter[str] = Counter()
            for address, threads in self._client.nthreads().items():
                count[_host(address)] += threads
            return dict(count)

    def check(self, function: Callable[..., str], *arguments: Any) -> None:
        """Ask every worker ``function(*arguments)``, which says why the worker is of no use, or nothing.

        Raises:
            DataError: with the first reason; or if there are no workers.
        """
        with _explained(self._address):
            answers = self._client.run(function, *arguments, on_error="return")
        if not answers:
            raise DataError(f"--cluster {self._address}: it has no workers; start some, see docs/cluster.md")
        for address, answer in answers.items():
            if isinstance(answer, ImportError):
                answer = f"cannot import this project ({one_line(answer)}); start it with the project's own Python"
            elif isinstance(answer, Exception):
                answer = f"cannot be used: {one_line(answer)}"
            if answer:
                raise DataError(f"--cluster {self._address}: the worker {address} {answer}")

    def check_scheduler(self) -> None:
        """To be called while results are waited for: dask does not tell every one of them when they cannot come.

        Raises:
            DataError: if the scheduler has gone.
        """
        with _explained(self._address):
            if self._client.status != "running":
                raise CancelledError

    def stop(self) -> None:
        """Give up what is not done, and wait for the workers to stop."""
        with suppress(Exception):  # workers without a scheduler stop by themselves
            self.check_scheduler()
            self._executor.shutdown(wait=False)
            deadline = time.monotonic() + END_SECONDS
            while any(self._client.run(_under_way, self._client.id).values()) and time.monotonic() < deadline:
                time.sleep(0.2)


@contextmanager
def connected(address: str | None) -> Iterator[Cluster | None]:
    """The cluster whose scheduler is at ``address``, while the block lasts; None without an address.

    Raises:
        DataError: if it cannot be used.
    """
    if address is None:
        yield None
        return
    if not re.fullmatch(r"(tcp|tls)://([^/@:\s\[\]]+|\[[\da-fA-F:]+\]):\d+", address):
        raise DataError(f"--cluster {address}: not of the form tcp://HOST:8786, or tls://HOST:8786")
    try:
        client = _client(address)
    except ImportError as error:
        raise DataError(
            f"--cluster {address}: dask's distributed is not installed ({one_line(error)}); `make setup` installs it"
        ) from error
    except OSError as error:
        raise DataError(
            f"--cluster {address}: no scheduler answers there ({one_line(error)}); start one by `make scheduler`,"
            " docs/cluster.md"
        ) from error
    cluster = Cluster(client, address)
    try:
        with _explained(address):
            yield cluster
    finally:
        cluster.stop()
        client.close(timeout=5)


def _client(address: str) -> Any:
    import distributed

    for name in ["asyncio", "tornado", *logging.root.manager.loggerDict]:  # what matters of it is said by us
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    class Client(distributed.Client):
        """As dask's, which is left half open by errors other than ``OSError``, and ends in a traceback."""

        async def _ensure_connected(self, timeout: float | None = None) -> None:
            try:
                await super()._ensure_connected(timeout)
            except (OSError, ImportError):
                raise
            except Exception as error:  # such as TypeError where TLS has no certificates
                raise OSError(one_line(error)) from error

    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as error:
        if not isinstance(error.__cause__, AssertionError):
            raise
        # Seen where workers came in the same moment: the scheduler's first answer was not the one that dask awaits.
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """What can happen to a cluster, as a line."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker as error:
        last = error.last_worker.address
        raise DataError(
            f"{error.allowed_failures + 1} workers ended over the same piece of work, the last one {last}; was it for"
            " want of memory? Their own output says more"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise DataError(
            f"--cluster {address}: its scheduler has gone; start it again, and say the same command again"
        ) from error


_at_work: list[str] = []  # in a worker: whose work it does


def _perform(client: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """In a worker: do a piece of work of ``client``."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def stopped() -> bool:
        # Of a task that was cancelled, or whose client has gone, dask's worker knows; it cannot end a thread.
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled" or worker.status.name in ("closing", "closed", "failed")

    _at_work.append(client)
    try:
        return function(*arguments, Seat(_host(worker.address), stopped))
    finally:
        _at_work.remove(client)


def _under_way(client: str) -> bool:
    """In a worker: whether it does work of ``client``."""
    return client in _at_work


def _host(address: str) -> str:
    return urlsplit(address).hostname or address
