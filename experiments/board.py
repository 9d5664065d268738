"""Omniboard, the recorded runs in a browser, on this machine alone: ``python -m experiments.board``."""

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from experiments import ROOT, board_columns, child, sync
from experiments.errors import UserError
from experiments.runstore import EMBEDDED, Store, named_store, open_store

PARTS = Path(__file__).parent / "omniboard"  # exact versions, and what is loaded before Omniboard starts
INSTALLED = ROOT / ".omniboard"

_START_SECONDS = 60.0


def main(arguments: list[str] | None = None) -> None:
    """Show the runs until Ctrl-C.

    Raises:
        UserError: The port is taken, Omniboard cannot be installed or started, or the store does not answer.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.board", description=__doc__)
    parser.add_argument("--port", type=int, default=9000, help="on 127.0.0.1 (%(default)s)")
    parser.add_argument("--mongo", help="mongodb://HOST:PORT/DATABASE (SACRED_MONGO_URL, or the embedded store)")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="(%(default)s)")
    options = parser.parse_args(arguments)
    _check_free(options.port)
    install()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open_store(options.mongo, options.runs_dir) as store:
        for line in _bring_over(store, options):
            print(line, flush=True)
        board_columns.set_up(store)
        board = start(store, options.port)
        try:
            print(f"Runs of {store.redacted}: http://127.0.0.1:{options.port}/ (Ctrl-C stops)", flush=True)
            board.wait()
        finally:
            child.stop(board)
    raise UserError(f"Omniboard ended by itself (exit code {board.returncode}); see {_log(options.port)}")


def _bring_over(store: Store, options: argparse.Namespace) -> list[str]:
    """Bring what `store` does not have yet: runs that ended while it was away, and those whose process died."""
    address = store.redacted if named_store(options.mongo) else EMBEDDED
    with suppress(OSError), store.client() as client:  # another user's runs: we may look, not write
        return sync.bring_over(options.runs_dir, address, client[store.database])
    return []


def install(folder: Path = INSTALLED) -> None:
    """Install Omniboard and all that it needs, in the versions of the lock file, unless it is there."""
    node = shutil.which("node")
    npm = shutil.which("npm")
    if node is None or npm is None:
        raise UserError("Omniboard needs Node.js: install node and npm (Debian: apt install nodejs npm)")
    folder.mkdir(exist_ok=True)
    with (folder / "install.lock").open("w") as lock, (folder / "install.log").open("w") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "package-lock.json"
        wanted = PARTS / "package-lock.json"
        # npm writes the hidden file last.
        complete = (folder / "node_modules" / ".package-lock.json").exists()
        if complete and done.exists() and done.read_bytes() == wanted.read_bytes():
            return
        print(f"Installing Omniboard in {folder}: once, about a minute, 530 MB.", flush=True)
        shutil.copy(PARTS / "package.json", folder)
        shutil.copy(wanted, done)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        patience = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
        if subprocess.run([*command, *patience], cwd=folder, stdout=log, stderr=log, check=False).returncode:
            raise UserError(f"npm could not install Omniboard; is the network there? See {log.name}")


def start(store: Store, port: int) -> subprocess.Popen[bytes]:
    """Start Omniboard over `store`; return it when it listens at `port` of 127.0.0.1."""
    # fmt: off
    command = [
        "node",
        "--require", str(PARTS / "start_page.js"),
        "--require", str(PARTS / "short_numbers.js"),
        "--require", str(PARTS / "loopback.js"),  # the last one sees a request first
        str(INSTALLED / "node_modules" / "omniboard" / "dist" / "start.js"),
    ]
    # fmt: on
    # The store's address goes by the environment, where other users do not see a password.
    told = {"PORT": str(port), "MONGO_URI": store.uri, "BOARD_STATES": json.dumps(board_columns.states(store))}
    with _log(port).open("wb") as log:
        environment = {**os.environ, **told}
        board = child.start(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + _START_SECONDS
    while board.poll() is None and time.monotonic() < deadline:
        said = _log(port).read_bytes()
        if b"listening on port" in said and b"established successfully" in said:
            return board
        time.sleep(0.1)
    child.stop(board)
    raise UserError(f"Omniboard does not start (exit code {board.returncode}); see {_log(port)}")


def _log(port: int) -> Path:
    return INSTALLED / f"board-{port}.log"


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Node does: a port just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"port {port} of 127.0.0.1: {reason}; choose another by --port") from None


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print()
