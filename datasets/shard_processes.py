"""Processes of this machine that make data files."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from multiprocessing.sharedctypes import Synchronized

from datasets import shard_maker
from datasets.errors import DataError
from datasets.shard_maker import Made, Task


class SharedProgress:
    """Counters that all processes share."""

    def __init__(self, context: SpawnContext):
        self._bytes: Synchronized[int] = context.Value("q", 0)
        self._videos: Synchronized[int] = context.Value("q", 0)
        self._stopped: Synchronized[int] = context.Value("b", 0)

    def add(self, size: int, videos: int) -> None:
        """Count ``size`` bytes of sources and ``videos`` found in them."""
        with self._bytes.get_lock():
            self._bytes.value += size
            self._videos.value += videos

    def counted(self) -> tuple[int, int]:
        """Bytes and videos of all processes."""
        return self._bytes.value, self._videos.value

    def stop(self) -> None:
        """End the work of all processes."""
        self._stopped.value = 1

    def stopped(self) -> bool:
        """Whether that was said."""
        return bool(self._stopped.value)


class Processes:
    """Makes data files by several processes.

    Args:
        executor: of processes that were begun by ``_start``.
        progress: which they were given.
    """

    def __init__(self, executor: Executor, progress: SharedProgress):
        self._executor = executor
        self.counted = progress.counted

    def submit(self, task: Task) -> Future[Made]:
        """Have ``task`` done."""
        return self._executor.submit(_make, task)


@contextmanager
def processes(count: int) -> Iterator[Processes]:
    """As many as ``count``, while the block lasts.

    Raises:
        DataError: if one of them ends before its time.
    """
    context = multiprocessing.get_context("spawn")
    progress = SharedProgress(context)
    executor = ProcessPoolExecutor(count, context, _start, (progress,))
    try:
        yield Processes(executor, progress)
    except (BrokenProcessPool, MemoryError) as error:
        raise DataError("a process ended for want of memory, or was killed; try fewer --workers") from error
    finally:
        progress.stop()
        executor.shutdown(cancel_futures=True)


_progress: SharedProgress | None = None


def _start(progress: SharedProgress) -> None:
    """What a process does first: it leaves Ctrl-C to the first process, and ends when that one ends."""
    global _progress
    _progress = progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _make(task: Task) -> Made:
    assert _progress is not None
    return shard_maker.make(task, _progress)
