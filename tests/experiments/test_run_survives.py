"""Real training runs whose store, process or both are pulled away."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from experiments import ROOT, sync
from experiments.journal import Journal, journals
from experiments.runstore import open_store
from experiments.store_keeper import SECANTUSD, StoreFolder

pytestmark = pytest.mark.skipif(not SECANTUSD.exists(), reason="no embedded run store here; `make setup` installs it")

STEPS = ["smoke", "epochs=20", "batch_size=4", "log_interval=1"]  # 8 steps an epoch


def start(folder, *words, mongo=None, **environment):
    runtime = [f"runtime.runs_dir={folder}/runs", f"runtime.data_root={folder}/data"]
    runtime += [f"runtime.mongo={mongo}"] if mongo else []
    return subprocess.Popen(
        [sys.executable, "experiments/run.py", "with", *words, *runtime],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def finish(process):
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return said


def wait_for_steps(folder, machine, run_id, steps):
    machine.wait_until(lambda: len(Journal(folder / "runs" / str(run_id)).metrics()[0]) >= steps, seconds=60)


def wait_for_more(process, own, machine):
    """Until the run has logged something since now, or has ended."""
    done = len(own.metrics()[0])
    machine.wait_until(lambda: len(own.metrics()[0]) > done or process.poll() is not None, seconds=60)


def assert_complete(database, folder, run_id=1, status="COMPLETED"):
    """The store has all that the run's folder has."""
    own = Journal(folder / "runs" / str(run_id))
    record = database["runs"].find_one({"_id": run_id})
    assert (record["status"], own.read("state")["status"]) == (status, status)
    assert record["captured_out"] == own.output()
    values: dict[str, list] = {}
    for entry in own.metrics()[0]:
        values.setdefault(entry["name"], []).append(entry["value"])
    assert len(values["train.loss"]) == 160 or status != "COMPLETED"
    stored = {metric["name"]: metric for metric in database["metrics"].find({"run_id": run_id})}
    assert {name: metric["values"] for name, metric in stored.items()} == values
    assert {metric["name"] for metric in record["info"]["metrics"]} == set(values)
    assert len(record["experiment"]["sources"]) > 50


def test_a_store_that_is_away_for_a_while(tmp_path, server, machine):
    """It is missed once, has the run again while that goes on, and in the end all of it."""

    def stored():
        return len((metrics.find_one({"run_id": 1, "name": "train.loss"}) or {"values": []})["values"])

    own, metrics = Journal(tmp_path / "runs" / "1"), server.database()["metrics"]
    process = start(tmp_path, *STEPS, "epochs=100000", mongo=server.address)  # stopped below
    said = ThreadPoolExecutor(1).submit(process.communicate)  # read all the time: a full pipe would hold the run up
    try:
        wait_for_steps(tmp_path, machine, 1, 5)
        machine.wait_until(lambda: stored() > 0)
        server.kill()
        machine.wait_until(lambda: "the run goes on" in own.output(), seconds=60)
        server.start()
        before = len(own.curves()["train.loss"])
        machine.wait_until(lambda: stored() > before, seconds=60)
        process.send_signal(signal.SIGINT)
        said.result(timeout=60)
    finally:
        process.kill()  # of itself it would not end, had anything gone wrong
    assert process.returncode == 130
    assert "Traceback" not in said.result()[0]
    assert said.result()[0].count("the run goes on") == own.output().count("the run goes on") == 1
    assert_complete(server.database(), tmp_path, status="INTERRUPTED")


def test_a_store_lost_for_good_and_sync(tmp_path, server, machine):
    process = start(tmp_path, *STEPS, mongo=server.address)
    wait_for_steps(tmp_path, machine, 1, 5)
    server.kill()
    said = finish(process)
    assert said.count("the run goes on") == 1
    assert f"not yet in {server.address}" in said
    server.start()
    words = [sys.executable, "-m", "experiments", "sync", "--runs-dir", str(tmp_path / "runs")]
    first, second = (subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2))
    assert "run 1: COMPLETED, brought to" in first.stdout
    assert "every run is where it belongs" in second.stdout
    assert_complete(server.database(), tmp_path)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.long)])
def test_kills_leave_no_trace_in_the_parameters(tmp_path, machine, kills):
    """Killed at random steps and resumed, a run ends bit for bit where an undisturbed one does: one run, not many."""
    finish(start(tmp_path, *STEPS))
    finish_of_one = (tmp_path / "runs" / "1" / "checkpoints" / "last" / "net.params").read_bytes()
    chance = random.Random(5)
    words = [*STEPS, "runtime.save_seconds=0"]  # a checkpoint at every step
    for _ in range(kills):
        process = start(tmp_path, *words)
        machine.wait_until((tmp_path / "runs" / "2" / "config.json").exists, seconds=60)
        wait_for_more(process, Journal(tmp_path / "runs" / "2"), machine)
        time.sleep(chance.random())
        process.kill()
        process.communicate()
        words = ["resume=2", "runtime.save_seconds=0"]
    if Journal(tmp_path / "runs" / "2").read("state")["status"] != "COMPLETED":
        finish(start(tmp_path, "resume=2"))
    assert (tmp_path / "runs" / "2" / "checkpoints" / "last" / "net.params").read_bytes() == finish_of_one
    losses = [
        [(e["step"], e["value"]) for e in own.metrics()[0] if e["name"] == "train.loss"]
        for own in journals(tmp_path / "runs")
    ]
    assert len(losses) == 2
    assert losses[0] == losses[1]
    with open_store(None, tmp_path / "runs") as store, store.client() as client:
        assert {run["_id"] for run in client[store.database]["runs"].find()} == {1, 2}
        assert_complete(client[store.database], tmp_path, 2)


