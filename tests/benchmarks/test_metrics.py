"""The benchmark of the metrics: both sides give the same values, or nothing is measured."""

import copy
import re
import subprocess
import sys

import pytest

from benchmarks import metrics
from benchmarks.sides import OURS, Side
from experiments import ROOT
from experiments.errors import UserError

VALUES = {"hit_at_1": 0.5, "perr": 0.25, "gap": 0.75, "mean_ap": 0.125}


def answer(side, speed):
    return {
        "framework": side,
        "metrics": dict(VALUES),
        "videos_per_second": speed,
        "get_seconds": 0.5,
        "peak_bytes": 1e6 * speed,
    }


@pytest.mark.long
def test_both_sides_give_the_same_values(peers):
    answers = []
    for side, module in metrics.MODULES.items():
        with Side(side, 1, module) as process:
            answers.append(process.ask(videos=150, batch_size=64))  # the last batch is smaller
    metrics.same(answers)
    assert set(answers[0]["metrics"]) == set(answers[1]["metrics"]) == set(VALUES)
    assert all(0.1 < value < 0.9 for value in answers[0]["metrics"].values())


@pytest.mark.parametrize("name", VALUES)
def test_other_values_are_refused(name):
    ours, peer = answer("ours", 1.0), answer("PyTorch 2", 1.0)
    metrics.same([ours, peer])
    for wrong in (VALUES[name] + 2e-6, float("nan")):
        other = copy.deepcopy(peer)
        other["metrics"][name] = wrong
        with pytest.raises(UserError, match=f"PyTorch 2: {name} is "):
            metrics.same([ours, peer, other])


def test_rows_hold_each_side_against_the_fastest_peer_pair_by_pair():
    found = {
        "ours, 1 thread": [answer(OURS, 100.0), answer(OURS, 300.0)],
        "PyTorch 2, 1 thread": [answer("PyTorch 2", 200.0), answer("PyTorch 2", 200.0)],
        "PyTorch 2, 2 threads": [answer("PyTorch 2", 20.0), answer("PyTorch 2", 40.0)],
    }
    ours, fast, slow = metrics.rows(found)
    assert ours == ["ours, 1 thread", "200", "1.00 [0.50, 1.50]", "0.50", "300"]
    assert fast[2] == "1"
    assert slow[2] == "0.15 [0.10, 0.20]"


@pytest.mark.long
def test_the_table_has_a_row_a_side(peers, tmp_path):
    words = f"benchmarks.metrics --videos 70 --batch 32 --rounds 1 --out {tmp_path}"
    done = subprocess.run([sys.executable, "-m", *words.split()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^\| 32 \| 70 \| (\w+).*?, (\d) threads? \| [\d,]+ \| [\d.]", done.stdout, re.M)
    assert found[:2] == [("ours", "1"), ("PyTorch", "1")]
    assert (tmp_path / "metrics.png").read_bytes().startswith(b"\x89PNG")
