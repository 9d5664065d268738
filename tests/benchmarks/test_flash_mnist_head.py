"""The benchmark that holds our head of the Flash-MNIST table against PyTorch's."""

import re
import subprocess
import sys

import pytest

from benchmarks import flash_mnist_head, sides
from benchmarks.peers.measuring import WITHOUT
from experiments import ROOT


@pytest.mark.long
def test_the_table_has_a_row_a_cell(peers, tmp_path):
    command = f"benchmarks.flash_mnist_head --clusters 1 --rounds 1 --seconds 0.001 --out {tmp_path}"
    done = subprocess.run([sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = re.findall(r"^\| (\d) \| `(\w+)` \| [\d,]+ \| [\d,]+ \| (?:fused|default) \| [\d.]+ \[", done.stdout, re.M)
    assert found == [("1", column) for column in flash_mnist_head.COLUMNS]
    assert (tmp_path / "flash_mnist_head.md").read_text() == done.stdout


def test_a_row_holds_ours_against_the_fastest_pair_by_pair():
    ours = {"gluon": [100.0, 300.0, 200.0], WITHOUT: [200.0, 400.0, 400.0]}
    peer = {"default": [100.0, 100.0, 100.0], "fused": [50.0, 200.0, 400.0], WITHOUT: [100.0, 250.0, 500.0]}
    row = flash_mnist_head.row(8, "column", ours, peer)
    assert row == ["8", "`column`", "200", "200", "fused", "1.50 [0.50, 2.00]", "50%, PyTorch's 20%"]


def test_what_is_missing_is_said_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sides, "PEER_PYTHON", tmp_path / "python")
    assert flash_mnist_head.main([]) == 1
    assert capsys.readouterr().err == (
        "error: PyTorch and Paddle are missing; `make .venv-peers/.complete` installs them in .venv-peers\n"
    )


@pytest.mark.parametrize("wrong", ["--clusters=1,0", "--clusters=", "--rounds=x", "--seconds=0", "--seconds=nan"])
def test_numbers_that_make_no_sense_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        flash_mnist_head.main([wrong])
    name, _, value = wrong.partition("=")
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {name}: " in said
    assert f"'{value.rpartition(',')[2]}'" in said
