"""Small videos of YouTube-8M's kind, where the real one lies, and a server like the official one."""

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from datasets import download, sequence_example, tfrecord, youtube8m
from datasets.record import Record

REAL = Path(__file__).parents[3] / "shared" / "data"  # beside the project, where it is there at all
VOCABULARY = b"Index,TrainVideoCount,KnowledgeGraphId,Name\n0,1,/m/0,Game\n"


def _video(name: str, frames: int = 5, labels: tuple[int, ...] = (3, 1), rgb: int = 16, audio: int = 4) -> Record:
    rng = np.random.default_rng(list(name.encode()))
    widths = {"rgb": rgb, "audio": audio}
    features = {modality: rng.integers(0, 256, (frames, dim), np.uint8) for modality, dim in widths.items() if dim}
    return Record(name, np.array(labels, np.int64), features)


def _write_tfrecord(path: Path, videos: list[Record]) -> Path:
    tfrecord.write(path, [sequence_example.serialize(record) for record in videos])
    return path


def _real(name: str) -> Path:
    if not (REAL / name).is_file():
        pytest.skip(f"{name}, a real video, is not on this machine")
    return REAL / name


@pytest.fixture(scope="session")
def video() -> Callable[..., Record]:
    """Makes a video with features that depend on its name alone."""
    return _video


@pytest.fixture(scope="session")
def write_tfrecord() -> Callable[[Path, list[Record]], Path]:
    return _write_tfrecord


@pytest.fixture(scope="session")
def real_tfrecord() -> Path:
    return _real("yt8m_real_example_SjJ3.tfrecord")


@pytest.fixture(scope="session")
def real_pickle() -> Path:
    return _real("paddlevideo_example.pkl")


class Official(ThreadingHTTPServer):
    """A server with the official one's paths, and its misfortunes.

    Attributes:
        files: content by path.
        breaks: paths whose next transfer breaks off half-way.
        spoils: paths whose next transfer has a wrong byte.
        fails: paths that answer with a status of failure, and which.
        knows_ranges: otherwise it always sends whole files, as the standard allows.
        requests: method, path and range of all requests.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks: set[str] = set()
        self.spoils: set[str] = set()
        self.fails: dict[str, list[int]] = {}
        self.knows_ranges = True
        self.requests: list[tuple[str, str, str | None]] = []

    def handle_error(self, request, client_address):
        """A client that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Official

    def do_HEAD(self):
        self.answer(send=False)

    def do_GET(self):
        self.answer(send=True)

    def answer(self, send):
        asked = self.headers["Range"]
        self.server.requests.append((self.command, self.path, asked))
        content = self.server.files.get(self.path)
        failures = self.server.fails.get(self.path)
        asked = asked if self.server.knows_ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if content is None or failures:
            self.end(failures.pop() if failures else 404)
        elif start >= len(content):
            self.end(416)
        else:
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if send:
                self.send_body(bytearray(content[start:]))

    def send_body(self, body):
        if self.path in self.server.spoils:
            self.server.spoils.remove(self.path)
            body[len(body) // 2] ^= 1
        if self.path in self.server.breaks:
            self.server.breaks.remove(self.path)
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def end(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *arguments):  # noqa: A002
        """Nothing: the tests look at ``requests``."""


@pytest.fixture
def server(tmp_path, video, write_tfrecord, monkeypatch):
    monkeypatch.setattr(download, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Official() as found:
        for split in ("train", "validate"):
            plan = {}
            for number, letters in enumerate(("aa", "ab", "aA", "9Z")):
                name = f"{split}{letters}.tfrecord"
                path = write_tfrecord(tmp_path / "source", [video(f"{split[0]}{number}{n}") for n in range(50)])
                found.files[f"/2/frame/{split}/{name}"] = path.read_bytes()
                plan[name] = hashlib.md5(path.read_bytes()).hexdigest()
            found.files[f"/2/download_plans/frame_{split}.json"] = json.dumps({"files": plan}).encode()
        found.files["/youtube8m/csv/2/vocabulary.csv"] = VOCABULARY
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def run(server, tmp_path):
    """The command against the server; its exit code."""

    def command(*options):
        base_url = f"http://127.0.0.1:{server.server_port}"
        return youtube8m.main(["--out", str(tmp_path / "out"), "--base-url", base_url, "--workers", "2", *options])

    return command
