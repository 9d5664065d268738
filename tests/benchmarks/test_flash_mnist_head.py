"""The benchmark that holds our head of the Flash-MNIST table against PyTorch's."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import flash_mnist_head
from benchmarks.flash_mnist_head import OURS, PEER, PEER_PYTHON, Side, check
from benchmarks.peers import measuring
from experiments import ROOT, registry
from experiments.errors import UserError

needs_torch = pytest.mark.skipif(
    not PEER_PYTHON.exists(), reason="no PyTorch here; `make .venv-peers/.complete` installs it"
)


def numbers(column, units):
    entry = registry.load(flash_mnist_head.ENTRY)
    return {**registry.flatten(entry), **entry.grid.updates(column, units), "batch_size": 4}


@pytest.fixture(scope="module")
def ours():
    with Side(Path(sys.executable), OURS) as side:
        yield side


@pytest.fixture(scope="module")
def peer():
    with Side(PEER_PYTHON, PEER) as side:
        yield side


@pytest.mark.long
def test_our_side_saves_a_net_by_torchs_names_and_trains_it(ours, tmp_path):
    path = str(tmp_path / "cell.npz")
    ways = ours.ask(numbers=numbers("no_shift_fc1", 3), path=path)["ways"]
    speed = ours.ask(train=ways[0], seconds=0.001)
    saved = np.load(path)
    frames = measuring.videos(4)[0][0]  # (B, T, F)
    scores = np.exp(frames @ saved["score.weight"].T + saved["score.bias"])  # (B, T, N)
    units = np.einsum("btn,btf->bnf", scores / scores.sum(axis=1, keepdims=True), frames)  # (B, N, F)
    logits = units.reshape(4, -1) @ saved["classifier.weight"].T + saved["classifier.bias"]  # (B, C)
    np.testing.assert_allclose(saved["logits"], logits, atol=1e-5 * np.abs(logits).max())
    assert speed["videos_per_second"] > 0
    assert 0 < speed["share"] < 3  # MXNet has threads of its own beside the one that computes


@needs_torch
@pytest.mark.long
def test_the_table_has_a_row_a_cell():
    command = "benchmarks.flash_mnist_head --clusters 1 --rounds 1 --seconds 0.001"
    done = subprocess.run([sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = re.findall(r"^\| (\d) \| `(\w+)` \| [\d,]+ \| [\d,]+ \| (?:fused )?Adam \| [\d.]+ \[", done.stdout, re.M)
    assert found == [("1", column) for column in flash_mnist_head.COLUMNS]


@needs_torch
@pytest.mark.long
@pytest.mark.parametrize("column", flash_mnist_head.COLUMNS)
def test_both_sides_are_the_same_net_and_another_is_refused(column, ours, peer, tmp_path):
    path = str(tmp_path / "cell.npz")
    ours.ask(numbers=numbers(column, 3), path=path)
    check(peer.ask(numbers=numbers(column, 3), path=path)["difference"], column)
    saved = dict(np.load(path))
    saved["score.weight"][0] *= 1.01
    np.savez(path, **saved)
    with pytest.raises(UserError, match=f"{column}: the logits of both sides differ"):
        check(peer.ask(numbers=numbers(column, 3), path=path)["difference"], column)


def test_logits_may_differ_by_rounding_alone():
    check(9e-6, "cell")
    for difference in (1.1e-5, float("inf"), float("nan")):
        with pytest.raises(UserError, match="cell: the logits"):
            check(difference, "cell")


def test_a_row_holds_ours_against_the_fastest_pair_by_pair():
    ours = {"MXNet": [100.0, 300.0, 200.0], "without Adam": [200.0, 400.0, 400.0]}
    peer = {"Adam": [100.0, 100.0, 100.0], "fused Adam": [50.0, 200.0, 400.0], "without Adam": [100.0, 250.0, 500.0]}
    row = flash_mnist_head._row(8, "column", ours, peer)
    assert row == "| 8 | `column` | 200 | 200 | fused Adam | 1.50 [0.50, 2.00] | 50%, PyTorch's 20% |"


def test_what_is_missing_is_said_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(flash_mnist_head, "PEER_PYTHON", tmp_path / "python")
    assert flash_mnist_head.main([]) == 1
    assert capsys.readouterr().err == (
        "error: PyTorch is missing; `make .venv-peers/.complete` installs it in .venv-peers\n"
    )


@pytest.mark.long
def test_a_process_that_ends_says_why():
    with Side(Path(sys.executable), "nothing") as side, pytest.raises(UserError, match=r"nothing\.py: .*No module"):
        side.ask(train="MXNet", seconds=1)


@pytest.mark.parametrize("wrong", ["--clusters=1,0", "--clusters=", "--rounds=x", "--seconds=0", "--seconds=nan"])
def test_numbers_that_make_no_sense_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        flash_mnist_head.main([wrong])
    assert f"argument {wrong.partition('=')[0]}: invalid" in capsys.readouterr().err
