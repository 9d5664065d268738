import pickle
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from datasets import convert, hdf5
from datasets.video_dataset import VideoDataset

ROOT = Path(__file__).parents[2]


def test_two_hundred_damaged_files(tmp_path, video, write_tfrecord, capsys):
    """Bits flipped, bytes put in and cut out at random: no traceback, and no record that differs from the original."""
    videos = {name: video(name, frames=20) for name in (f"{n:04}" for n in range(800))}
    rng = np.random.default_rng(0)
    folder, names = tmp_path / "in", list(videos)
    folder.mkdir()
    for number in range(200):
        path = write_tfrecord(
            folder / f"train{number:03}", [videos[name] for name in names[number * 4 : number * 4 + 4]]
        )
        data, at = bytearray(path.read_bytes()), int(rng.integers(path.stat().st_size))
        match number % 4:
            case 0:
                data[at] ^= 1 << rng.integers(8)
            case 1:
                del data[at : at + rng.integers(1, 2000)]
            case 2:
                data[at:at] = rng.bytes(rng.integers(1, 2000))
            case 3:
                del data[at:]
        path.write_bytes(data)
    assert convert.main([str(folder), "--out", str(tmp_path / "out"), "--skip-bad", "--workers", "2"]) == 0
    dataset = VideoDataset.open(tmp_path / "out", "train")
    for number, name in enumerate(dataset.ids_of(np.arange(len(dataset)))):
        for modality, frames in videos[name].features.items():
            [shard], [row] = dataset.locate(np.array([number]))
            start, stop = dataset.shards[shard].offsets[modality][row : row + 2]
            assert np.array_equal(dataset.shards[shard].features[modality][start:stop], frames)
        assert np.flatnonzero(dataset.labels_of(np.array([number]))).tolist() == [1, 3]
    lines = (tmp_path / "out" / "bad_records_train.csv").read_text().splitlines()[1:]
    assert len({line.split(",")[0] for line in lines}) > 190  # the rest were cut between records, or after the last
    assert len(dataset) > 250
    assert "Traceback" not in capsys.readouterr().err


def test_terabytes_that_cannot_be_read(tmp_path, video, write_tfrecord, capsys):
    """Sparse files: one that was a TFRecord at its beginning, and one that never was."""
    source = write_tfrecord(tmp_path / "train0", [video("a"), video("b")])
    (tmp_path / "train1").touch()
    for path in tmp_path.iterdir():
        with path.open("r+b") as file:
            file.truncate(1 << 42)
    out = str(tmp_path / "out")
    assert convert.main([str(source), str(tmp_path / "train1"), "--out", out, "--skip-bad", "--workers", "1"]) == 0
    assert "2 videos in 2 files of split train; 2 bad records left out" in capsys.readouterr().out


def test_a_full_disk_ends_the_conversion_in_one_line_and_leaves_nothing(tmp_path, video, write_tfrecord):
    """A limit of a file's size stands for it, which strikes within features, and within what HDF5 writes at the end."""
    source = write_tfrecord(tmp_path / "train", [video(f"{n}", frames=100, rgb=1024) for n in range(10)])
    out = tmp_path / "out"
    command = [sys.executable, "-m", "datasets.convert", source, "--out", out, "--workers", "1"]
    for room in (500_000, 1_030_000):  # features take 1,024,000 bytes

        def limit(room=room):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        done = subprocess.run(command, cwd=ROOT, preexec_fn=limit, capture_output=True, text=True, check=False)
        place = out / ".train.partial" / "train-00000-of-00001.h5"
        reason = "cannot be written ([Errno 27] File too large); make room there, or choose another folder"
        assert (done.returncode, done.stderr) == (1, f"error: {place}: {reason}\n")
        assert list(out.iterdir()) == []


def test_half_a_character_in_a_pickle(tmp_path, capsys):
    frames = np.ones((2, 16), np.uint8)
    items = [{"video": name, "feature": frames, "nframes": 2} for name in ("a", "\udcff")]
    items.append({"video": "b", "feature": frames, "nframes": 2, "\udcff": frames})
    (tmp_path / "a").write_bytes(pickle.dumps(items, 2))
    arguments = [str(tmp_path / "a"), "--out", str(tmp_path / "out"), "--modalities", "rgb", "--skip-bad"]
    assert convert.main(arguments) == 0
    assert "2 videos in 1 file of split train; 1 bad record left out" in capsys.readouterr().out


def test_names_that_are_not_utf8(tmp_path, video, write_tfrecord, capsys):
    folder, out = tmp_path / "in\udcfe", tmp_path / "out\udcfd"
    folder.mkdir()
    write_tfrecord(folder / "train\udcff", [video("a"), video("b", labels=(-1,))])
    assert convert.main([str(folder), "--out", str(out), "--skip-bad"]) == 0
    assert "1 video in 1 file of split train; 1 bad record left out, see " in capsys.readouterr().out
    assert r"train\udcff,1,byte " in (out / "bad_records_train.csv").read_text()
    shard = hdf5.read(out / "train-00000-of-00001.h5")
    assert shard.source.startswith(r"train\xff, bytes 0 to ")
    assert shard.skipped[0].startswith(r"train\xff: record 1 (byte ")


def test_of_an_id_that_occurs_twice_it_is_said_and_not_what_follows_from_it(tmp_path, capsys):
    """The second row's label does not count, so that it is out of range as well."""
    np.save(tmp_path / "a.npy", np.ones((2, 3), np.uint8))
    (tmp_path / "train.csv").write_text("id,labels\na,0\na,7\n")
    assert convert.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "record 1 (line 3, a.npy): the id a occurs already; --skip-bad" in capsys.readouterr().err
