import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from datasets import paddle_pickle
from datasets.record import Record

RGB = np.arange(48, dtype=np.uint8).reshape(3, 16)
AUDIO = np.arange(12, dtype=np.uint8).reshape(3, 4)


def item(**changes):
    return {"video": b"abcd", "feature": RGB, "audio": AUDIO, "label": [3, 1], "nframes": np.int32(3), **changes}


def as_python_2(content):
    """Keys as bytes, as a pickle of Python 2 has them."""
    return {key.encode(): value for key, value in content.items()}


def contents(path, *objects, protocol=2):
    path.write_bytes(b"".join(pickle.dumps(content, protocol) for content in objects))
    return [entry.content for entry in paddle_pickle.read(path)]


def test_the_real_video(real_pickle):
    [entry] = paddle_pickle.read(real_pickle)
    assert (entry.content.id, entry.content.labels.tolist()) == ("SjJ3", [11])
    shapes = {name: frames.shape for name, frames in entry.content.features.items()}
    assert shapes == {"rgb": (170, 1024), "audio": (170, 128)}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("keys", [dict, as_python_2])
def test_every_protocol_and_age(tmp_path, protocol, keys):
    [record] = contents(tmp_path / "a", keys(item()), protocol=protocol)
    assert isinstance(record, Record)
    assert (record.id, record.labels.tolist()) == ("abcd", [3, 1])
    assert np.array_equal(record.features["rgb"], RGB)
    assert np.array_equal(record.features["audio"], AUDIO)
    assert paddle_pickle.starts_pickle((tmp_path / "a").read_bytes())


def test_one_dict_a_list_of_them_or_several_in_turn(tmp_path):
    names = [[b"a"], [b"b", b"c"], [b"d"]]
    objects = [[item(video=name) for name in group] for group in names]
    found = contents(tmp_path / "a", objects[0][0], objects[1], objects[2][0])
    assert [record.id for record in found] == ["a", "b", "c", "d"]
    entries = list(paddle_pickle.read(tmp_path / "a"))
    assert [entry.number for entry in entries] == [0, 1, 2, 3]
    assert entries[3].where == f"byte {(tmp_path / 'a').stat().st_size - len(pickle.dumps(objects[2][0], 2))}"


def test_frames_after_nframes_are_left_out_as_paddles_reader_does(tmp_path):
    [record] = contents(tmp_path / "a", item(nframes=2))
    assert np.array_equal(record.features["rgb"], RGB[:2])
    assert np.array_equal(record.features["audio"], AUDIO[:2])


def test_further_modalities_and_arrays_in_other_orders(tmp_path):
    flow = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(3, 2))
    [record] = contents(tmp_path / "a", item(flow=flow, label=np.array([7], ">i8"), audio=AUDIO[:0]))
    assert np.array_equal(record.features["flow"], flow)
    assert record.labels.tolist() == [7]
    assert len(record.features["audio"]) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (item(nframes=4), "feature has 3 frames, fewer than nframes 4"),
        (item(nframes="3"), "nframes is not made of integers"),
        (item(label=[1.5]), "label is not made of integers"),
        (item(label=[2**70]), "label is not made of integers"),
        (item(feature=RGB.astype(np.float32)), "feature is not an array of bytes"),
        (item(feature=RGB[0]), "feature is not an array of bytes"),
        (item(feature=[1, 2]), "feature is not an array of bytes"),
        (item(video=b"\xff"), "not UTF-8"),
        (item(video=5), "a int where a string is expected"),
        ({"video": "a"}, "feature missing"),
        ([5], "a int, not a dict"),
        (None, "a NoneType, not a dict"),
    ],
)
def test_what_is_no_video_says_why(tmp_path, content, reason):
    [found] = contents(tmp_path / "a", content)
    assert reason in found


class Malicious:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize(
    "harm",
    [Malicious(os.system, "touch HARM"), Malicious(eval, "open('HARM', 'w')"), Malicious(subprocess.run, ["ls"])],
)
def test_nothing_is_run(tmp_path, monkeypatch, harm):
    monkeypatch.chdir(tmp_path)
    [reason] = contents(tmp_path / "a", item(label=harm))
    assert "only arrays and builtins are admitted" in reason
    assert not (tmp_path / "HARM").exists()


def test_a_damaged_shape_takes_no_memory(tmp_path):
    """In a process with 4 GB at most: an array and a memo that claim far more, which NumPy and C would allocate."""
    huge = pickle.dumps(np.ndarray, 2)[:-1] + b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ftR."
    memo = b"\x80\x02}r\xf0\xff\xff\x7f."
    for number, data in enumerate((huge, memo)):
        (tmp_path / str(number)).write_bytes(data)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "from pathlib import Path; from datasets import paddle_pickle\n"
        "for path in sys.argv[1:]: print([entry.content for entry in paddle_pickle.read(Path(path))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "0", tmp_path / "1"], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("not a dict") == 1
    assert "missing" in done.stdout


def test_after_damage_the_rest_is_one_bad_record(tmp_path):
    good, cut = pickle.dumps(item(), 2), pickle.dumps(item(video=b"b"), 2)[:-20]
    (tmp_path / "a").write_bytes(good + cut)
    first, second = paddle_pickle.read(tmp_path / "a")
    assert isinstance(first.content, Record)
    assert second.content.startswith("not a readable pickle")
    assert (second.number, second.where, second.size) == (1, f"byte {len(good)}", len(cut))


def test_a_pickle_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(paddle_pickle, "MAX_BYTES", 10)
    [reason] = contents(tmp_path / "a", item())
    assert "10 are the most" in reason


def test_damage_never_ends_in_an_error(tmp_path):
    whole = pickle.dumps([item(), item(video=b"b")], 2)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            data[at] = rng.integers(256)
        (tmp_path / "a").write_bytes(data[: rng.integers(1, len(data) + 1)])
        for entry in paddle_pickle.read(tmp_path / "a"):
            assert isinstance(entry.content, Record | str)
            assert isinstance(entry.content, Record) or "\n" not in entry.content
