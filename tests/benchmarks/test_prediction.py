"""The benchmarks of prediction: from files to files, and from the start of a process."""

import re
import subprocess
import sys

import pytest

from experiments import ROOT


def bench(module, *words):
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_files_are_predicted_and_the_python_side_is_told_apart(tmp_path):
    said = bench("predict_files", "--model=attention_cluster", "--videos=9", "--rounds=2", f"--out={tmp_path}")
    line = r"^\| `attention_cluster` \| (\w+) \| [\d,.]+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+)% \["
    rows = re.findall(line, said, re.M)
    assert [name for name, *_ in rows] == ["gluon", "mxnet", "onnxruntime"]
    for _, seconds, inside, share in rows:
        assert 0 <= float(inside) <= float(seconds)
        assert 0 < float(share) < 100


@pytest.mark.long
def test_every_command_starts_and_predicts(tmp_path):
    said = bench("start_up", "--model=attention_cluster", "--rounds=1", f"--out={tmp_path}")
    found = re.findall(r"^\| `attention_cluster` \| (.+) \| ([\d.]+) \[", said, re.M)
    assert [name for name, _ in found] == [
        "`run.py predict`, parameters",
        "`run.py predict`, exported net",
        "`experiments.inference --engine mxnet`",
        "`experiments.inference --engine onnxruntime`",
    ]
    assert all(0.2 < float(seconds) < 60 for _, seconds in found)
