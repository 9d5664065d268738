"""What several tests need."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A store that a test starts stops soon after the test.
os.environ.setdefault("RUN_STORE_IDLE_SECONDS", "2")

# Two threads whatever the machine, so that sums come in one order.
os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """A folder with MNIST's files; the test is skipped where they cannot be had."""
    from datasets import mnist
    from datasets.errors import DataError

    folder = Path(os.environ.get("MNIST_DIR", ROOT / "data" / "mnist"))
    try:
        mnist.fetch(folder)
    except DataError as error:
        pytest.skip(str(error))
    return folder


class DaskCluster:
    """A dask cluster of real processes, as a user starts it: one scheduler, and workers that a test may kill.

    Args:
        folder: for what they write.
    """

    def __init__(self, folder: Path):
        folder.mkdir()
        self.folder = folder
        self.workers: list[subprocess.Popen] = []
        self._addressed = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(self._addressed))
        _wait_until(lambda: self._addressed.exists() and "tcp://" in self._addressed.read_text())
        self.address = "tcp://" + self._addressed.read_text().split('"tcp://')[1].split('"')[0]

    def start_workers(self, count: int, project: Path = ROOT) -> None:
        """Start ``count`` workers more, of the checkout ``project``, and wait for them."""
        options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder)]
        self.workers += [self._start("worker", self.address, *options, project=project) for _ in range(count)]
        _wait_until(lambda: self.log().count("Register worker addr") >= len(self.workers))

    def log(self) -> str:
        """What the scheduler said."""
        return (self.folder / "scheduler.log").read_text()

    def end(self) -> None:
        """Kill what lives."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

    def _start(self, role: str, *options: str, project: Path = ROOT) -> subprocess.Popen:
        loopback = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--no-dashboard"]
        with (self.folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", role, *options, *loopback],
                cwd=project,
                stdout=log,
                stderr=log,
                env={**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2"},
            )


def _wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def dask_cluster(tmp_path) -> Iterator[DaskCluster]:
    """A scheduler; the test starts the workers."""
    cluster = DaskCluster(tmp_path / "dask")
    yield cluster
    cluster.end()
