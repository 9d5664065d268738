"""Workers of a cluster that make data files, in a folder that all of them see."""

import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from datasets import shard_maker
from datasets.cluster import Cluster, Seat
from datasets.shard_maker import Made, Task


class Workers:
    """Makes data files by the workers of ``cluster``."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._bytes = self._videos = 0

    def submit(self, task: Task) -> Future[Made]:
        """Have ``task`` done."""

        def count(future: Future[Made]) -> None:
            if not future.cancelled() and not future.exception():
                self._bytes += sum(span.size for span in task.spans)
                self._videos += len(future.result()[0])

        future = self._cluster.submit(_make, task)
        future.add_done_callback(count)
        return future

    def counted(self) -> tuple[int, int]:
        """Bytes and videos of the files that are made: a worker says nothing of one before it is.

        Raises:
            DataError: if the scheduler has gone.
        """
        self._cluster.check_scheduler()
        return self._bytes, self._videos


@contextmanager
def workers(cluster: Cluster, tasks: list[Task]) -> Iterator[Workers]:
    """All that ``cluster`` has, while the block lasts.

    Raises:
        DataError: if one of them does not see what the ``tasks`` read, or where they write.
    """
    marker = tasks[0].path.with_name(f"shared-{uuid.uuid4().hex}")
    marker.touch()
    cluster.check(_unfit, marker, sorted({span.path for task in tasks for span in task.spans}))
    try:
        yield Workers(cluster)
    finally:
        cluster.stop()


def _unfit(marker: Path, sources: list[Path]) -> str:
    """In a worker: why it cannot be used, if it cannot."""
    if not marker.exists():
        return f"does not see the folder {marker.parent.parent}; --out must be one that all workers share"
    missing = next((path for path in sources if not path.exists()), None)
    return f"does not see {missing}; all workers need the sources under the same path" if missing else ""


def _make(task: Task, seat: Seat) -> Made:
    return shard_maker.make(task, _Told(seat), to_disk=True)


class _Told:
    """Asks whether the client still waits."""

    def __init__(self, seat: Seat):
        self.stopped = seat.stopped

    def add(self, size: int, videos: int) -> None:
        """Nothing: counts are made where the whole is seen."""
