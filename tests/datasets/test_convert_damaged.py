import numpy as np

from datasets import convert
from datasets.video_dataset import VideoDataset


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
