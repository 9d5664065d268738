"""Which MongoDB records the runs: one named by a URI, or the embedded one, started and stopped here."""

import fcntl
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from experiments import ROOT
from experiments.errors import UserError
from experiments.launch import MARKER
from experiments.store_keeper import SECANTUSD, StoreFolder, try_lock

DATABASE = "sacred"
EMBEDDED = "the embedded store"  # in place of an address
IDLE_SECONDS = 60.0
ANSWER_SECONDS = 3.0

_EMBEDDED_SECONDS = 90.0  # to start the embedded store, after a crash and the end of another included
_URI = re.compile(r"(mongodb(?:\+srv)?://)(?:(.*)@)?([^/?@]+)(?:/([^/?]*))?(\?.*)?")
_HOST_PORT_DB = re.compile(r"([^:/@]+:\d+):([^:/@]+)")


class StoreError(UserError):
    """The store does not answer, or not as one should."""


@dataclass(frozen=True)
class Store:
    """A MongoDB to record runs in.

    Attributes:
        uri: For the driver alone: it may hold a password.
        database: The database's name.
        redacted: What may be printed and recorded: scheme, hosts and database.
    """

    uri: str = field(repr=False)
    database: str
    redacted: str

    def client(self, answer_seconds: float = ANSWER_SECONDS) -> MongoClient[dict[str, Any]]:
        """Return a new client, which gives up on a server that is silent for `answer_seconds`."""
        milliseconds = int(1000 * answer_seconds)
        try:
            return MongoClient(
                self.uri,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                socketTimeoutMS=3 * milliseconds,  # a server that is stopped takes what it is sent and never answers
            )
        except (PyMongoError, ValueError) as error:
            raise UserError(f"{self.redacted}: {error}") from None

    def check(self) -> None:
        """Raise StoreError unless the store answers."""
        client = self.client()
        with client:
            try:
                client.admin.command("ping")
            except PyMongoError as error:
                reason = re.split(r" \(configured timeouts|, Timeout:|, full error", str(error))[0]
                if "ProtocolError" in str(error):
                    reason = "what answers there does not speak MongoDB's protocol"
                elif "NetworkTimeout" in str(error) or "No servers found yet" in reason:
                    reason = f"no answer within {ANSWER_SECONDS:.0f} seconds"
                raise StoreError(f"no MongoDB at {self.redacted}: {reason}") from None


def parse_uri(text: str, user: str | None = None, password: str | None = None) -> Store:
    """Read ``mongodb://host:port/database?options`` or ``host:port:database``.

    Args:
        text: The address; without a database, `DATABASE` is meant.
        user: Put into the URI, where it has none.
        password: Of `user`.
    """
    if short := _HOST_PORT_DB.fullmatch(text):
        text = f"mongodb://{short[1]}/{short[2]}"
    match = _URI.fullmatch(text)
    if match is None:
        # The text is not repeated: it may hold a password.
        raise UserError("the run store's address is not of the form mongodb://host:port/database")
    scheme, login, hosts, database, options = match.groups(default="")
    if user and not login:
        login = quote_plus(user) + (f":{quote_plus(password)}" if password else "")
    database = database or DATABASE
    return Store(
        uri=f"{scheme}{login}{'@' if login else ''}{hosts}/{database}{options}",
        database=database,
        redacted=f"{scheme}{hosts}/{database}",
    )


def named_store(mongo: str | None) -> Store | None:
    """Return the store that `mongo` or else the environment names, or None for the embedded one.

    ``SACRED_MONGO_URL`` is the environment's address; ``SACRED_MONGO_USER`` and ``SACRED_MONGO_PASSWORD`` are
    added to either.

    Raises:
        UserError: `mongo` is no address, or holds a login, which would be recorded with the configuration.
    """
    if mongo and "@" in mongo:
        raise UserError(
            "the run store's address may not hold user and password, for it is recorded: "
            "set SACRED_MONGO_USER and SACRED_MONGO_PASSWORD, or SACRED_MONGO_URL"
        )
    address = mongo or os.environ.get("SACRED_MONGO_URL")
    if not address:
        return None
    return parse_uri(address, os.environ.get("SACRED_MONGO_USER"), os.environ.get("SACRED_MONGO_PASSWORD"))


