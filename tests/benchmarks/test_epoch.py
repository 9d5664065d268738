"""The benchmark of an epoch: what it says was gained, what a peer reads of data files, the whole of it small."""

import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import epoch, index
from benchmarks.epoch import Measured
from benchmarks.peers.measuring import Counted
from benchmarks.sides import OURS
from datasets import synthetic
from datasets.video_dataset import VideoDataset
from experiments import ROOT


def measured(framework, order, seconds, real, padded):
    answers = [
        {"seconds": own, "videos": 10, "real_frames": real, "padded_frames": padded, "peak_bytes": 2e9}
        for own in seconds
    ]
    return Measured(framework, "gluon", order, f"{framework} 1", answers)


@pytest.fixture
def found():
    return [
        measured(OURS, "sorted", [10.0, 20.0], 1000, 1010),
        measured(OURS, "random", [13.6, 27.2], 1000, 1400),
        measured("PyTorch", "random", [20.0, 40.0], 1000, 1400),
    ]


def test_the_share_of_the_gain_is_of_what_lengths_allow(found):
    said = epoch.gain(found)
    assert "allow 1.40 [1.40, 1.40] times, reached 1.36 [1.36, 1.36], a share of 0.90 [0.90, 0.90] (goal 0.9)" in said
    assert said.endswith("sorted batches have 1.0% of padding.")


def test_parts_of_an_epoch_with_longer_videos_are_compared_by_their_real_frames(found):
    for own in found[0].answers:
        own.update(seconds=2 * own["seconds"], real_frames=2000, padded_frames=2020)
    assert "a share of 0.90 [0.90, 0.90]" in epoch.gain(found)


def test_rows_hold_each_way_against_pytorch(found, small_case):
    case = small_case("attention_lstm", "train")
    ours, _, peer = epoch.rows(found, case, videos=80, epoch_frames=8000, trained="1 of 8")
    assert ours[2:6] == ["1 of 8", "MXNet 1", "gluon", "sorted"]
    assert ours[6:11] == ["120.0", "0.7", "2,000", "2,020", "15,000"]
    assert ours[-1] == "2.00 [2.00, 2.00]"
    assert peer[-1] == "1"


def test_the_fastest_peer_is_the_one_to_beat(found, small_case):
    found.append(measured("PyTorch", "random", [16.0, 32.0], 1000, 1400))
    *_, slow, fast = epoch.rows(found, small_case("attention_lstm", "train"), 80, 8000, "1 of 8")
    assert (slow[-1], fast[-1]) == ("0.80 [0.80, 0.80]", "1")


def test_batches_of_one_length_have_nothing_to_gain(found):
    for own in found[1].answers:
        own["padded_frames"] = own["real_frames"]
    assert "nothing to gain" in epoch.gain(found)


def test_frames_are_counted():
    counted = Counted()
    counted.add(np.array([3, 5]), 5)
    counted.add(np.array([2]), 4)
    assert counted == Counted(videos=3, real_frames=10, padded_frames=14)


def test_the_index_says_where_in_the_files_a_video_lies(tmp_path):
    shape = synthetic.Shape({"rgb": 5, "audio": 2}, np.ones(6), 2.0, 3, 9)
    synthetic.write_split(tmp_path, shape, "train", 1003, seed=0)  # two shards
    dataset = VideoDataset.open(tmp_path, "train")
    index.write(dataset, tmp_path / "videos.npz")
    with np.load(tmp_path / "videos.npz") as file:
        own = dict(file)
    for video in (0, 999, 1000, 1002):
        shard = own["shards"][video]
        for name, frames in dataset.frames.items():
            start, count, width = own[f"places.{name}"][shard]
            mapped = np.memmap(str(own["paths"][shard]), np.uint8, "r", int(start), (int(count), int(width)))
            first, length = own[f"frames.{name}"][video]
            np.testing.assert_array_equal(mapped[first : first + length], frames[shard][first : first + length])
            assert 3 <= length <= 9
        labels = own["labels"][slice(*own["label_offsets"][video])]
        np.testing.assert_array_equal(labels, np.flatnonzero(dataset.labels_of(np.array([video]))[0]))


def test_ways_that_no_model_has_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        epoch.main(["--model=attention_cluster", "--ways=MXNet:gluon:sorted"])
    assert stop.value.code == 2
    assert "of attention_cluster there are MXNet:gluon:random, PyTorch:" in capsys.readouterr().err


@pytest.mark.long
def test_both_sides_train_on_a_part_of_an_epoch(peers, tmp_path):
    words = ["--videos=40", "--batch=8", "--part=2", "--rounds=1", "--small", f"--out={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.epoch", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    line = (
        r"^\| `(\w+)` \| 8 \| 3 of 5 \| (\w+) [\w.+]+ \| (\w+) \| (\w+) "
        r"\| .+ \| ([\d,]+) \| ([\d,]+) \| [\d,]+ \| [\d,]+ \| "
    )
    found = {tuple(own): [int(number.replace(",", "")) for number in rest] for *own, rest in _rows(line, done.stdout)}
    assert list(found) == [
        ("attention_cluster", "MXNet", "gluon", "random"),
        ("attention_cluster", "PyTorch", "fused", "random"),
        ("attention_cluster", "PyTorch", "compiled", "random"),
        ("attention_lstm", "MXNet", "gluon", "sorted"),
        ("attention_lstm", "MXNet", "gluon", "random"),
        ("attention_lstm", "PyTorch", "fused", "random"),
        ("attention_lstm", "PyTorch", "compiled", "random"),
    ]
    for (model, _, _, order), (real, padded) in found.items():
        if model == "attention_cluster":
            assert real == padded == 3 * 8 * 100
        else:
            assert 3 * 8 * 120 <= real <= padded <= 3 * 8 * 300
            assert (padded / real < 1.2) == (order == "sorted")
    assert "Sorting by length: the lengths allow 1." in done.stdout


def _rows(line, text):
    return [(*own[:4], own[4:]) for own in re.findall(line, text, re.M)]
