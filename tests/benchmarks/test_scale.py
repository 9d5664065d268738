"""The benchmarks of a million videos and of sorted batches, small."""

import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import scale
from datasets.video_dataset import VideoDataset
from experiments import ROOT


def bench(module, *words):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_whole_files_are_counted(capsys, tmp_path):
    assert scale.main(["--counts=1500", f"--out={tmp_path}"]) == 1
    assert capsys.readouterr().err == "error: --counts 1500: not whole thousands\n"


@pytest.mark.long
def test_videos_of_many_files_share_their_frames():
    with scale.linked_videos(3000) as folder:
        dataset = VideoDataset.open(folder, "train")
        assert len(dataset) == 3000
        assert len({path.stat().st_ino for path in dataset.paths}) == 1
        first = dataset.labels_of(np.arange(5))
        np.testing.assert_array_equal(first, dataset.labels_of(np.arange(2000, 2005)))
    assert not folder.exists()


@pytest.mark.long
def test_every_part_has_its_rows(tmp_path):
    said = bench("scale", "--counts=1000,2000", "--rounds=2", f"--out={tmp_path}")
    rows = re.findall(r"^\| (\w+) \| (.+) \| ([\d,.]+) (us|MB) \| ([\d,.]+) \4 \| ([\d.]+ \[.+\]|-) \|$", said, re.M)
    expected = [(part, what) for part, own in scale.ROWS.items() for what in own.values()]
    assert [(part, what) for part, what, *_ in rows] == expected
    assert len((tmp_path / "scale.jsonl").read_text().splitlines()) == 4 * len(scale.ROWS)


@pytest.mark.long
def test_sorted_and_random_training_are_held_against_each_other(tmp_path):
    said = bench("sorted_training", "--videos=64", "--seeds=2", "--epochs=1", f"--out={tmp_path}")
    for seed in ("0", "1", "mean"):
        in_order, random, difference = re.search(
            rf"^\| {seed} \| ([\d.]+) \| ([\d.]+) \| ([-+][\d.]+) \|$", said, re.M
        ).groups()
        assert float(difference) == pytest.approx(float(in_order) - float(random), abs=2e-4)
