import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from datasets import download, youtube8m
from datasets.video_dataset import VideoDataset

VOCABULARY = b"Index,TrainVideoCount,KnowledgeGraphId,Name\n0,1,/m/0,Game\n"


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


def transfers(server, end=".tfrecord"):
    return [
        (path.rpartition("/")[2], asked)
        for method, path, asked in server.requests
        if path.endswith(end) and method == "GET"
    ]


def test_download_and_convert(server, run, tmp_path, capsys):
    assert run() == 0
    out = tmp_path / "out"
    assert (out / "vocabulary.csv").read_bytes() == VOCABULARY
    folder = out / "tfrecord" / "2" / "frame" / "train"
    names = {path.name for path in folder.iterdir()}
    assert names == {"plan.json", "MD5SUMS", *(f"train{n:04d}.tfrecord" for n in (0, 1, 26, 3833))}
    assert (folder / "train3833.tfrecord").read_bytes() == server.files["/2/frame/train/train9Z.tfrecord"]
    for split in ("train", "validate"):
        dataset = VideoDataset.open(out, split)
        assert dataset.ids_of(np.arange(200)) == [f"{split[0]}{number}{n}" for number in range(4) for n in range(50)]
    said = capsys.readouterr()
    assert "200 videos in 1 file of split validate" in said.out
    assert "GB are free" in said.err
    server.requests.clear()
    assert run() == 0  # again: nothing is fetched twice
    assert transfers(server) == []


def test_a_broken_transfer_goes_on_where_it_broke(server, run, tmp_path):
    server.breaks.add("/2/frame/train/trainab.tfrecord")
    assert run("--partition", "2/frame/train", "--connections", "1") == 0
    size = len(server.files["/2/frame/train/trainab.tfrecord"])
    assert [asked for name, asked in transfers(server) if name == "trainab.tfrecord"] == [None, f"bytes={size // 2}-"]


def test_a_server_without_ranges_sends_all_of_it_again(server, run, tmp_path):
    server.knows_ranges = False
    server.breaks.add("/2/frame/train/trainab.tfrecord")
    assert run("--partition", "2/frame/train") == 0
    path = tmp_path / "out/tfrecord/2/frame/train/train0001.tfrecord"
    assert path.read_bytes() == server.files["/2/frame/train/trainab.tfrecord"]
    assert len([name for name, _ in transfers(server) if name == "trainab.tfrecord"]) == 2  # not by its MD5 sum


def test_an_interrupted_download_goes_on_where_it_was(server, run, tmp_path):
    """Even if the part is complete, or a complete file was never checked."""
    contents = {letters: server.files[f"/2/frame/train/train{letters}.tfrecord"] for letters in ("aa", "ab", "aA")}
    folder = tmp_path / "out" / "tfrecord" / "2" / "frame" / "train"
    folder.mkdir(parents=True)
    (folder / "train0000.tfrecord.part").write_bytes(contents["aa"][:100])
    (folder / "train0001.tfrecord.part").write_bytes(contents["ab"])
    (folder / "train0026.tfrecord").write_bytes(contents["aA"][:-1])
    assert run("--partition", "2/frame/train") == 0
    assert sorted(transfers(server), key=str) == sorted(
        [
            ("trainaa.tfrecord", "bytes=100-"),
            ("trainab.tfrecord", f"bytes={len(contents['ab'])}-"),
            ("trainaA.tfrecord", f"bytes={len(contents['aA']) - 1}-"),
            ("train9Z.tfrecord", None),
        ],
        key=str,
    )
    assert len(VideoDataset.open(tmp_path / "out", "train")) == 200


def test_a_wrong_md5_sum_is_fetched_again(server, run, tmp_path):
    server.spoils.add("/2/frame/train/trainab.tfrecord")
    assert run("--partition", "2/frame/train") == 0
    assert [asked for name, asked in transfers(server) if name == "trainab.tfrecord"] == [None, None]
    assert len(VideoDataset.open(tmp_path / "out", "train")) == 200


