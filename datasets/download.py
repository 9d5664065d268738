"""Downloads files over HTTP: several at once, resumed in the middle, checked by MD5."""

import hashlib
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from datasets.errors import DataError, one_line

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 1.0  # doubles with each attempt
TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 18
LASTING_ERRORS = {400, 401, 403, 404, 410}  # another attempt would get the same answer
CHECKED = "MD5SUMS"  # beside the files: those that have been checked, as md5sum writes it


@dataclass(frozen=True)
class Download:
    """One file to bring: from where, where to, its MD5 sum (None: not known) and its size in bytes."""

    url: str
    path: Path
    md5: str | None
    size: int

    @property
    def part(self) -> Path:
        """Where its bytes are collected until it is whole."""
        return self.path.with_name(f"{self.path.name}.part")

    def present(self) -> int:
        """Bytes that are here already."""
        return next((path.stat().st_size for path in (self.path, self.part) if path.is_file()), 0)


class _StoppedError(Exception):
    """Ends a thread whose work is not wanted any more."""


def sizes(urls: list[str], connections: int) -> list[int]:
    """Size in bytes of each of ``urls``, as the server tells it.

    Raises:
        DataError: if the server does not.
    """
    stopped = threading.Event()
    pool = ThreadPoolExecutor(connections)
    try:
        return list(pool.map(lambda url: _size(url, stopped), urls))
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def fetch(url: str, path: Path, size: int | None = None) -> None:
    """Bring one file, without a checksum.

    Args:
        url: where from.
        path: where to.
        size: in bytes; where it is given, a bar shows the way.

    Raises:
        DataError: if it cannot be had.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    item = Download(url, path, None, size or 0)
    item.part.unlink(missing_ok=True)  # without a checksum nothing says that an old beginning fits
    silent = True if size is None else None  # None: silent where no terminal is
    with tqdm(total=size, unit="B", unit_scale=True, disable=silent) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        _bring(item, advance, threading.Event())


def fetch_all(downloads: list[Download], connections: int) -> None:
    """Bring all files of one folder, ``connections`` at once; what is here already and right is kept.

    Raises:
        DataError: if one cannot be had, or is not what its MD5 sum says, after several attempts.
    """
    stopped, lock = threading.Event(), threading.Lock()
    total, here = sum(item.size for item in downloads), sum(item.present() for item in downloads)
    pool = ThreadPoolExecutor(connections)
    with tqdm(total=total, initial=here, unit="B", unit_scale=True, disable=None) as bar:

        def advance(size: int) -> None:
            with lock:
                bar.update(size)

        def bring(item: Download, checked: set[str]) -> None:
            line = f"{item.md5}  {item.path.name}"
            if line in checked and item.path.is_file() and item.path.stat().st_size == item.size:
                return
            if item.path.is_file():  # of unknown worth: its bytes are the beginning, perhaps all of it
                item.path.replace(item.part)
            _bring(item, advance, stopped)
            if line not in checked:
                with lock, (item.path.parent / CHECKED).open("a") as file:
                    file.write(f"{line}\n")

        try:
            futures = []
            for folder in {item.path.parent for item in downloads}:
                folder.mkdir(parents=True, exist_ok=True)
                checked = _checked(folder)
                futures += [pool.submit(bring, item, checked) for item in downloads if item.path.parent == folder]
            while (waiting := wait(futures, timeout=0.2, return_when=FIRST_EXCEPTION)).not_done:
                bar.set_postfix_str(f"{len(waiting.done)} of {len(futures)} files", refresh=False)
                if any(future.exception() for future in waiting.done):
                    break
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)
    for future in futures:
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, _StoppedError):
            raise error


def _attempts(stopped: threading.Event) -> Iterator[int]:
    """Numbers of attempts, with longer and longer pauses between them."""
    for attempt in range(ATTEMPTS):
        if attempt and stopped.wait(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)):
            raise _StoppedError
        yield attempt


def _bring(item: Download, advance: Callable[[int], None], stopped: threading.Event) -> None:
    reason = ""
    for _ in _attempts(stopped):
        try:
            _transfer(item, advance, stopped)
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code in LASTING_ERRORS:
                break
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # nothing after what is here
                continue
        except (OSError, http.client.HTTPException) as error:
            reason = one_line(error)
            continue
        found = _md5(item.part) if item.md5 else None
        if found == item.md5:
            item.part.replace(item.path)
            return
        reason = f"its MD5 sum is {found}, and the plan says {item.md5}"
        advance(-item.part.stat().st_size)
        item.part.unlink()
    raise DataError(f"{item.url}: {reason}; given up, the same command goes on where it stopped")


def _transfer(item: Download, advance: Callable[[int], None], stopped: threading.Event) -> None:
    """Append to the part what is missing of it."""
    here = item.part.stat().st_size if item.part.is_file() else 0
    request = urllib.request.Request(item.url, headers={"Range": f"bytes={here}-"} if here else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, item.part.open("ab") as file:
        if here and not answer.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            file.truncate(0)  # the server sends all of it
            advance(-here)
        left = int(answer.headers.get("Content-Length", -1))
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            advance(len(chunk))
            left -= len(chunk)
            if stopped.is_set():
                raise _StoppedError
    if left > 0:
        raise OSError(f"the transfer broke off {left:,} bytes before its end")


def _size(url: str, stopped: threading.Event) -> int:
    reason = ""
    for _ in _attempts(stopped):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT_SECONDS) as answer:
                return int(answer.headers["Content-Length"])
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code in LASTING_ERRORS:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = one_line(error)
        except (TypeError, ValueError):
            reason = "no Content-Length"
            break
    raise DataError(f"{url}: the server does not tell its size ({reason}); the same command tries again")


def _checked(folder: Path) -> set[str]:
    path = folder / CHECKED
    return set(path.read_text().splitlines()) if path.is_file() else set()


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
