"""Work on a dask cluster of real processes; functions are given by value, for a worker has no tests to import."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets import cluster, shard_cluster
from datasets.errors import DataError

ROOT = Path(__file__).parents[2]
CLIENT = """
import pathlib, sys, time
from datasets import cluster

def wait(folder, seat):
    (folder / "started").touch()
    while not seat.stopped():
        time.sleep(0.1)
    (folder / "stopped").touch()

with cluster.connected(sys.argv[1]) as workers:
    workers.submit(wait, pathlib.Path(sys.argv[2])).result()
"""


def wait_for(path, seconds=30):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def test_what_can_be_wrong_is_a_line(dask_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    for address, reason in (
        ("tcp://127.0.0.1:1", r"no scheduler answers there \(Timed out .* after 1 s\); start one by `make scheduler`"),
        ("tls://127.0.0.1:1", r"no scheduler answers there \(TLS expects .*\); start one"),
        ("tcp://127.0.0.1:100000", "no scheduler answers there "),
        ("tcp://127.0.0.1:1:2", "not of the form tcp://HOST:8786"),
    ):
        with pytest.raises(DataError, match=f"^--cluster {address}: {reason}"), cluster.connected(address):
            pass
    with cluster.connected(dask_cluster.address) as workers:
        assert workers.slots() == {}
        with pytest.raises(DataError, match="it has no workers; start some"):
            workers.check(shard_cluster._unfit, tmp_path, [])
        dask_cluster.start_workers(1)
        assert workers.slots() == {"127.0.0.1": 1}
        workers.check(shard_cluster._unfit, tmp_path, [tmp_path])
        with pytest.raises(DataError, match=f"the worker tcp://.* does not see the folder {tmp_path}; --out must be"):
            workers.check(shard_cluster._unfit, tmp_path / ".train.partial" / "shared", [])
        with pytest.raises(DataError, match=f"the worker tcp://.* does not see {tmp_path}/none; all workers need"):
            workers.check(shard_cluster._unfit, tmp_path, [tmp_path, tmp_path / "none"])
        assert workers.submit(lambda seat: seat.host).result(20) == "127.0.0.1"
        dask_cluster.scheduler.kill()
        dask_cluster.scheduler.wait()
        time.sleep(1)
        with pytest.raises(DataError, match="its scheduler has gone; start it again"):
            workers.slots()


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGKILL])
def test_work_stops_when_the_one_who_wants_it_goes(dask_cluster, tmp_path, number):
    dask_cluster.start_workers(1)
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, dask_cluster.address, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    wait_for(tmp_path / "started")
    os.kill(client.pid, number)
    assert client.wait(30) in (-number, 130)
    if number == signal.SIGINT:  # it has waited for that
        assert (tmp_path / "stopped").exists()
    wait_for(tmp_path / "stopped")


@pytest.mark.long
def test_work_that_ends_its_worker_is_given_up_after_three(dask_cluster):
    dask_cluster.start_workers(4)
    with (
        pytest.raises(DataError, match="3 workers ended over the same piece of work, "),
        cluster.connected(dask_cluster.address) as workers,
    ):
        workers.submit(lambda seat: os.kill(os.getpid(), signal.SIGKILL)).result(60)
    assert sum(worker.poll() is None for worker in dask_cluster.workers) == 1


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
def test_work_of_a_worker_that_ends_is_done_by_another(dask_cluster, tmp_path, number):
    def work(seat):
        try:
            (tmp_path / "begun").touch(exist_ok=False)
        except FileExistsError:
            return "by the second"
        (tmp_path / "pid").write_text(str(os.getpid()))
        while not seat.stopped():
            time.sleep(0.1)
        return "by the first, half done"

    dask_cluster.start_workers(2)
    with cluster.connected(dask_cluster.address) as workers:
        result = workers.submit(work)
        wait_for(tmp_path / "pid")
        os.kill(int((tmp_path / "pid").read_text()), number)
        assert workers.reason(result) == "by the second"