def test_a_lasting_wrong_md5_sum_is_given_up(server, run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    server.files["/2/frame/train/trainab.tfrecord"] += b"x"
    assert run("--partition", "2/frame/train") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "trainab.tfrecord: its MD5 sum is" in said
    assert "given up, the same command goes on where it stopped" in said
    assert not list((tmp_path / "out").glob("*.h5"))
    assert not (tmp_path / "out/tfrecord/2/frame/train/train0001.tfrecord").exists()


def test_a_server_out_of_breath_is_asked_again_and_a_missing_file_is_not(server, run, capsys):
    server.fails["/2/frame/train/trainaa.tfrecord"] = [503, 429]
    del server.files["/youtube8m/csv/2/vocabulary.csv"]
    assert run("--partition", "2/frame/train") == 1
    assert "vocabulary.csv: HTTP status 404" in capsys.readouterr().err
    assert len(transfers(server, "vocabulary.csv")) == 1
    server.files["/youtube8m/csv/2/vocabulary.csv"] = b"<html>"
    assert run("--partition", "2/frame/train") == 1
    assert "vocabulary.csv: not the vocabulary" in capsys.readouterr().err
    server.files["/youtube8m/csv/2/vocabulary.csv"] = VOCABULARY
    server.fails["/2/frame/train/trainaa.tfrecord"].append(200)  # for HEAD
    assert run("--partition", "2/frame/train") == 0


def test_a_part_of_the_files_is_chosen_as_the_official_script_does(server, run, tmp_path):
    names = [f"train{letters}.tfrecord" for letters in ("aa", "ab", "aA", "9Z")]
    wanted = [name for name in names if int(hashlib.md5(name.encode()).hexdigest(), 16) % 3 == 2]
    assert 0 < len(wanted) < 4
    assert run("--partition", "2/frame/train", "--shard", "3,3") == 0
    assert sorted(name for name, _ in transfers(server)) == sorted(wanted)
    assert run("--partition", "2/frame/train", "--shard", "900,1000") == 1


@pytest.mark.parametrize(
    "plan",
    [
        b"<html>",
        b"[]",
        b'{"files": ["trainaa.tfrecord"]}',
        b'{"files": {"../x.tfrecord": "%032d"}}' % 0,
        b'{"files": {"trainaa.tfrecord": "x"}}',
    ],
)
def test_a_plan_that_is_none(server, run, capsys, plan):
    server.files["/2/download_plans/frame_train.json"] = plan
    assert run() == 1
    assert "frame_train.json: " in capsys.readouterr().err
    assert transfers(server) == []


def test_room_on_the_disk_is_looked_for_before_the_download(server, run, capsys, monkeypatch):
    usage = youtube8m.shutil.disk_usage("/")
    monkeypatch.setattr(youtube8m.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert run() == 1
    assert "more are needed, and 0.0 GB are free; take a part by --shard 1,100" in capsys.readouterr().err
    assert transfers(server) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--partition", "2/frame/all"],
        ["--partition", "1/frame/train"],
        ["--partition", "2/frame/train", "2/video/train"],
        ["--shard", "0,5"],
        ["--shard", "6,5"],
        ["--mirror", "moon"],
    ],
)
def test_options_that_make_no_sense(options, tmp_path, capsys):
    with pytest.raises(SystemExit):
        youtube8m.main(["--out", str(tmp_path), *options])
    assert options[0] in capsys.readouterr().err


def test_the_official_addresses(monkeypatch, tmp_path):
    asked = []

    def fetch(url, path):
        asked.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"files": {"validatezZ.tfrecord": "0" * 32}}))

    monkeypatch.setattr(download, "fetch", fetch)
    [item] = youtube8m.plan(tmp_path, "2/video/validate", "asia", (1, 1), None)
    assert asked == ["http://data.yt8m.org/2/download_plans/video_validate.json"]
    assert item.url == "http://asia.data.yt8m.org/2/video/validate/validatezZ.tfrecord"
    assert item.path.name == "validate1601.tfrecord"
