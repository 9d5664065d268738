import hashlib
import json

import numpy as np
import pytest

from datasets import download, youtube8m
from datasets.video_dataset import VideoDataset

VOCABULARY = b"Index,TrainVideoCount,KnowledgeGraphId,Name\n0,1,/m/0,Game\n"


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
