"""The benchmark of the conversion: both converters give the same videos, or nothing is measured."""

import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from benchmarks import convert
from datasets import synthetic
from experiments import ROOT
from experiments.errors import UserError

SHAPE = synthetic.Shape({"rgb": 1024, "audio": 128}, np.ones(3862), 2.0, 3, 12)


def test_what_files_hold_does_not_depend_on_how_it_is_cut(tmp_path):
    frames, counts, ids = np.arange(18, dtype=np.uint8).reshape(6, 3), np.array([1, 2, 3]), [b"a", b"bb", b"c"]

    def write(name, first, last):
        before, after = counts[:first].sum(), counts[:last].sum()
        with h5py.File(tmp_path / name, "w") as file:
            file["features/rgb"] = frames[before:after]
            file["offsets/rgb"] = file["label_offsets"] = np.concatenate([[0], np.cumsum(counts[first:last])])
            file["labels"] = np.arange(before, after)
            file["ids"] = np.array(ids[first:last])
        return tmp_path / name

    whole = convert.contents([write("whole.h5", 0, 3)])
    assert convert.contents([write("first.h5", 0, 1), write("second.h5", 1, 3)]) == whole
    frames[4, 1] += 1
    other = convert.contents([write("whole.h5", 0, 3)])
    assert [name for name, digest in whole.items() if other[name] != digest] == ["features/rgb"]


@pytest.mark.long
def test_both_converters_give_the_same_videos_and_others_are_refused(peers, tmp_path, monkeypatch):
    synthetic.write_tfrecords(tmp_path / "source", SHAPE, "train", 9, seed=0)
    (tmp_path / "place").mkdir()
    convert.compare(tmp_path / "source", tmp_path / "place")
    assert not list((tmp_path / "place").iterdir())
    synthetic.write_tfrecords(tmp_path / "other", SHAPE, "train", 9, seed=1)
    own = convert.convert

    def of_another(name, source, out):
        own(name, tmp_path / "other" if name.startswith(convert.PEER) else source, out)

    monkeypatch.setattr(convert, "convert", of_another)
    with pytest.raises(UserError, match="features/rgb are not the same by both converters"):
        convert.compare(tmp_path / "source", tmp_path / "place")


def test_a_converter_that_fails_says_why(tmp_path):
    with pytest.raises(UserError, match=r"ours, 1 process: error: .*nothing"):
        convert.convert("ours, 1 process", tmp_path / "nothing", tmp_path)


@pytest.mark.long
def test_the_table_has_a_row_a_converter(peers, tmp_path):
    words = f"benchmarks.convert --videos 9 --rounds 1 --out {tmp_path}"
    done = subprocess.run([sys.executable, "-m", *words.split()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^\| (.+?) \| [\d,]+ \| [\d,]+ \| (\S*).*\| [\d.]", done.stdout, re.M)
    assert [name for name, _ in found] == [*convert.CONVERTERS, convert.COPY]
    assert [loop for _, loop in found][2:] == ["1", "1", ""]
    assert (tmp_path / "convert.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "convert.jsonl").read_text().splitlines()) == 5
