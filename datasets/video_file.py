"""Pictures and sound of a video file, through decord.

Decoding is done by a process of its own for each file: what damage does to it, a crash or a standstill included, is
told in one line, and ends neither the program nor the other videos.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from datasets.errors import DataError
from datasets.video_decoder import ERROR, FFMPEG_LINE, NOTE, because

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".flv", ".wmv", ".3gp", ".ts", ".ogv")
BLOCK_BYTES = 64 << 20  # pictures held at a time
BLOCK_FRAMES = 16
STANDSTILL_SECONDS = 300.0  # without anything from the decoder: it is taken for hanging

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from datasets import video_decoder; video_decoder.send(sys.argv[2:])"
)
_ROOT = Path(__file__).resolve().parent.parent


class Frames:
    """The pictures of a video at regular times, in blocks of a few; iterated again, it is read again.

    Args:
        path: of the file.
        frames_per_second: of the video that are given: at 0, 1/f, 2/f ... seconds the picture that is shown then.

    Attributes:
        count: how many there are, as far as the file tells; None before the first block.
        notes: after the last block, what is wrong with the file, a line each.

    Raises:
        DataError: when iterated, if there is not one picture to be had.
    """

    def __init__(self, path: Path, frames_per_second: float = 1.0):
        if not 0 < frames_per_second < float("inf"):
            raise DataError(f"frames_per_second={frames_per_second}: not a number above 0")
        self._path = path
        self._rate = frames_per_second
        self.count: int | None = None
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        self.notes = []
        with _Decoder("frames", self._path, self._rate) as decoder:
            header = decoder.header()
            self.count, shape = header["count"], (header["height"], header["width"], 3)
            rows = min(BLOCK_FRAMES, max(1, BLOCK_BYTES // int(np.prod(shape))))
            read = 0
            while read < self.count:
                block = np.empty((min(rows, self.count - read), *shape), np.uint8)  # (n, h, w, 3)
                whole = decoder.read_into(block) // block[0].nbytes
                read += whole
                if whole:
                    yield block[:whole]
                if whole < len(block):
                    break
            self.notes = decoder.end()
            if not read:
                raise DataError(f"{self._path}: no picture can be decoded{because(self.notes)}")
            if read < self.count and not self.notes:
                self.notes = [f"breaks off after {read} of {self.count} pictures"]


def frames_of(path: Path, frames_per_second: float = 1.0) -> Frames:
    """The pictures of a video: an iterable of blocks, (n, height, width, 3) uint8, RGB; see ``Frames``."""
    return Frames(path, frames_per_second)


def audio_of(path: Path, notes: list[str] | None = None) -> np.ndarray | None:
    """The sound of a video, (samples,) float32 from -1 to 1, mono, 16 kHz; None where there is none.

    Args:
        path: of the file.
        notes: what is wrong with the sound is put in here, a line each.

    Raises:
        DataError: if the file cannot be read at all.
    """
    with _Decoder("audio", path, 1.0) as decoder:
        count = decoder.header()["samples"]
        if count is None:
            return None
        samples = np.zeros(count, np.float32)  # (samples,)
        read = decoder.read_into(samples) // samples.itemsize if count else 0
        if notes is not None:
            notes += decoder.end()
    return samples[:read] if read else None


class _Decoder:
    """A process that decodes one file and writes what it finds into a pipe.

    Args:
        what: "frames" or "audio".
        path: of the file.
        rate: pictures a second.
    """

    def __init__(self, what: str, path: Path, rate: float):
        if not path.is_file():
            raise DataError(f"{path}: {'a folder, not a video' if path.is_dir() else 'no such file'}")
        if not path.stat().st_size:
            raise DataError(f"{path}: empty file")
        self._path = path
        self._stood_still = False
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by __exit__
        # Of a session of its own: Ctrl-C is this process's affair, and the other ends with the pipe.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(_ROOT), what, str(path.absolute()), repr(rate)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )

    def __enter__(self) -> "_Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._said.close()

    def header(self) -> dict[str, Any]:
        """What the process found when it opened the file.

        Raises:
            DataError: if it could not.
        """
        line, byte = bytearray(), np.zeros(1, np.uint8)
        while self.read_into(byte) and byte[0] != ord("\n"):
            line += byte.tobytes()
        if byte[0] != ord("\n") or not line:
            self.end()
            errors = [text.removeprefix(ERROR) for text in self._lines() if text.startswith(ERROR)]
            reason = errors[0] if errors else f"cannot be decoded{because(self._failure() + self._complaints())}"
            raise DataError(f"{self._path}: {reason}")
        return json.loads(line)

    def read_into(self, array: np.ndarray) -> int:
        """Fill ``array``; how many bytes there were, fewer only at the end or after a standstill."""
        assert self._process.stdout is not None
        pipe, view, read = self._process.stdout.fileno(), memoryview(array.data).cast("B"), 0
        while read < len(view):
            if not select.select([pipe], [], [], STANDSTILL_SECONDS)[0]:
                self._stood_still = True
                break
            count = os.readv(pipe, [view[read:]])
            if not count:
                break
            read += count
        return read

    def end(self) -> list[str]:
        """Wait for the process; what it noted."""
        if self._stood_still:
            self._process.kill()
        self._process.wait()
        notes = [line.removeprefix(NOTE) for line in self._lines() if line.startswith(NOTE)]
        return [note + because(self._complaints()) for note in notes[:1]] + notes[1:] + self._failure()

    def _failure(self) -> list[str]:
        if self._stood_still:
            return [f"the decoder stood still for {STANDSTILL_SECONDS:.0f} s"]
        code = self._process.returncode
        return [f"the decoder crashed (signal {-code})" if code < 0 else f"exit code {code}"] if code else []

    def _lines(self) -> list[str]:
        self._said.seek(0)
        return self._said.read(1 << 20).decode(errors="replace").splitlines()

    def _complaints(self) -> list[str]:
        """The first thing that FFmpeg said, without addresses in memory."""
        found = (FFMPEG_LINE.fullmatch(line) for line in self._lines())
        return [f"{match[1]}: {match[2]}" for match in found if match][:1]
