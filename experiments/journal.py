"""A run's own folder: everything the run says of itself, in plain files, before anybody else hears of it.

=================  =====================================================================================
file               holds
=================  =====================================================================================
``run.json``       what the run is: id, command, start, host, git commit, packages, sources
``config.json``    the resolved configuration
``entry.yaml``     the experiment's entry, includes resolved
``state.json``     where it stands: status, heartbeat, end, result, notes, artifacts; written anew each time
``metrics.jsonl``  a line a value: ``{"name": ..., "step": ..., "value": ..., "time": ...}``
``output.txt``     what it printed; of a progress bar, its last state
``changes.diff``   what differed from the git commit
``artifacts/``     files it made; `Journal.artifact` says how each is named there
``checkpoints/``   its parameters
``lock``           held by the process of the run, as long as that lives
=================  =====================================================================================

``runs/files/`` holds what runs share: their sources and resources, each content once, named by its MD5.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import math
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.output_file import OutputFile
from experiments.plain import number, plain

RUNNING, COMPLETED, FAILED, INTERRUPTED, QUEUED = "RUNNING", "COMPLETED", "FAILED", "INTERRUPTED", "QUEUED"
DIED = "PROBABLY_DEAD"  # the word that Omniboard has for it, and filters by


class Journal:
    """The folder of one run.

    Args:
        folder: ``RUNS/ID``, which must be there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock: int | None = None
        self._metrics: int | None = None
        self._output: OutputFile | None = None
        self._writing = threading.Lock()

    @classmethod
    def create(cls, runs_dir: Path, run_id: int | str | None, taken: Iterable[int] = ()) -> "Journal":
        """A new run's folder, locked; without ``run_id`` its name is the next number that is free.

        Args:
            runs_dir: the folder of all runs.
            run_id: None for the next number above every folder's and every one of ``taken``.
            taken: numbers that other machines' runs have.

        Raises:
            UserError: if there is a run ``run_id`` already, or the folder cannot be made.
        """
        highest = max([0, *taken])
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            while True:
                name = run_id if run_id is not None else max([highest, *numbers(runs_dir)]) + 1
                try:
                    (runs_dir / str(name)).mkdir()
                    break
                except FileExistsError:
                    if run_id is not None:
                        raise UserError(f"run {run_id}: {runs_dir / str(run_id)} is there already") from None
                    highest = int(name)  # another run took the number in this moment
        except OSError as error:
            raise UserError(f"runs: {runs_dir} cannot be written to: {error.strerror}") from error
        journal = cls(runs_dir / str(name))
        journal.take()
        return journal

    @property
    def run_id(self) -> int | str:
        """The folder's name, a number where it is one."""
        return int(self.folder.name) if self.folder.name.isdigit() else self.folder.name

    @property
    def files(self) -> Path:
        """What all runs share."""
        return self.folder.parent / "files"

    def take(self) -> bool:
        """Lock the folder for this process; False where another holds it: that run lives."""
        if self._lock is None:
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    def close(self) -> None:
        """Let go of the folder."""
        with self._writing:
            for descriptor in (self._metrics, self._lock):
                if descriptor is not None:
                    os.close(descriptor)
            if self._output is not None:
                self._output.close()
            self._metrics = self._lock = self._output = None

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write ``name``.json, aside first and then renamed, and onto the disk before this returns."""
        aside = self.folder / f".{name}.json.{threading.get_ident()}.tmp"
        with aside.open("w") as file:
            file.write(json.dumps(plain(content), indent=1))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.folder / f"{name}.json")

    def read(self, name: str) -> dict[str, Any]:
        """The content of ``name``.json; empty if there is none or it cannot be read."""
        try:
            content = json.loads((self.folder / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def metric(self, name: str, value: Any, step: int, moment: str | None = None) -> None:
        """Append one value; it is with the kernel when this returns.

        Raises:
            UserError: if ``value`` is no number.
        """
        # Done at every step, beside code that needs the caches for itself: few calls, and no json.dumps.
        if type(value) is not float:
            value = number(name, value)
        if self._metrics is None:
            self._open_metrics()
        text = repr(value) if value - value == 0 else json.dumps(value)  # infinite, or no number
        line = f'{{"name": {_quoted(name)}, "step": {int(step)}, "value": {text}, "time": "{moment or now()}"}}\n'
        os.write(self._metrics, line.encode())  # type: ignore[arg-type]  # whole: the file is open for appending

    def _open_metrics(self) -> None:
        with self._writing:
            if self._metrics is None:
                self._cut_torn_line()
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._metrics = os.open(self.folder / "metrics.jsonl", flags, 0o644)

    def metrics(self, offset: int = 0, most: float = math.inf) -> tuple[list[dict[str, Any]], int]:
        """At ``most`` so many values from byte ``offset`` of ``metrics.jsonl`` on, and where the next ones start."""
        entries: list[dict[str, Any]] = []
        try:
            with (self.folder / "metrics.jsonl").open("rb") as file:
                file.seek(offset)
                for line in file:
                    if len(entries) >= most or not line.endswith(b"\n"):
                        break  # it is being written, or its writer died
                    offset += len(line)
                    with contextlib.suppress(ValueError):  # somebody's disk, or editor, was there
                        entry = json.loads(line)
                        if isinstance(entry, dict) and {"name", "step", "value", "time"} <= entry.keys():
                            entries.append(entry)
        except FileNotFoundError:
            pass
        return entries, offset

    def curves(self) -> dict[str, dict[int, float]]:
        """Each metric's values by their steps; of a step that was logged twice, the later."""
        found: dict[str, dict[int, float]] = {}
        for entry in self.metrics()[0]:
            found.setdefault(entry["name"], {})[entry["step"]] = entry["value"]
        return found

    def forget_after(self, step: int) -> None:
        """Remove the values of later steps: a resumed run makes them again."""
        entries, _ = self.metrics()
        kept = [json.dumps(entry) + "\n" for entry in entries if entry["step"] <= step]
        aside = self.folder / ".metrics.jsonl.tmp"
        aside.write_text("".join(kept))
        aside.replace(self.folder / "metrics.jsonl")

    def print(self, text: str) -> None:
        """Append to ``output.txt`` what was printed."""
        with self._writing:
            if self._output is None:
                self._output = OutputFile(self.folder / "output.txt")
            self._output.write(text)

    def output(self) -> str:
        """All that was printed."""
        try:
            return (self.folder / "output.txt").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def output_ends(self, head: int, tail: int) -> tuple[str, str, int]:
        """The first ``head`` characters of the output, its last ``tail``, and the bytes it has in all.

        However many these are, only so much is read as the characters may take. Where there are no more characters
        than ``head + tail``, both together are the whole.
        """
        most = 4  # bytes a character
        try:
            with (self.folder / "output.txt").open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size <= most * (head + tail):
                    text = file.read(size).decode(errors="replace")
                    return text[:head], text[max(head, len(text) - tail) :], size
                first = file.read(most * head).decode(errors="replace")
                file.seek(size - most * tail)
                return first[:head], file.read(most * tail).decode(errors="replace")[-tail:], size
        except FileNotFoundError:
            return "", "", 0

    def artifact(self, name: str) -> Path:
        """Where the artifact ``name`` lies: under its name, or one like it where that is no file's, as ``a/b``."""
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[-100:]
        if not name or safe != name:
            safe = f"{hashlib.md5(name.encode(errors='backslashreplace')).hexdigest()[:8]}_{safe}"  # no other's
        return self.folder / "artifacts" / safe

    def keep(self, path: Path, name: str | None = None) -> str:
        """Copy ``path`` to the run's artifacts as ``name``, or to the files that all runs share; its MD5."""
        md5 = digest(path)
        target = self.files / md5 if name is None else self.artifact(name)
        if name is None and target.exists():
            return md5
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        shutil.copyfile(path, aside)
        aside.replace(target)
        return md5

    def _cut_torn_line(self) -> None:
        """Remove a last line that its writer did not live to end."""
        _, end = self.metrics()
        path = self.folder / "metrics.jsonl"
        if path.exists() and path.stat().st_size > end:
            os.truncate(path, end)


