import zlib

import h5py
import numpy as np
import pytest

from datasets import hdf5, hdf5_check
from datasets.errors import DataError


@pytest.fixture
def path(tmp_path):
    shard = hdf5.Shard(
        features={"rgb": np.arange(12, dtype=np.uint8).reshape(4, 3), "audio": np.ones((2, 5), np.float32)},
        offsets={"rgb": np.array([0, 3, 4]), "audio": np.array([0, 2, 2])},
        labels=np.array([3, 1, 2]),
        label_offsets=np.array([0, 1, 3]),
        ids=["a", "b"],
        num_classes=4,
        single_label=False,
        ranges={"rgb": (-2.0, 2.0)},
        source="a test",
        segments={name: np.full(1, 1 + (name == "end_times")) for name in hdf5.SEGMENT_COLUMNS},
        segment_offsets=np.array([0, 1, 1]),
        skipped=["x: record 3 (byte 5): no frames"],
        command="python -m test",
    )
    hdf5.write(tmp_path / "a.h5", shard)
    return tmp_path / "a.h5"


def test_a_sound_file(path, capsys):
    assert hdf5_check.check(path) == 2
    assert hdf5.main(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: ok, 2 videos\n"


def test_checksums_are_of_whole_datasets_however_they_are_written(path, monkeypatch):
    shard = hdf5.read(path)
    wanted = {f"features/{name}": zlib.crc32(frames.tobytes()) for name, frames in shard.features.items()}
    monkeypatch.setattr(hdf5, "WRITTEN_BYTES", 4)
    hdf5.write(path.with_name("b.h5"), shard)
    found = hdf5.checksums(path.with_name("b.h5"))
    assert found == hdf5.checksums(path)
    assert {name: found[name] for name in wanted} == wanted
    assert hdf5_check.check(path.with_name("b.h5")) == 2


def test_a_description(path):
    assert hdf5_check.describe(path).splitlines() == [
        str(path),
        "  videos      2, the first is a, the last b",
        "  labels      3 in all, from 4 classes, 1 to 2 a video, mean 1.5",
        "  rgb         4 frames of 3 uint8 for -2 to 2, 1 to 3 a video, mean 2.0",
        "  audio       2 frames of 5 float32, 2 a video; 1 video lacks it",
        "  segments    1 rated, in 1 videos",
        "  made from   a test",
        "  made by     python -m test",
        "  left out    x: record 3 (byte 5): no frames",
    ]


def set_to(name, index, value):
    def change(file):
        file[name][index] = value

    return change


def replace(name, values):
    def change(file):
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)

    return change


