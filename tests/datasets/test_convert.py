import hashlib
import os
import pickle
from pathlib import Path

import numpy as np

from datasets import convert, hdf5, hdf5_check, sequence_example, tfrecord
from datasets.loader import Loader
from datasets.record import Record
from datasets.video_dataset import VideoDataset

ROOT = Path(__file__).parents[2]


def run(*arguments):
    """The command in this process; its exit code."""
    return convert.main([str(argument) for argument in arguments])


def digests(folder):
    """SHA-256 of everything in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def frames_of(dataset, modality, number):
    [shard], [row] = dataset.locate(np.array([number]))
    start, stop = dataset.shards[shard].offsets[modality][row : row + 2]
    return dataset.shards[shard].features[modality][start:stop]


def test_videos_arrive_unchanged_in_the_order_of_their_sources(tmp_path, video, write_tfrecord, capsys):
    videos = [video(f"v{n:03}", frames=n % 7 + 1, labels=(n, n + 1), rgb=1024, audio=128) for n in range(300)]
    for number in range(3):
        write_tfrecord(tmp_path / f"train{number}.tfrecord", videos[number * 100 : (number + 1) * 100])
    out = tmp_path / "out"
    assert run(*sorted(tmp_path.glob("train*")), "--out", out, "--shard-mib", 1, "--workers", 2) == 0
    assert capsys.readouterr().out == f"{out}: 300 videos in 2 files of split train\n"
    assert sorted(path.name for path in out.iterdir()) == ["train-00000-of-00002.h5", "train-00001-of-00002.h5"]
    assert [hdf5_check.check(path) for path in sorted(out.iterdir())] == [200, 100]
    dataset = VideoDataset.open(out, "train")
    assert dataset.feature_dims == {"rgb": 1024, "audio": 128}
    assert dataset.ids_of(np.arange(300)) == [record.id for record in videos]
    assert np.flatnonzero(dataset.labels_of(np.array([7]))).tolist() == [7, 8]
    for number in (0, 99, 100, 299):
        for modality, frames in videos[number].features.items():
            assert np.array_equal(frames_of(dataset, modality, number), frames)
    batch = next(Loader(dataset, 4, None, training=False, sorted_batches=1).epoch())
    assert np.array_equal(batch.features[0][2, :3], videos[2].features["rgb"])


def test_the_real_video_is_the_same_from_both_forms(tmp_path, real_tfrecord, real_pickle):
    shards = []
    for number, source in enumerate((real_tfrecord, real_pickle)):
        assert run(source, "--out", tmp_path / str(number)) == 0
        shards.append(tmp_path / str(number) / "train-00000-of-00001.h5")
    assert hdf5.checksums(shards[0]) == hdf5.checksums(shards[1])
    shard = hdf5.read(shards[0])
    assert (shard.ids, shard.labels.tolist(), len(shard.features["rgb"])) == (["SjJ3"], [11], 170)
    assert shard.ranges["rgb"] == (-1.9921875, 2.0078125)


def test_a_source_larger_than_a_data_file_is_cut(tmp_path, video, write_tfrecord):
    videos = [video(f"{n:02}", frames=50, rgb=1024, audio=128) for n in range(60)]  # 3.4 MB
    source = write_tfrecord(tmp_path / "train", videos)
    assert run(source, "--out", tmp_path / "out", "--shard-mib", 1) == 0
    dataset = VideoDataset.open(tmp_path / "out", "train")
    assert len(dataset.paths) == 4
    assert dataset.ids_of(np.arange(60)) == [record.id for record in videos]
    assert all(path.stat().st_size < 1.1 * 2**20 for path in dataset.paths)


def test_a_modality_that_some_videos_lack(tmp_path, video, write_tfrecord):
    first, second, third = video("a"), video("b", audio=0), video("c")
    flow = np.ones((3, 8), np.uint8)
    third = Record(third.id, third.labels, {**third.features, "flow": flow})
    source = write_tfrecord(tmp_path / "train", [first, second, third])
    assert run(source, "--out", tmp_path / "out", "--modalities", "rgb,audio,flow") == 0
    path = tmp_path / "out" / "train-00000-of-00001.h5"
    shard = hdf5.read(path)
    assert list(shard.features) == ["rgb", "audio", "flow"]
    assert shard.offsets["audio"].tolist() == [0, 5, 5, 10]
    assert shard.offsets["flow"].tolist() == [0, 0, 0, 3]
    assert "audio       10 frames of 4 uint8 for -1.99219 to 2.00781, 5 a video; 1 video lacks it" in (
        hdf5_check.describe(path)
    )
    batch = next(Loader(VideoDataset.open(tmp_path / "out", "train"), 3, None, training=False).epoch())
    assert batch.lengths.tolist() == [[5, 5, 0], [5, 0, 0], [5, 5, 3]]
    assert run(source, "--out", tmp_path / "unasked") == 0
    assert list(hdf5.read(tmp_path / "unasked" / path.name).features) == ["rgb", "audio", "flow"]
    assert run(source, "--out", tmp_path / "other", "--modalities", "audio", "--skip-bad") == 0
    assert len(VideoDataset.open(tmp_path / "other", "train")) == 2  # the second has no frames then


def test_rated_segments_are_kept(tmp_path, video, write_tfrecord):
    def rated(name, *starts):
        count = len(starts)
        segments = {
            "labels": np.full(count, 7),
            "start_times": np.array(starts),
            "end_times": np.array(starts) + 5,
            "scores": np.linspace(0, 1, count, dtype=np.float32),
        }
        plain = video(name)
        return Record(name, plain.labels, plain.features, segments)

    source = write_tfrecord(tmp_path / "validate", [rated("a", 0, 40), video("b"), rated("c", 75)])
    assert run(source, "--out", tmp_path / "out") == 0
    path = tmp_path / "out" / "validate-00000-of-00001.h5"
    shard = hdf5.read(path)
    assert shard.segment_offsets.tolist() == [0, 2, 2, 3]
    assert shard.segments["labels"].tolist() == [7, 7, 7]
    assert shard.segments["start_times"].tolist() == [0, 40, 75]
    assert shard.segments["end_times"].tolist() == [5, 45, 80]
    assert shard.segments["scores"].tolist() == [0, 1, 0]
    assert hdf5_check.check(path) == 3
    assert "3 rated, in 2 videos" in hdf5_check.describe(path)


def test_video_level(tmp_path):
    def feature(number, content):
        return sequence_example._field(number, content)

    means = {"mean_rgb": np.arange(4, dtype="<f4"), "mean_audio": np.ones(2, "<f4")}
    context = {"id": feature(1, feature(1, b"a")), "labels": feature(3, feature(1, b"\x05"))}
    context |= {name: feature(2, feature(1, values.tobytes())) for name, values in means.items()}
    tfrecord.write(tmp_path / "test", [feature(1, sequence_example._map(context))])
    assert run(tmp_path / "test", "--out", tmp_path / "out", "--num-classes", 6) == 0
    dataset = VideoDataset.open(tmp_path / "out", "test")
    assert frames_of(dataset, "rgb", 0).tolist() == [[0, 1, 2, 3]]
    assert dataset.ranges == {}
    assert dataset.num_classes == 6


def test_pickles_of_paddle(tmp_path):
    frames = np.arange(32, dtype=np.uint8).reshape(2, 16)
    items = [
        {b"video": b"%d" % n, b"feature": frames, b"audio": frames, b"label": [n], b"nframes": 2} for n in range(3)
    ]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(items[:2], 2))
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(items[2], 2))
    assert run(tmp_path / "a.pkl", tmp_path / "b.pkl", "--out", tmp_path / "out", "--single-label") == 0
    dataset = VideoDataset.open(tmp_path / "out", "train")
    assert dataset.ids_of(np.arange(3)) == ["0", "1", "2"]
    assert dataset.single_label


def test_a_source_that_is_larger_inside_than_outside(tmp_path):
    """A pickle may name one array many times."""
    frames = np.arange(6400, dtype=np.uint8).reshape(100, 64)
    items = [{"video": f"{n}", "feature": frames, "nframes": 100} for n in range(50)]
    (tmp_path / "a").write_bytes(pickle.dumps(items, 2))
    assert run(tmp_path / "a", "--out", tmp_path / "out") == 0
    dataset = VideoDataset.open(tmp_path / "out", "train")
    assert all(np.array_equal(frames_of(dataset, "rgb", number), frames) for number in range(50))


def test_a_bad_record_ends_the_conversion_in_one_line(tmp_path, video, write_tfrecord, capsys):
    source = write_tfrecord(tmp_path / "train", [video("a"), video("b"), video("c", labels=(3862,))])
    out = tmp_path / "out"
    assert run(source, "--out", out) == 1
    place = list(tfrecord.read(source, 0, source.stat().st_size))[2][1]
    reason = "label 3862 out of range, there are 3862 classes; --skip-bad leaves such out"
    assert capsys.readouterr().err == f"error: {source}: record 2 (byte {place}): {reason}\n"
    assert list(out.iterdir()) == []
    assert run(source, "--out", out, "--skip-bad") == 0
    report = out / "bad_records_train.csv"
    assert capsys.readouterr().out == (
        f"{out}: 2 videos in 1 file of split train; 1 bad record left out, see {report}\n"
    )
    assert report.read_text().splitlines() == [
        "file,record,place,reason",
        f'{source},2,byte {place},"label 3862 out of range, there are 3862 classes"',
    ]
    assert hdf5.read(out / "train-00000-of-00001.h5").skipped == [
        f"train: record 2 (byte {place}): label 3862 out of range, there are 3862 classes"
    ]
    write_tfrecord(source, [video("a"), video("b"), video("c", labels=(3861,))])  # mended, of the same size
    os.utime(source, ns=(0, 1))
    assert run(source, "--out", out, "--replace") == 0
    assert [path.name for path in out.iterdir()] == ["train-00000-of-00001.h5"]
    assert len(VideoDataset.open(out, "train")) == 3


def test_an_id_that_occurs_twice(tmp_path, video, write_tfrecord, capsys):
    names = [["a", "b", "a"], ["c", "b"], ["d", "a"]]  # within a file, and across files
    videos = [[video(name, frames=600, rgb=1024, labels=(n,)) for name in group] for n, group in enumerate(names)]
    paths = [write_tfrecord(tmp_path / f"train{n}", group) for n, group in enumerate(videos)]
    out = tmp_path / "out"
    assert run(*paths[1:], paths[0], "--out", out, "--shard-mib", 1) == 1
    assert "train0: record 0 (byte 0): the id a occurs in an earlier source already" in capsys.readouterr().err
    for path in out.iterdir():
        path.unlink()
    assert run(*paths, "--out", out, "--shard-mib", 1, "--skip-bad") == 0
    dataset = VideoDataset.open(out, "train")
    assert dataset.ids_of(np.arange(4)) == ["a", "b", "c", "d"]
    assert [np.flatnonzero(row).tolist() for row in dataset.labels_of(np.arange(4))] == [[0], [0], [1], [2]]
    lines = (out / "bad_records_train.csv").read_text().splitlines()[1:]
    assert [line.split(",")[:2] for line in lines] == [[str(path), n] for path, n in zip(paths, "211", strict=True)]
    before = digests(out)
    assert run(*paths, "--out", out, "--shard-mib", 1, "--skip-bad") == 0
    assert digests(out) == before
    assert run(paths[0], "--out", tmp_path / "one", "--skip-bad") == 0  # in one data file
    assert hdf5_check.check(tmp_path / "one" / "train-00000-of-00001.h5") == 2
    capsys.readouterr()


def test_what_is_there_is_kept_only_if_it_stems_from_the_same_source_and_options(tmp_path, video, write_tfrecord):
    videos = [video(f"{n}", frames=600, rgb=1024) for n in range(3)]
    paths = [write_tfrecord(tmp_path / f"train{n}", [record]) for n, record in enumerate(videos)]
    out = tmp_path / "out"
    arguments = (*paths, "--out", out, "--shard-mib", 1)
    assert run(*arguments) == 0
    first = digests(out)
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / "train-00001-of-00003.h5").write_bytes(b"broken")
    (out / ".train.partial").mkdir()
    (out / ".train.partial" / "train-00002-of-00003.h5").touch()
    assert run(*arguments) == 0
    assert digests(out) == first
    kept = {path.name for path in out.iterdir() if path.stat().st_mtime_ns == times[path.name]}
    assert kept == {"train-00000-of-00003.h5", "train-00002-of-00003.h5"}
    write_tfrecord(paths[2], [video("x", frames=600, rgb=1024)])
    assert run(*arguments, "--replace") == 0
    assert VideoDataset.open(out, "train").ids_of(np.arange(3)) == ["0", "1", "x"]
    assert run(*arguments, "--num-classes", 5000, "--replace") == 0
    assert VideoDataset.open(out, "train").num_classes == 5000
    assert {path.stat().st_mtime_ns for path in out.iterdir()}.isdisjoint(times.values())


def test_the_split_is_told_by_the_sources_names(tmp_path, video, write_tfrecord, capsys):
    paths = [write_tfrecord(tmp_path / name, [video(name)]) for name in ("train1", "validate1", "x1")]
    assert run(paths[1], "--out", tmp_path / "out") == 0
    assert run(paths[2], "--out", tmp_path / "out") == 0
    assert {path.name[:5] for path in (tmp_path / "out").iterdir()} == {"train", "valid"}
    assert run(*paths, "--out", tmp_path / "out") == 1
    assert "sources of several splits (unnamed, train, validate)" in capsys.readouterr().err
    assert run(*paths, "--out", tmp_path / "out", "--split", "all-of-it") == 1
    assert "only letters, digits and _" in capsys.readouterr().err


def test_nothing_usable(tmp_path, capsys):
    (tmp_path / "a").write_text("hello")
    assert run(tmp_path / "a", "--out", tmp_path / "out") == 1
    assert "record 0 (byte 0): not a TFRecord, nor a pickle or a CSV" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(tmp_path / "a", "--out", tmp_path / "out", "--skip-bad") == 1
    reason, report = "not a TFRecord, nor a pickle or a CSV", tmp_path / "out" / "bad_records_train.csv"
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'a'}: record 0 (byte 0): {reason}; no video can be used, see {report}\n"
    )
    assert report.read_text().splitlines()[1:] == [f'{tmp_path / "a"},0,byte 0,"{reason}"']


def test_no_video_that_fits_is_an_error(tmp_path, video, write_tfrecord, capsys):
    """All can be read, and each one is refused later."""
    source = write_tfrecord(tmp_path / "train", [video("a"), video("b")])
    out = tmp_path / "out"
    assert run(source, "--out", out, "--skip-bad", "--num-classes", 1) == 1
    assert "train: record 0 (byte 0): label 3 out of range, there are 1 classes; no" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["bad_records_train.csv"]
    assert len((out / "bad_records_train.csv").read_text().splitlines()) == 3
