"""The benchmark of the published nets: its count of work, its table."""

import re
import subprocess
import sys

import pytest

from benchmarks import models, published
from benchmarks.models import Measured
from benchmarks.record import Record
from benchmarks.sides import OURS
from experiments import ROOT


@pytest.mark.parametrize(
    ("model", "mode", "millions"),
    [
        ("attention_cluster", "predict", 130.3),
        ("attention_cluster", "train", 376.1),
        ("attention_lstm", "predict", 5318.6),
        ("attention_lstm", "train", 15837.9),
    ],
)
def test_the_work_of_a_video_is_counted(model, mode, millions):
    assert published.flops(published.case(model, mode, 32)) / 1e6 == pytest.approx(millions, abs=0.05)


def test_rows_hold_each_way_against_the_fastest_peer_pair_by_pair():
    case = published.case("attention_cluster", "predict", 32)
    common = {"memory": [1e9, 2e9], "processors": [1.0, 2.0], "gflops": [130.269184, 130.269184]}
    found = [
        Measured(OURS, "gluon", "MXNet 1", [100.0, 300.0], [100.0, 300.0], **common),
        Measured(
            "PyTorch", "eager", "PyTorch 2", [20.0, 40.0], [100.0, 400.0], **common
        ),  # its rounds were faster ones
        Measured("Paddle", "predictor", "Paddle 3", [30.0, 40.0], [60.0, 100.0], **common),
    ]
    ours, slow, fast = models.rows(found, case)
    assert ours == ["`attention_cluster`", "32", "MXNet 1", "gluon", "200.0", "2.25 [2.00, 2.50]", "2.0", "20%", "1.5"]
    assert slow[5] == "0.33 [0.22, 0.44]"
    assert fast[5] == "1"


def test_a_share_of_the_limit_is_of_the_same_moment():
    case = published.case("attention_cluster", "predict", 32)
    own = Measured(OURS, "gluon", "MXNet 1", [100.0, 300.0], [1.0, 1.0], [1e9, 1e9], [1.0, 1.0], [26.0538, 78.1615])
    assert models.rows([own], case)[0][7] == "50%"


def test_a_record_has_lines_for_ever_and_the_last_table(tmp_path, capsys):
    for speed in (1.5, 2.5):
        record = Record("speed", ["--rounds", "1"], tmp_path)
        record.head(["way", "videos/s:"])
        record.add(videos_per_second=speed)
        record.row(["`gluon`", str(speed)])
    lines = (tmp_path / "speed.jsonl").read_text().splitlines()
    assert [re.search(r'"videos_per_second": ([\d.]+)}', line)[1] for line in lines] == ["1.5", "2.5"]
    assert all('"machine": "' in line for line in lines)
    table = (tmp_path / "speed.md").read_text()
    assert "speed --rounds 1, 20" in table
    assert table.endswith("| way | videos/s |\n|---|---:|\n| `gluon` | 2.5 |\n")
    assert table in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["--model=attention", "--batch=0", "--ways=MXNet:none", "--mode=both"])
def test_what_is_not_known_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        models.main(["--mode=train", wrong])
    name, _, value = wrong.partition("=")
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {name}: " in said
    assert f"'{value}'" in said


def test_ways_are_those_of_the_mode(capsys):
    with pytest.raises(SystemExit):
        models.main(["--mode=predict", "--ways=PyTorch:fused"])
    assert "argument --ways: to predict there are MXNet:gluon, " in capsys.readouterr().err


@pytest.mark.long
def test_the_table_has_a_row_a_way(peers, tmp_path):
    words = "benchmarks.models --mode predict --model attention_cluster --batch 2 --rounds 1 --seconds 0.1"
    ways = ["--ways", "MXNet:gluon,PyTorch:prepacked", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", *words.split(), *ways], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^\| `attention_cluster` \| 2 \| (\w+) [\w.+]+ \| (\w+) \| [\d.]+ \| ", done.stdout, re.M)
    assert found == [("MXNet", "gluon"), ("PyTorch", "prepacked")]
    assert len((tmp_path / "predict.jsonl").read_text().splitlines()) == 2