def set_attribute(name, value, owner="/"):
    def change(file):
        file[owner].attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_to("features/rgb", (0, 0), 9), "features/rgb: checksum .* it was"),
        (set_to("labels", 0, 2), "labels: checksum"),
        (set_to("ids", 0, b"c"), "ids: checksum"),
        (set_to("skipped", 0, b"c"), "skipped: checksum"),
        (set_to("segments/scores", 0, 0.5), "segments/scores: checksum"),
        (set_to("ids", 0, b"b"), "ids: some are empty or occur twice"),
        (set_to("labels", 0, 4), "labels: from 1 to 4, and there are 4 classes"),
        (set_to("labels", 0, -1), "labels: from -1"),
        (set_to("segments/labels", 0, 7), "segments/labels: from 7"),
        (set_to("offsets/rgb", 1, 5), "offsets/rgb: do not rise from 0 to 4"),
        (set_to("offsets/audio", 0, 1), "offsets/audio: do not rise"),
        (set_to("label_offsets", -1, 2), "label_offsets: do not rise from 0 to 3"),
        (set_to("segment_offsets", -1, 2), "segments/.*: do not rise"),
        (set_to("features/audio", (0, 0), np.nan), "features/audio: some values are not finite"),
        (replace("features/rgb", np.ones(4, np.uint8)), "features/rgb: uint8 of shape"),
        (replace("features/rgb", np.ones((4, 3), np.int32)), "features/rgb: int32 of shape"),
        (replace("labels", np.ones(3)), "labels: float64 of shape"),
        (replace("offsets/rgb", np.array([0, 4])), "offsets/rgb: int64 of shape"),
        (lambda file: file.__delitem__("offsets/rgb"), "not a readable data file"),
        (lambda file: file.__delitem__("labels"), "not a readable data file"),
        (lambda file: file["labels"].attrs.__delitem__("crc32"), "crc32"),
        (lambda file: file["segments"].__delitem__("scores"), "segments: columns are not"),
        (set_attribute("single_label", True), "some video has none or several"),
        (set_attribute("minimum", 3.0, "features/rgb"), "minimum 3.0 and maximum 2.0 are no range"),
        (set_attribute("format_version", 2), "format version 2"),
        (set_attribute("minimum", 1.5, "features/rgb"), "attributes: not as they were written"),
        (set_attribute("num_classes", 4096), "attributes: not as they were written"),
        (set_attribute("source", np.bytes_("another test")), "attributes: not as they were written"),
        (set_attribute("more", 1, "labels"), "attributes: not as they were written"),
        (lambda file: file.attrs.__delitem__("attributes_crc32"), "attributes: without a checksum"),
        (lambda file: file.move("segments", "parts"), "attributes: not|segments: columns"),
        (set_to("segments/end_times", 0, 1), "segments: some end before they begin"),
        (replace("features/audio", np.ones((2, 5), np.longdouble)), "features/audio: float128 of shape"),
    ],
)
def test_a_flaw_is_found(path, capsys, change, reason):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DataError, match=reason):
        hdf5_check.check(path)
    assert hdf5.main(["check", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: ")
    assert said.count("\n") == 1


def test_damage_never_ends_in_another_error_and_that_of_data_is_found(path):
    """Byte after byte: it may lie where nothing is, but then what is read is as it was."""
    data, sound = path.read_bytes(), hdf5.read(path)
    found = 0
    for at in range(0, len(data), 29):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        try:
            hdf5_check.check(path)
        except DataError:
            found += 1
            continue
        shard = hdf5.read(path)
        for name, frames in sound.features.items():
            assert np.array_equal(shard.features[name], frames)
        for name in ("ids", "num_classes", "single_label", "ranges", "source", "command", "conversion"):
            assert getattr(shard, name) == getattr(sound, name)
        assert list(shard.features) == list(sound.features)
        assert shard.labels.tolist() == sound.labels.tolist()
    assert found > 50


def test_only_the_first_of_several_files_is_flawed(path, tmp_path, capsys):
    assert hdf5.main(["show", str(tmp_path / "missing.h5"), str(path)]) == 1
    said = capsys.readouterr()
    assert said.err == f"error: {tmp_path / 'missing.h5'}: no such file\n"
    assert str(path) in said.out


def test_a_folder_is_none(tmp_path, capsys):
    assert hdf5.main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}: a folder; name the files in it\n"


def test_what_cannot_be_described_is_one_line(path, capsys):
    with h5py.File(path, "r+") as file:
        file.move("segments/labels", "segments/lbels")
    assert hdf5.main(["show", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: flawed ('labels'); remove it")


def test_all_but_the_features_can_be_checked_alone(path):
    with h5py.File(path, "r+") as file:
        file["features/rgb"][0, 0] = 9
    assert hdf5_check.check(path, features=False) == 2
    with h5py.File(path, "r+") as file:
        file["ids"][0] = b"c"
    with pytest.raises(DataError, match="ids: checksum"):
        hdf5_check.check(path, features=False)


def test_ctrl_c_is_one_line(path, capsys, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(hdf5_check, "check", interrupted)
    assert hdf5.main(["check", str(path)]) == 130
    assert capsys.readouterr().err == "interrupted; what was printed holds\n"
