"""``python -m experiments.reproduction --cluster``: real schedulers, workers and runs, which are killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from datasets import cluster
from datasets.errors import DataError
from experiments import ROOT, journal, runstore
from experiments.reproduction import runner
from experiments.reproduction.__main__ import _alone
from experiments.store_keeper import SECANTUSD

CELLS = "flash_mnist_table/shift_fc1/[124]"
needs_store = pytest.mark.skipif(not SECANTUSD.exists(), reason="no embedded run store here; `make setup` installs it")


def start(runs_dir, data_root, *words):
    command = [sys.executable, "-m", "experiments.reproduction", "--runs-dir", str(runs_dir)]
    return subprocess.Popen(
        [*command, "--data-root", str(data_root), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*args):
    process = start(*args)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def cells_at_work(machine, runs_dir):
    """The processes of runs, each with the process that started it."""
    found = {}
    for pid in machine.processes(runs_dir):
        if "run.py" in Path(f"/proc/{pid}/cmdline").read_text():
            found[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def epochs_of(own):
    return sum(entry["name"] == "train.videos_per_second" for entry in own.metrics()[0])


def parameters(runs_dir):
    """By configuration, the bytes of what was trained."""
    found = {}
    for own in journal.journals(runs_dir):
        config = own.read("config")
        key = json.dumps([config["attention"], config["shifting"], config["cluster_nums"]])
        found[key] = (own.folder / "checkpoints" / "last" / "net.params").read_bytes()
    return found


def test_a_cell_is_run_by_a_worker_and_recorded_where_it_is_told(runs_dir, data_root, dask_cluster, server):
    dask_cluster.start_workers(1)
    words = ["--cluster", dask_cluster.address, "--cells", "flash_mnist_table/average/1", "--epochs", "1"]
    code, out, err = run(runs_dir, data_root, *words, "--mongo", server.address)
    assert (code, err) == (0, "")
    assert "done:    flash_mnist_table/average/1: Hit@1 " in out
    assert [own.read("run")["store"] for own in journal.journals(runs_dir)] == [server.address]
    assert [record["status"] for record in server.database().runs.find()] == [journal.COMPLETED]
    assert (runs_dir / "RESULTS-epochs-1.md").is_file()


def test_workers_whose_runs_would_not_count_are_refused(runs_dir, data_root, dask_cluster, monkeypatch, tmp_path):
    dask_cluster.start_workers(1)
    monkeypatch.setenv("SACRED_MONGO_URL", "mongodb://me:secret@127.0.0.1:1/sacred")
    code, _, err = run(runs_dir, data_root, "--cluster", dask_cluster.address)
    assert code == 1
    assert err.startswith(f"error: --cluster {dask_cluster.address}: the worker tcp://127.0.0.1:")
    assert err.endswith(
        " records runs in the embedded store, and this command in mongodb://127.0.0.1:1/sacred;"
        " name one MongoDB to all by --mongo\n"
    )
    code, _, err = run(runs_dir, data_root, "--cluster", dask_cluster.address, "--mongo", "mongodb://me:secret@h/d")
    assert (code, err.count("\n"), "may not hold user and password" in err) == (1, 1, True)

    ours = "mongodb://127.0.0.1:1/sacred"
    address = [ours, ours, socket.gethostname(), runner._code()]
    with cluster.connected(dask_cluster.address) as workers:
        with pytest.raises(DataError, match=f"does not see the folder {tmp_path}/none; --runs-dir must be one that"):
            workers.check(runner._unfit, tmp_path / "none", *address)
        (tmp_path / runner.LOCK).touch()  # of another machine's folder under the same path: nobody holds it
        with pytest.raises(
            DataError, match=f"does not see locks of others in {tmp_path}; --runs-dir must be on a disk"
        ):
            workers.check(runner._unfit, tmp_path, *address)
        with _alone(tmp_path):
            workers.check(runner._unfit, tmp_path, *address)
            address = [None, runstore.EMBEDDED, "another", runner._code()]
            with pytest.raises(DataError, match="is not on another, and the embedded store serves one machine: name"):
                workers.check(runner._unfit, tmp_path, *address)

    for package in ("datasets", "evaluation", "experiments", "gluon_models"):
        shutil.copytree(ROOT / package, tmp_path / "other" / package)
    with (tmp_path / "other" / "datasets" / "loader.py").open("a") as file:
        file.write("# changed")
    dask_cluster.start_workers(1, tmp_path / "other")
    dask_cluster.workers[0].kill()
    dask_cluster.workers[0].wait()
    monkeypatch.delenv("SACRED_MONGO_URL")
    code, _, err = run(runs_dir, data_root, "--cluster", dask_cluster.address)
    assert f" has another version of this project, in {tmp_path}/other; bring both to the same" in err
    assert (code, err.count("\n")) == (1, 1)


@needs_store
@pytest.mark.long
def test_workers_and_clients_are_lost_and_it_comes_out_as_if_undisturbed(
    runs_dir, data_root, dask_cluster, machine, tmp_path
):
    dask_cluster.start_workers(3)
    words = ["--cells", CELLS, "--epochs", "120"]
    cluster = ["--cluster", dask_cluster.address]
    for number in (signal.SIGINT, signal.SIGKILL):
        before = sum(epochs_of(own) for own in journal.journals(runs_dir))
        process = start(runs_dir, data_root, *words, *cluster)
        machine.wait_until(
            lambda before=before: sum(epochs_of(own) for own in journal.journals(runs_dir)) > before + 15, 90
        )
        assert set(cells_at_work(machine, runs_dir).values()) == {worker.pid for worker in dask_cluster.workers}
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == (130 if number == signal.SIGINT else -9), out + err
        if number == signal.SIGINT:  # it has waited for them
            assert not cells_at_work(machine, runs_dir)
        machine.wait_until(lambda: not cells_at_work(machine, runs_dir))
        assert {own.read("state")["status"] for own in journal.journals(runs_dir)} == {journal.INTERRUPTED}

    process = start(runs_dir, data_root, *words, *cluster)
    machine.wait_until(lambda: len(cells_at_work(machine, runs_dir)) == 3, 60)
    runs = {own.run_id: epochs_of(own) for own in journal.journals(runs_dir)}
    machine.wait_until(lambda: all(epochs_of(own) > runs[own.run_id] + 2 for own in journal.journals(runs_dir)), 90)
    child, worker = next(iter(cells_at_work(machine, runs_dir).items()))
    os.kill(worker, signal.SIGKILL)
    machine.wait_until(lambda: child not in cells_at_work(machine, runs_dir))
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    assert out.count("goes on:") == out.count("done: ") == 3
    assert "workers: 2 on 1 machine" in out

    own = list(journal.journals(runs_dir))
    assert [each.read("state")["status"] for each in own] == [journal.COMPLETED] * 3
    assert sorted(len(each.read("state")["parts"]) for each in own) == [3, 3, 4]
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        assert [run["status"] for run in client[store.database].runs.find()] == [journal.COMPLETED] * 3
    assert run(tmp_path / "alone", data_root, *words, "--jobs", "2")[0] == 0
    assert parameters(runs_dir) == parameters(tmp_path / "alone")