@contextmanager
def open_store(
    mongo: str | None, runs_dir: Path, idle_seconds: float | None = None, ignore_environment: bool = False
) -> Iterator[Store]:
    """Give a store that answers, and keep it running until the block ends.

    Args:
        mongo: An address, see `named_store`; None where the environment or the embedded store shall serve.
        runs_dir: The embedded store lives in ``store/`` there, one server for all processes that open it.
        idle_seconds: How long that server stays when nobody uses it; by default ``RUN_STORE_IDLE_SECONDS`` of
            the environment, or `IDLE_SECONDS`. What the process that starts the server says counts.
        ignore_environment: Without `mongo`, open the embedded store whatever the environment names.

    Raises:
        UserError: The address is wrong or SecantusDB is not installed.
        StoreError: Nothing answers there, or the embedded store does not start.
    """
    store = None if ignore_environment else named_store(mongo)
    if store is not None:
        store.check()
        yield store
        return
    if idle_seconds is None:
        idle_seconds = float(os.environ.get("RUN_STORE_IDLE_SECONDS", IDLE_SECONDS))
    folder = StoreFolder(runs_dir.resolve() / "store")
    deadline = time.monotonic() + _EMBEDDED_SECONDS
    lease = _take_lease(folder, deadline)
    try:
        yield _find_or_start(folder, idle_seconds, deadline)
    finally:
        os.close(lease)


def _take_lease(folder: StoreFolder, deadline: float) -> int:
    """Return a descriptor that holds the store open until it is closed."""
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        while time.monotonic() < deadline:
            lease = try_lock(folder.lease, fcntl.LOCK_SH)
            if lease is not None:
                os.utime(lease)
                return lease
            time.sleep(0.05)  # the keeper looks whether anyone is here, or stops the server
    except OSError as error:
        raise UserError(f"the run store's folder {folder.path} cannot be used: {error.strerror}") from None
    raise StoreError(f"the run store in {folder.path} is being stopped and does not end; see {folder.log}")


def _find_or_start(folder: StoreFolder, idle_seconds: float, deadline: float) -> Store:
    starts = 0
    while time.monotonic() < deadline:
        keeper_lock = try_lock(folder.keeper_lock, fcntl.LOCK_EX)
        if keeper_lock is not None:  # no keeper lives
            try:
                if starts == 3:
                    break
                starts += 1
                _start_keeper(folder, idle_seconds, keeper_lock)
            finally:
                os.close(keeper_lock)  # the keeper has its copy
        store = _running_store(folder)
        if store is not None:
            return store
        time.sleep(0.05)
    raise StoreError(f"the run store in {folder.path} does not start; see {folder.log}")


def _start_keeper(folder: StoreFolder, idle_seconds: float, keeper_lock: int) -> None:
    if not SECANTUSD.exists():
        raise UserError(
            f"the embedded run store is not installed in {SECANTUSD.parents[1]}: "
            "run `make setup`, or name a MongoDB by runtime.mongo=mongodb://host:port/database"
        )
    folder.address.unlink(missing_ok=True)  # of a keeper that was killed
    with folder.log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "experiments.store_keeper", str(folder.path), str(idle_seconds)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it
            env={key: value for key, value in os.environ.items() if key != MARKER},  # nor the end of this run's job
            pass_fds=(keeper_lock,),
            check=True,
        )


def _running_store(folder: StoreFolder) -> Store | None:
    """Return the store that the keeper has published, if it answers and is that one."""
    address = folder.read_address()
    if address is None:
        return None
    if address["host"] != socket.gethostname():
        raise StoreError(
            f"the run store {folder.path} is in use on {address['host']}, and serves that machine alone: "
            "for runs on several machines name a MongoDB by runtime.mongo=mongodb://host:port/database"
        )
    store = parse_uri(f"mongodb://127.0.0.1:{address['port']}")
    try:
        with store.client(answer_seconds=1.0) as client:
            # Where a keeper was killed, another program, or another user's store, may have its port by now.
            same = client.admin.command("serverStatus")["pid"] == address["pid"]
    except PyMongoError:
        return None
    return store if same else None
