import os

import numpy as np
import pytest

from datasets import convert, hdf5, output_folder
from datasets.errors import DataError
from datasets.video_dataset import VideoDataset


def run(*arguments):
    """The command in this process; its exit code."""
    return convert.main([str(argument) for argument in arguments])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def sets(tmp_path, video, write_tfrecord):
    """Two sources that make three data files each, of the same names."""
    return [
        write_tfrecord(
            tmp_path / name / "train", [video(f"{name}_{n}", frames=600, rgb=1024, audio=0) for n in range(3)]
        )
        for name in "ab"
    ]


@pytest.fixture(autouse=True)
def folders(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()


def test_another_conversion_is_refused_and_replaced_only_when_asked(tmp_path, sets, capsys):
    out = tmp_path / "out"
    assert run(sets[0], "--out", out, "--shard-mib", 1) == 0
    before = contents(out)
    for options in (
        [sets[1], "--shard-mib", 1],
        [sets[0], "--shard-mib", 2],
        [sets[0], "--shard-mib", 1, "--num-classes", 9],
    ):
        capsys.readouterr()
        assert run(*options, "--out", out) == 1
        assert capsys.readouterr().err == (
            f"error: {out / 'train-00000-of-00003.h5'}: of another conversion, or its sources or options have changed;"
            f" --replace removes split train from {out} and makes it anew, another --split or --out keeps it\n"
        )
        assert contents(out) == before
    assert run(sets[1], "--out", out, "--split", "other") == 0
    assert run(sets[1], "--out", out, "--replace") == 0
    assert [path.name[:5] for path in sorted(out.iterdir())] == ["other", "train"]
    assert VideoDataset.open(out, "train").ids_of(np.arange(3)) == ["b_0", "b_1", "b_2"]


def test_what_a_replacement_leaves_when_it_is_killed_is_never_read_as_one(tmp_path, sets, capsys):
    """At every moment between the first file's removal and the last one's arrival."""
    old, new, out = (tmp_path / name for name in ("old", "new", "out"))
    for source, folder in zip(sets, (old, new), strict=True):
        assert run(source, "--out", folder, "--shard-mib", 1) == 0
    names = sorted(path.name for path in old.iterdir())
    states = [(names[gone:], []) for gone in (1, 2, 3)] + [([], names[:made]) for made in (1, 2)]
    states += [(names[1:], names[:1]), (names[2:], names[:2])]  # as if old files had been written over
    for kept, made in states:
        out.mkdir()
        for name in kept:
            (out / name).write_bytes((old / name).read_bytes())
        for name in made:
            (out / name).write_bytes((new / name).read_bytes())
        with pytest.raises(DataError, match=r"has no file|not made together"):
            VideoDataset.open(out, "train")
        if kept:
            assert run(sets[1], "--out", out, "--shard-mib", 1) == 1
        assert run(sets[1], "--out", out, "--shard-mib", 1, "--replace") == 0
        assert contents(out) == contents(new)
        for name in names:
            (out / name).unlink()
        out.rmdir()


def test_a_source_that_changed_at_the_same_size_is_told(tmp_path, sets, video, capsys):
    """In its middle, where a description does not look."""
    out, content = tmp_path / "out", sets[0].read_bytes()
    assert run(sets[0], "--out", out) == 0
    assert run(sets[0], "--out", out) == 0
    sets[0].write_bytes(content[:50_000] + b"x" + content[50_001:])
    os.utime(sets[0], ns=(0, sets[0].stat().st_mtime_ns + 1))
    assert run(sets[0], "--out", out) == 1
    assert "record 0 (byte 0): wrong CRC" in capsys.readouterr().err
    sets[0].write_bytes(content)
    assert run(sets[0], "--out", out) == 1
    assert "its sources or options have changed" in capsys.readouterr().err


def test_a_file_whose_lesser_parts_are_damaged_is_made_again(tmp_path, sets):
    out = tmp_path / "out"
    assert run(sets[0], "--out", out) == 0
    path = out / "train-00000-of-00001.h5"
    sound = path.read_bytes()
    assert sound.count(b"a_1") >= 1  # the id, which no hexadecimal digest holds by chance
    for what in (b"a_1", np.array([0, 600, 1200, 1800]).tobytes(), b"attributes_crc32"):
        at = sound.index(what)
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        assert run(sets[0], "--out", out) == 0
        assert path.read_bytes() == sound


def test_a_copy_beside_is_passed_over(tmp_path, sets):
    out = tmp_path / "out"
    assert run(sets[0], "--out", out) == 0
    (out / "train-00000-of-00001 (copy).h5").touch()
    assert run(sets[0], "--out", out) == 0
    assert len(VideoDataset.open(out, "train")) == 3


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "report").mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        output_folder.write_report(tmp_path / "report", [output_folder.BadRecord("a", 0, "byte 0", "no frames")])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_two_conversions_of_one_split_exclude_each_other(tmp_path):
    out = tmp_path / "out"
    with (
        output_folder.workspace(out, "train"),
        pytest.raises(DataError, match="another conversion of split train is at work"),
        output_folder.workspace(out, "train"),
    ):
        pass
    assert list(out.iterdir()) == []


def test_a_damaged_file_of_ours_is_not_of_others(tmp_path, sets):
    out = tmp_path / "out"
    assert run(sets[0], "--out", out) == 0
    path = out / "train-00000-of-00001.h5"
    conversion = hdf5.read(path).conversion
    assert len(conversion) == 32
    assert output_folder.of_others(out, "train", [path.name], conversion) == []
    assert output_folder.of_others(out, "train", [path.name], "x") == [path]
    path.write_bytes(b"broken")
    assert output_folder.of_others(out, "train", [path.name], conversion) == []
    assert output_folder.of_others(out, "train", [], conversion) == [path]
