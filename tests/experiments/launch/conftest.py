import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from experiments import ROOT
from experiments.launch import MARKER

ADDING = str(Path(__file__).parent / "adding.py")
MARK = "LAUNCH_TEST"


def environment(pid: int) -> dict[str, str]:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)
    return {}


class Launched:
    """A launcher and everything that it has started, found by a mark in the environment."""

    def __init__(self, *words: str, launch: tuple = (sys.executable, "-m", "experiments.launch"), **more: str):
        self.jobs: set[str] = set()
        self.mark = uuid.uuid4().hex
        told = {**os.environ, MARK: self.mark, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}
        self.process = subprocess.Popen(
            [*launch, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=told
        )
        self.lines: list[str] = []
        self.reading = threading.Event()  # cleared, it reads no further, as a pager that waits
        self.reading.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.reading.wait()
            self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    @property
    def endings(self) -> list[str]:
        """The lines in which the launcher says what happened."""
        return [line for line in self.lines if line.startswith("launch: ")]

    def all(self) -> list[int]:
        """Every process of it, other machines' too, but for the store's keeper, which is everybody's."""
        told = {int(entry.name): environment(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")}
        own = {pid for pid, words in told.items() if words.get(MARK) == self.mark}
        self.jobs |= {told[pid][MARKER].partition("/")[0] for pid in own if MARKER in told[pid]}
        own |= {pid for pid, words in told.items() if words.get(MARKER, "").partition("/")[0] in self.jobs}
        return [pid for pid in own if b"store_keeper" not in _command(pid) and b"secantus" not in _command(pid)]

    def role(self, name: str) -> int:
        """The process of a role, such as ``worker1``."""
        return next(pid for pid in self.all() if environment(pid).get(MARKER, "").endswith(f"/{name}"))

    def agent_of(self, name: str) -> int:
        stat = Path(f"/proc/{self.role(name)}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])

    def wait_for(self, pattern: str, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not re.search(pattern, self.said):
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code; when it has ended, nothing of it is left."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended in {seconds} seconds:\n{self.said}") from None
        self._reader.join(5.0)
        assert not self.all(), [(_command(pid), environment(pid).get(MARKER)) for pid in self.all()]
        return code

    def close(self) -> None:
        for pid in self.all():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def launch():
    """Starts a launcher; when the test is over, nothing of it is left."""
    started = []

    def start(*words: str, **options) -> Launched:
        started.append(Launched(*words, **options))
        return started[-1]

    yield start
    for own in started:
        own.close()


@pytest.fixture
def adding() -> str:
    """The program of a worker."""
    return ADDING


SMOKE = ["with", "smoke", "dropout=0.0", "batch_size=8", "log_interval=1", "seed=1"]  # 4 steps an epoch


@pytest.fixture(scope="session")
def one_process(tmp_path_factory) -> Path:
    """A folder with the run of one process, 52 steps, and the data that all take."""
    folder = tmp_path_factory.mktemp("one")
    words = [*SMOKE, "epochs=13", f"runtime.data_root={folder}/data", f"runtime.runs_dir={folder}/runs"]
    command = [sys.executable, "experiments/run.py", *words]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    return folder


@pytest.fixture
def training(one_process):
    """The command of a real training run that is recorded in a folder."""

    def command(folder: Path, *words: str) -> list[str]:
        places = [f"runtime.data_root={one_process}/data", f"runtime.runs_dir={folder}/runs"]
        return ["--", "python", "experiments/run.py", *SMOKE, *places, "runtime.kvstore=dist_sync", *words]

    return command
