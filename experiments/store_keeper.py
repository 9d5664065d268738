"""The keeper of the embedded run store: one small process that owns one SecantusDB server.

It starts the server, starts it again on the same port if it dies while somebody uses it, and stops it when
nobody has used it for a while. The kernel counts the users: each holds a shared lock on the lease file, which
ends with the process, however that ends. `runstore.open_store` starts the keeper and hands it the keeper lock
in a descriptor that is never closed:

    python -m experiments.store_keeper FOLDER IDLE_SECONDS
"""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import ROOT, child

SECANTUSD = ROOT / ".venv-store" / "bin" / "secantusd-py"

_LISTENING = re.compile(rb"secantus listening on 127\.0\.0\.1:(\d+)")
_START_SECONDS = 60.0  # after a crash the server first replays its log
_MAX_RESTARTS = 20


@dataclass(frozen=True)
class StoreFolder:
    """The files of an embedded store, in `path`."""

    path: Path

    @property
    def data(self) -> Path:
        """WiredTiger's own folder."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """What the keeper and the server say."""
        return self.path / "server.log"

    @property
    def lease(self) -> Path:
        """Each user of the store holds a shared lock on it; its time of change is that of the last use."""
        return self.path / "in-use.lock"

    @property
    def keeper_lock(self) -> Path:
        """The keeper holds it as long as it lives, so that there is one."""
        return self.path / "keeper.lock"

    @property
    def address(self) -> Path:
        """Port and process of the running server, as JSON; absent when none runs."""
        return self.path / "server.json"

    def read_address(self) -> dict[str, Any] | None:
        """Return what `address` holds, or None."""
        try:
            return json.loads(self.address.read_text())
        except FileNotFoundError:
            return None

    def write_address(self, port: int, pid: int) -> None:
        """Publish the server, at once or not at all."""
        address = {
            "port": port,
            "pid": pid,
            "keeper_pid": os.getpid(),
            "host": socket.gethostname(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        aside = self.address.with_suffix(".new")
        aside.write_text(json.dumps(address, indent=1) + "\n")
        aside.replace(self.address)

    def withdraw_address(self) -> None:
        """Take back what this process published."""
        address = self.read_address()
        if address and address["keeper_pid"] == os.getpid():  # not if the folder was removed and made anew
            self.address.unlink()


def try_lock(path: Path, kind: int) -> int | None:
    """Lock a file, made where absent, and return its descriptor; None if others hold it.

    Args:
        path: The file.
        kind: `fcntl.LOCK_SH` or `fcntl.LOCK_EX`. It ends when the descriptor's last copy is closed.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class Keeper:
    """Runs the server of one store folder.

    Args:
        folder: Whose lock this process holds already.
        idle_seconds: Without a user for this long, the server is stopped.
    """

    def __init__(self, folder: StoreFolder, idle_seconds: float):
        self._folder = folder
        self._idle_seconds = idle_seconds
        self._lease = os.open(folder.lease, os.O_RDWR | os.O_CREAT, 0o600)

    def run(self) -> None:
        """Serve until nobody uses the store; a server that dies before that is replaced on its port."""
        port = 0  # the system chooses
        for _ in range(1 + _MAX_RESTARTS):
            server, port = self._start_server(port)
            try:
                self._folder.write_address(port, server.pid)
                died = self._wait(server)
            finally:
                self._folder.withdraw_address()
                child.stop(server)
            if not died or self._lock_unused():
                return
            _say(f"the server died (exit code {server.returncode}) while in use: starting it again")
        _say(f"the server died {1 + _MAX_RESTARTS} times: giving up")

    def _start_server(self, port: int) -> tuple[subprocess.Popen[bytes], int]:
        self._folder.data.mkdir(exist_ok=True)
        config = self._folder.path / "secantusd.toml"
        config.touch()  # empty: without it the server would obey one in the user's home
        # fmt: off
        command = [
            str(SECANTUSD.with_name("python")), "-I", str(SECANTUSD), "--config", str(config),
            "--standalone", "--sync-on-commit", "--host", "127.0.0.1", "--port", str(port),
            "--storage-path", str(self._folder.data),
        ]
        # fmt: on
        with self._folder.log.open("ab") as log, self._folder.log.open("rb") as said:
            said.seek(0, os.SEEK_END)
            server = child.start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            output = b""
            deadline = time.monotonic() + _START_SECONDS
            while server.poll() is None and time.monotonic() < deadline:
                output += said.read()
                if listening := _LISTENING.search(output):
                    return server, int(listening[1])
                time.sleep(0.02)
        child.stop(server)
        raise SystemExit(f"keeper: the server did not start (exit code {server.returncode})")

    def _wait(self, server: subprocess.Popen[bytes]) -> bool:
        """Return True when the server died, False when nobody has used it for long enough."""
        pause = max(0.05, min(1.0, self._idle_seconds / 4))
        while server.poll() is None:
            time.sleep(pause)
            # The time of change also counts a user who came and went between two looks. When the wait is over
            # the lock is kept until this process ends: who comes now waits, and then starts another server.
            if not self._lock_unused():
                os.utime(self._lease)
            elif time.time() - os.fstat(self._lease).st_mtime > self._idle_seconds:
                return False
            else:
                fcntl.flock(self._lease, fcntl.LOCK_UN)
        return True

    def _lock_unused(self) -> bool:
        """Lock the lease file, and return True, if nobody holds a lease."""
        try:
            fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _say(message: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} keeper: {message}", file=sys.stderr, flush=True)


def main(folder: str, idle_seconds: str) -> None:
    """Detach from whoever called, and keep the store in `folder`."""
    if os.fork():
        os._exit(0)  # the caller waits for this; the keeper is nobody's child
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Keeper(StoreFolder(Path(folder)), float(idle_seconds)).run()


if __name__ == "__main__":
    main(*sys.argv[1:3])
