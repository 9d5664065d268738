"""``python -m experiments.reproduction`` as it is typed: real processes, real runs on a few synthetic videos."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import journal
from experiments.store_keeper import SECANTUSD

ROOT = Path(__file__).parents[3]
CELLS = "flash_mnist_table/average/1,flash_mnist_table/shift_fc1/2"
needs_store = pytest.mark.skipif(not SECANTUSD.exists(), reason="no embedded run store here; `make setup` installs it")


def start(runs_dir, data_root, *words, cells=CELLS):
    command = [sys.executable, "-m", "experiments.reproduction", "--cells", cells, "--runs-dir", str(runs_dir)]
    return subprocess.Popen(
        [*command, "--data-root", str(data_root), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*args, **kwargs):
    process = start(*args, **kwargs)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def statuses(runs_dir):
    return sorted(own.read("state")["status"] for own in journal.journals(runs_dir))


def parameters(runs_dir):
    """By configuration, the bytes of what was trained."""
    found = {}
    for own in journal.journals(runs_dir):
        config = own.read("config")
        key = json.dumps([config["attention"], config["shifting"], config["cluster_nums"]])
        found[key] = (own.folder / "checkpoints" / "last" / "net.params").read_bytes()
    return found


@needs_store
def test_what_is_missing_is_run_and_nothing_twice(runs_dir, data_root):
    cells = f"{CELLS},attention_cluster_youtube8m"
    code, out, err = run(runs_dir, data_root, "--epochs", "1", cells=cells)
    assert (code, err) == (0, "")
    assert "no data: attention_cluster_youtube8m: dataset youtube8m: not in " in out
    assert "make youtube8m" in out
    assert out.count("started:") == out.count("done: ") == 2
    assert "2 of 3 done, 0 running, 0 left, 1 without data" in out
    assert statuses(runs_dir) == ["COMPLETED", "COMPLETED"]
    page = (runs_dir / "RESULTS-epochs-1.md").read_text()
    assert "no reproduction" in page
    assert "2 of 40 cells run" in page
    assert (runs_dir / "report-epochs-1.html").is_file()

    code, out, err = run(runs_dir, data_root, "--epochs", "1", cells=cells)
    assert (code, err, out.count("started:")) == (0, "", 0)
    assert len(statuses(runs_dir)) == 2


@needs_store
@pytest.mark.long
def test_a_run_that_fails_is_said_and_the_others_go_on(runs_dir, data_root):
    code, out, err = run(
        runs_dir, data_root, "--epochs", "1", "--devices", "gpu:0", cells="flash_mnist_table/average/[12]"
    )
    assert code == 1
    assert out.count("started:") == 2
    for row in (1, 2):
        assert (
            f"failed: flash_mnist_table/average/{row}: Mistake: runtime.devices=gpu:0: MXNet sees 0 GPUs here\n" in err
        )
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cells", "flash_mnist_tabel"], "error: CELLS: flash_mnist_tabel names no cell; one is called "),
        (["--quick", "--epochs", "3"], "error: QUICK=1 has its own number of epochs"),
        (["--epochs", "0"], "argument --epochs: "),
        (["--runs-dir", "/proc/runs"], "error: runs: /proc/runs cannot be written to: "),
    ],
)
def test_mistakes_are_one_line(runs_dir, data_root, words, message):
    code, out, err = run(runs_dir, data_root, *words)
    assert code != 0
    assert message in err
    assert "Traceback" not in out + err


def test_two_at_once_are_refused(runs_dir, data_root):
    import fcntl

    runs_dir.mkdir()
    with (runs_dir / "reproduce.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, _, err = run(runs_dir, data_root)
    assert (code, err) == (
        1,
        f"error: {runs_dir}: make reproduce-paper is at work there already; wait for it or stop it\n",
    )


@needs_store
@pytest.mark.long
def test_stopped_in_any_way_it_comes_out_as_if_undisturbed(runs_dir, data_root, tmp_path, machine):
    """Killed, interrupted and terminated in the middle; each time nothing is left running."""
    epochs = ["--epochs", "150"]

    def trained_epochs():
        found = [entry for own in journal.journals(runs_dir) for entry in own.metrics()[0]]
        return sum(entry["name"] == "train.videos_per_second" for entry in found)

    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        process = start(runs_dir, data_root, *epochs)
        before = trained_epochs() if runs_dir.exists() else 0
        machine.wait_until(lambda before=before: runs_dir.exists() and trained_epochs() > before + 10, 60)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == (130 if number == signal.SIGINT else -9), out + err
        machine.wait_until(lambda: not [pid for pid in machine.processes(runs_dir) if "run.py" in command_of(pid)])
    code, out, err = run(runs_dir, data_root, *epochs)
    assert (code, err) == (0, "")
    assert "goes on:" in out
    assert statuses(runs_dir) == ["COMPLETED", "COMPLETED"]

    assert run(tmp_path / "undisturbed", data_root, *epochs)[0] == 0
    assert parameters(runs_dir) == parameters(tmp_path / "undisturbed")


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
