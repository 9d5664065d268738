"""Which files of a folder or a list ``predict`` takes, and which it passes over."""

import numpy as np
import pytest

from datasets import hdf5, sequence_example, tfrecord
from datasets.errors import DataError
from datasets.record import Record
from experiments.inference import videos


def write_tfrecord(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    record = Record(name, np.array([1]), {"rgb": np.full((3, 2), 7, np.uint8)})
    tfrecord.write(path, [sequence_example.serialize(record)])


def write_data(path, name):
    empty = np.zeros(0, np.int32), np.zeros(2, np.int64)
    hdf5.write(path, hdf5.Shard({"rgb": np.zeros((1, 2))}, {"rgb": np.arange(2)}, *empty, [name], 3, False))


def write_own(path, *names):
    path.write_text("id,labels\n" + "".join(f"{name},1\n" for name in names))
    for name in names:
        np.savez(path.with_name(f"{name}.npz"), rgb=np.zeros((2, 2), np.uint8))


def test_all_kinds_of_features_in_a_folder_are_predicted(tmp_path, capsys):
    write_data(tmp_path / "a.h5", "of_h5")
    write_tfrecord(tmp_path / "b.tfrecord", "of_tfrecord")
    write_own(tmp_path / "own.csv", "of_csv")
    (tmp_path / "c.pkl").write_bytes(b"\x80\x02](.")  # a pickle without a video
    for name in ("README.md", "vocabulary.csv", "extraction.json", "bad_records_train.csv", ".hidden", "notes_a.txt"):
        (tmp_path / name).write_text("nothing to predict")
    (tmp_path / "labels.csv").write_text("VideoId,LabelConfidencePairs\n")
    (tmp_path / "labels.jsonl").write_text('{"video": "x"}\n')
    write_tfrecord(tmp_path / "deeper" / "d.tfrecord", "never")
    found = videos.look(tmp_path)
    assert [path.name for path in found.features] == ["a.h5", "b.tfrecord", "c.pkl", "own.csv"]
    assert found.note() == f"passed over: {tmp_path}/deeper/"
    (tmp_path / "c.pkl").unlink()
    (tmp_path / "strange.bin").write_text("what is it?")
    entries = [entry for path in videos.look(tmp_path).features for entry in videos.read(path)]
    assert [entry.content.id for entry in entries[:-1]] == ["of_h5", "of_tfrecord", "of_csv"]
    assert entries[-1].content == "not a TFRecord, nor a pickle or a CSV"  # told as any other that is damaged


def test_a_table_of_labels_alone_is_passed_over(tmp_path):
    write_data(tmp_path / "a.h5", "a")
    (tmp_path / "train.csv").write_text("id,labels\na,1\n")
    assert videos.look(tmp_path) == ([tmp_path / "a.h5"], [], [tmp_path / "train.csv"])


def test_raw_videos_and_features_are_not_mixed(tmp_path):
    (tmp_path / "deep").mkdir()
    clips = [tmp_path / "b.mp4", tmp_path / "deep" / "a.AVI"]
    for path in clips:
        path.write_bytes(b"video")
    (tmp_path / ".hidden.mp4").write_bytes(b"video")
    (tmp_path / "train.csv").write_text("id,labels\na,1\n")
    (tmp_path / "x.doc").write_text("x")
    assert videos.look(tmp_path) == ([], clips, [tmp_path / "train.csv", tmp_path / "x.doc"])
    write_data(tmp_path / "f.h5", "a")
    (tmp_path / "list.txt").write_text("b.mp4\nf.h5\n")
    for given in (tmp_path, tmp_path / "list.txt"):
        with pytest.raises(DataError, match=r"has both raw videos \(b\.mp4\) and features \(f\.h5\)"):
            videos.look(given)


def test_a_folder_without_a_video_says_so(tmp_path):
    (tmp_path / "inner").mkdir()
    with pytest.raises(DataError, match="no video in it; it has folders: inner"):
        videos.look(tmp_path)
    with pytest.raises(DataError, match="none: no such file or folder"):
        videos.look(tmp_path / "none")
