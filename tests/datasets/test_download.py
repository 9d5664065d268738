import pytest

from datasets import convert, download
from datasets.video_dataset import VideoDataset

TRAIN = ("--partition", "2/frame/train")


def fetched(server):
    """Names of the TFRecords that were asked for, and what of them."""
    return [
        (path.rpartition("/")[2], asked)
        for method, path, asked in server.requests
        if method == "GET" and path.endswith(".tfrecord")
    ]


def test_a_size_is_asked_for_again_as_a_file_is(server, run):
    server.fails["/2/frame/train/trainaa.tfrecord"] = [503, 429, 503]
    assert run(*TRAIN) == 0
    heads = [path for method, path, _ in server.requests if method == "HEAD" and path.endswith("aa.tfrecord")]
    assert len(heads) == 4


def test_a_size_that_cannot_be_had_is_one_line(server, run, capsys, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 3)
    server.fails["/2/frame/train/trainaa.tfrecord"] = [503] * 3
    assert run(*TRAIN) == 1
    assert capsys.readouterr().err.endswith(
        "trainaa.tfrecord: the server does not tell its size (HTTP status 503); the same command tries again\n"
    )
    server.fails["/2/frame/train/trainaa.tfrecord"] = [404]
    server.requests.clear()
    assert run(*TRAIN) == 1
    assert len([path for method, path, _ in server.requests if method == "HEAD" and path.endswith("aa.tfrecord")]) == 1
    assert fetched(server) == []


def test_a_file_that_was_cut_after_its_check_is_completed(server, run, tmp_path):
    assert run(*TRAIN) == 0
    out = tmp_path / "out"
    path = out / "tfrecord/2/frame/train/train0001.tfrecord"
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    server.requests.clear()
    assert run(*TRAIN, "--replace") == 0
    assert fetched(server) == [("trainab.tfrecord", f"bytes={len(content) - 1000}-")]
    assert path.read_bytes() == content
    assert len((path.parent / "MD5SUMS").read_text().splitlines()) == 4
    assert len(VideoDataset.open(out, "train")) == 200


def test_a_folder_with_another_dataset_is_refused_before_anything_is_fetched(
    server, run, tmp_path, video, write_tfrecord, capsys
):
    out = tmp_path / "out"
    source = write_tfrecord(tmp_path / "train", [video("a")])
    assert convert.main([str(source), "--out", str(out)]) == 0
    capsys.readouterr()
    assert run() == 1
    assert capsys.readouterr().err == (
        f"error: {out}: split train is there, and not made of what is to be downloaded (MD5SUMS is missing);"
        " choose another --out, or --replace it\n"
    )
    assert server.requests == []
    assert run("--replace") == 0
    assert len(VideoDataset.open(out, "train")) == 200


def test_another_part_does_not_go_into_the_same_folder(server, run, tmp_path, capsys):
    assert run(*TRAIN, "--shard", "3,3") == 0
    server.requests.clear()
    assert run(*TRAIN, "--shard", "1,3") == 1
    assert "split train is there, and not made of what is to be downloaded (train" in capsys.readouterr().err
    assert fetched(server) == []
    assert run(*TRAIN, "--shard", "3,3") == 0  # the same goes on
    assert fetched(server) == []


def test_the_downloads_folder_can_be_converted_by_hand(server, run, tmp_path, capsys):
    assert run(*TRAIN) == 0
    folder = tmp_path / "out" / "tfrecord" / "2" / "frame" / "train"
    assert convert.main([str(folder), "--out", str(tmp_path / "by_hand")]) == 0
    assert len(VideoDataset.open(tmp_path / "by_hand", "train")) == 200
    assert convert.main([str(tmp_path / "out"), "--out", str(tmp_path / "other")]) == 1
    assert "no files in it to convert; it has folders: tfrecord\n" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["127.0.0.1:80", "ftp://a", "http://", "localhost"])
def test_an_address_without_a_scheme(run, address, capsys):
    with pytest.raises(SystemExit):
        run("--base-url", address)
    assert f"--base-url: {address}: not an address such as http://127.0.0.1:8000" in capsys.readouterr().err
