import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from experiments import journal, runstore
from experiments.journal import Journal
from experiments.store_keeper import SECANTUSD


class Machine:
    """What the kernel says of processes and ports."""

    @staticmethod
    def processes(folder: Path) -> list[int]:
        """Living processes, zombies excluded, whose command line names `folder` or something in it."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):  # it has ended meanwhile
                    if str(folder).encode() in (entry / "cmdline").read_bytes():
                        found.append(int(entry.name))
        return found

    @staticmethod
    def listening_addresses(port: int) -> set[str]:
        """The local addresses, in the kernel's hexadecimal, on which somebody listens at `port`."""
        rows = [
            line.split()
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for line in Path(table).read_text().splitlines()[1:]
        ]
        local = [row[1].split(":") for row in rows if row[3] == "0A"]  # state LISTEN
        return {address for address, hex_port in local if int(hex_port, 16) == port}

    @staticmethod
    def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Machine()


@pytest.fixture
def runs_dir(tmp_path, monkeypatch) -> Iterator[Path]:
    """Where the embedded store may be started; when the test is over, no process over it is left."""
    for name in ("SACRED_MONGO_URL", "SACRED_MONGO_USER", "SACRED_MONGO_PASSWORD", "RUN_STORE_IDLE_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "runs"
    for pid in Machine.processes(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    Machine.wait_until(lambda: not Machine.processes(tmp_path))


class Server:
    """A MongoDB-compatible server at a fixed address, as a team would have one; started and stopped by the test."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"mongodb://127.0.0.1:{self.port}/sacred"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.folder / "empty.toml").touch()
        # fmt: off
        command = [
            str(SECANTUSD.with_name("python")), "-I", str(SECANTUSD), "--config", str(self.folder / "empty.toml"),
            "--standalone", "--sync-on-commit", "--host", "127.0.0.1", "--port", str(self.port),
            "--storage-path", str(self.folder / "data"),
        ]
        # fmt: on
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        Machine.wait_until(lambda: bool(Machine.listening_addresses(self.port)))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def database(self) -> Database:
        return MongoClient(self.address, serverSelectionTimeoutMS=5000)["sacred"]


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    if not SECANTUSD.exists():
        pytest.skip("no embedded run store here; `make setup` installs it")
    own = Server(tmp_path / "server")
    own.start()
    yield own
    own.kill()


CONFIG = {
    "experiment": "attention_cluster_flash_mnist",
    "model": "attention_cluster",
    "dataset": "flash_mnist",
    "learning_rate": 0.001,
    "optimizer_params": {"beta1": 0.9, "beta2": 0.999},
    "runtime": {"devices": "cpu"},
}


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Journal]:
    """Makes the folder of a run that has ended."""
    return _make_run


def _make_run(
    runs_dir: Path, config=(), curves=(), alive=False, name=None, sources=(), resources=(), **given
) -> Journal:
    """A run as the run log writes it; `given` goes into run.json or state.json, whichever has such a key."""
    own = Journal.create(runs_dir, name)
    run = {
        "id": own.run_id,
        "uuid": f"uuid of {own.run_id}",
        "command": "train",
        "start_time": f"2020-03-0{min(9, len(journal.numbers(runs_dir)))}T10:00:00",
        "store": runstore.EMBEDDED,
        "experiment": {"name": "video_classification", "base_dir": "/b"},
        "host": {},
        "meta": {"options": {"UPDATE": []}},
        "git": {"commit": 8 * "abcde", "dirty": False},
        "packages": {"numpy": "1.23.5"},
        "sources": [[path.name, own.keep(path)] for path in sources],
    }
    state = {
        "status": journal.COMPLETED,
        "parts": ["2020-03-01 10:00:00"],
        "stop_time": "2020-03-01T11:00:00",
        "heartbeat": "2020-03-01T10:59:00",
        "wall_seconds": 3661.2,
        "info": {"data": {"train": {"fingerprint": "0123456789"}}},
        "resources": [[str(path), own.keep(path)] for path in resources],
        "artifacts": {},
    }
    own.write("run", {**run, **{key: value for key, value in given.items() if key in run}})
    own.write("config", {**CONFIG, **dict(config)})
    own.write("state", {**state, **{key: value for key, value in given.items() if key in state}})
    for metric, values in dict(curves).items():
        for step, value in enumerate(values, start=1):
            own.metric(metric, value, step, "2020-03-01T10:30:00")
    if not alive:
        own.close()
    return own