@pytest.mark.long
def test_the_store_the_run_and_both_are_killed(tmp_path, machine):
    """Of what the store acknowledged nothing is missing, whoever was killed."""

    def kill_store():
        address = StoreFolder(tmp_path / "runs" / "store").read_address()
        for name in ("keeper_pid", "pid"):
            os.kill(address[name], 9)

    first = start(tmp_path, *STEPS)
    wait_for_steps(tmp_path, machine, 1, 10)
    kill_store()
    finish(first)
    second = start(tmp_path, *STEPS)
    wait_for_steps(tmp_path, machine, 2, 10)
    second.kill()
    second.communicate()
    third = start(tmp_path, *STEPS)
    wait_for_steps(tmp_path, machine, 3, 10)
    kill_store()
    third.kill()
    third.communicate()
    for run_id in (2, 3):
        finish(start(tmp_path, f"resume={run_id}"))
    with open_store(None, tmp_path / "runs") as store, store.client() as client:
        sync.bring_over(tmp_path / "runs", "the embedded store", client[store.database])
        for run_id in (1, 2, 3):
            assert_complete(client[store.database], tmp_path, run_id)


@pytest.mark.parametrize("where", ["embedded", pytest.param("server", marks=pytest.mark.long)])
def test_eight_at_once(tmp_path, server, where):
    mongo = server.address if where == "server" else None
    finish(start(tmp_path, "smoke", mongo=mongo))  # the stand-in for the data is there
    words = ["smoke", "cluster_nums=4"]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda seed: finish(start(tmp_path, *words, f"seed={seed}", mongo=mongo)), range(8)))
    ids = {int(re.search(r"run +(\d+), recorded in", text)[1]) for text in said}
    assert ids == set(range(2, 10))
    assert not [text for text in said if "the run goes on" in text]
    with open_store(mongo, tmp_path / "runs") as store, store.client() as client:
        runs = list(client[store.database]["runs"].find())
        curves = client[store.database]["metrics"].count_documents({})
    assert {run["_id"]: run["status"] for run in runs} == dict.fromkeys(range(1, 10), "COMPLETED")
    assert {run["config"]["seed"] for run in runs} == set(range(8))
    assert curves == 9 * 6


def _nothing():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1], lambda: None


def _silence():
    listener = socket.create_server(("127.0.0.1", 0))
    return listener.getsockname()[1], listener.close


def _http():
    web = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    return web.server_port, web.shutdown


@pytest.mark.parametrize("stranger", [_nothing, _silence, _http])
def test_who_is_no_store_does_not_stop_a_run(tmp_path, stranger):
    port, close = stranger()
    try:
        said = finish(start(tmp_path, "smoke", mongo=f"mongodb://127.0.0.1:{port}/sacred"))
    finally:
        close()
    assert said.count("the run goes on") == 1
    assert Journal(tmp_path / "runs" / "1").read("state")["status"] == "COMPLETED"
    assert "Hit@1" in Journal(tmp_path / "runs" / "1").output()


@pytest.mark.long
def test_two_machines_that_took_one_number(tmp_path, server):
    """Each numbered its run while the store was away: the later one gets a new number when it is brought over."""
    server.kill()
    for machine in ("a", "b"):
        finish(start(tmp_path / machine, "smoke", mongo=server.address))
    server.start()
    for machine in ("a", "b"):
        lines = sync.everything(tmp_path / machine / "runs")
    assert lines[0] == "run 1 is now run 2: the store had another 1 already"
    assert (tmp_path / "b" / "runs" / "2" / "run.json").exists()
    assert {run["_id"] for run in server.database()["runs"].find()} == {1, 2}


def test_a_password_stays_out_of_the_record(tmp_path, server):
    secret = "".join(reversed("terc3s"))  # not in this file, which is part of the uncommitted changes while it is new
    said = finish(
        start(tmp_path, "smoke", SACRED_MONGO_URL=server.address, SACRED_MONGO_USER="me", SACRED_MONGO_PASSWORD=secret)
    )
    assert secret not in said
    for path in (tmp_path / "runs").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    assert secret not in json.dumps(list(server.database()["runs"].find()), default=str)


def test_the_store_may_be_named_as_sacred_does(tmp_path, server):
    """``-m``, which crashes on a URI in Sacred, and would record every run twice."""
    words = [
        "-m",
        server.address,
        "with",
        "smoke",
        f"runtime.runs_dir={tmp_path}/runs",
        f"runtime.data_root={tmp_path}",
    ]
    subprocess.run([sys.executable, "experiments/run.py", *words], cwd=ROOT, check=True, capture_output=True)
    assert [run["_id"] for run in server.database()["runs"].find()] == [1]


def test_a_run_again_gives_the_same_losses(tmp_path):
    finish(start(tmp_path, "smoke", "epochs=3"))
    words = [sys.executable, "-m", "experiments", "rerun", "1", "--runs-dir", f"{tmp_path}/runs"]
    same = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for what in ("code", "packages", "machine", "data", "results"):
        assert re.search(rf"{what}: +the same", same)
    own = Journal(tmp_path / "runs" / "1")
    run, state = own.read("run"), own.read("state")
    run["packages"]["numpy"], run["sources"][0][1] = "0.1", "0"
    state["info"]["data"]["train"]["fingerprint"] = "0"
    own.write("run", run)
    own.write("state", state)
    own.metric("train.loss", 1.0, 2)
    other = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.search(rf"code: +{run['sources'][0][0]}: changed", other)
    assert re.search(r"packages: +numpy: 0.1, today 1", other)
    assert re.search(r"data: +train, fingerprint: 0, today", other)
    assert re.search(r"results: +train.loss: 1 at step 2, today", other)
