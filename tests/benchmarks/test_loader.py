"""The benchmark of loaders: both sides deliver the same, or nothing is measured."""

import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import index, loader
from benchmarks.peers import delivered
from benchmarks.peers.delivered import Delivered
from benchmarks.sides import Side
from datasets import synthetic
from datasets.loader import Loader
from datasets.video_dataset import VideoDataset
from experiments import ROOT
from experiments.errors import UserError

SHAPE = synthetic.Shape({"rgb": 6, "audio": 4}, np.ones(9), 2.0, 3, 12)


@pytest.fixture
def few(tmp_path):
    synthetic.write_split(tmp_path, SHAPE, "train", 11, seed=0)
    return VideoDataset.open(tmp_path, "train")


@pytest.mark.long
@pytest.mark.parametrize("seg_num", [5, None])
def test_both_sides_deliver_the_same_and_others_are_refused(seg_num, peers, few, tmp_path):
    index.write(few, own := tmp_path / "videos.npz")
    with Side(loader.PEER, 1, "loader_torch") as peer:
        assert loader.compare(few, 4, seg_num, peer, own).startswith("PyTorch 2.")
        assert peer.ask(run=1, workers=2)["videos_per_second"] > 0
        few.frames["audio"] = [255 - frames for frames in few.frames["audio"]]  # not what is in the files
        with pytest.raises(UserError, match=r"PyTorch 2\S*: its batches are not ours"):
            loader.compare(few, 4, seg_num, peer, own)


@pytest.mark.parametrize("change", ["features", "lengths", "labels", "videos"])
def test_batches_that_differ_in_anything_have_another_digest(change):
    ours = Delivered([np.ones((2, 3, 4), np.uint8)], None, np.zeros((2, 5), np.float32), np.arange(2))
    same = ours._replace(lengths=np.full((2, 1), 3, np.int32))
    assert delivered.digest(ours) == delivered.digest(same)
    other = {
        "features": [np.ones((2, 4, 3), np.uint8)],
        "lengths": np.array([[3], [2]]),
        "labels": np.ones((2, 5), np.float32),
        "videos": np.arange(1, 3),
    }
    assert delivered.digest(ours._replace(**{change: other[change]})) != delivered.digest(ours)


@pytest.mark.parametrize("seg_num", [5, None])
def test_a_plain_copy_is_of_a_batch_or_of_what_there_is(seg_num, few):
    for batch_size in (2, 50):
        assert loader.copy_speed(Loader(few, batch_size, seg_num, True)) > 0


@pytest.mark.long
def test_the_table_has_a_row_a_reader(peers, tmp_path):
    words = f"benchmarks.loader --experiment attention_lstm_youtube8m --videos 70 --rounds 1 --out {tmp_path}"
    done = subprocess.run([sys.executable, "-m", *words.split()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^\| `attention_lstm_youtube8m` \| all \| 32 \| (.+?) \| [\d,]+ \| [1-9\d.]", done.stdout, re.M)
    assert [re.sub(r"2\.\S+", "V", name) for name in found] == [
        "ours, 1 thread",
        "ours, 2 threads",
        "PyTorch V in process",
        "PyTorch V 2 processes",
        "limit: plain copy",
    ]
    assert (tmp_path / "loader.png").read_bytes().startswith(b"\x89PNG")