def journals(runs_dir: Path) -> Iterator[Journal]:
    """All runs of ``runs_dir``, those with numbers first and in their order."""
    folders = [path.parent for path in runs_dir.glob("*/run.json") if not path.parent.name.startswith(".")]
    for folder in sorted(folders, key=lambda path: (not path.name.isdigit(), len(path.name), path.name)):
        yield Journal(folder)


def numbers(runs_dir: Path) -> list[int]:
    """The numbers that folders of ``runs_dir`` have for names."""
    return [int(path.name) for path in runs_dir.glob("[0-9]*") if path.name.isdigit()]


def mark_dead(journal: Journal) -> bool:
    """If the run ``journal`` says it is running and no process holds it, write that it died; whether it was so."""
    if journal.read("state").get("status") != RUNNING or not journal.take():
        return False
    try:
        state = journal.read("state")
        if state.get("status") != RUNNING:  # it ended in this moment
            return False
        word = f"its process ended without a word; found at {now()}"
        journal.write("state", {**state, "status": DIED, "died": word, "stop_time": state.get("heartbeat")})
        return True
    finally:
        journal.close()


_quoted = functools.lru_cache(json.dumps)


def now() -> str:
    """This moment, UTC, in ISO 8601."""
    moment = time.time()
    second = int(moment)
    if second != _second[0]:
        _second[:] = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_second[1]}.{int((moment - second) * 1e6):06d}"


_second: list[Any] = [None, ""]


def digest(path: Path) -> str:
    """MD5 of a file, by which Sacred knows files too."""
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            md5.update(block)
    return md5.hexdigest()
