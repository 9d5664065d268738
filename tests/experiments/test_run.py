"""The command line as a user types it: real processes, real store, real files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.store_keeper import SECANTUSD

ROOT = Path(__file__).parent.parent.parent
needs_store = pytest.mark.skipif(not SECANTUSD.exists(), reason="no embedded run store here; `make setup` installs it")


@pytest.fixture(scope="module")
def place(tmp_path_factory, machine):
    """Folders of data and runs that the tests of this module share; their store is waited for at the end."""
    folder = tmp_path_factory.mktemp("place")
    yield folder
    machine.wait_until(lambda: not machine.processes(folder))


def run(place, *words, check=True, **environment):
    runtime = [f"runtime.runs_dir={place}/runs", f"runtime.data_root={place}/data"]
    if "with" in words:
        words = (*words, *runtime)
    done = subprocess.run(
        [sys.executable, "experiments/run.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def smoke_losses(place, *words):
    """The parameters' bytes and the metrics after a smoke run that is not recorded."""
    before = set((place / "runs").glob("unrecorded-*"))
    run(place, "-u", "with", "smoke", *words)
    (folder,) = set((place / "runs").glob("unrecorded-*")) - before
    last = folder / "checkpoints" / "last"
    return (last / "net.params").read_bytes(), json.loads((last / "progress.json").read_text())


@needs_store
def test_train_then_evaluate(place):
    """The whole way: train, read the summary, evaluate by the run's id, find the record in the store."""
    names = place / "data" / "smoke_flash_mnist" / "vocabulary.csv"
    names.parent.mkdir(parents=True)
    names.write_text("Index,Name\n")
    trained = run(place, "with", "smoke=true", "seed=1")
    names.unlink()
    run_id = int(re.search(r"run +(\d+), recorded in \S+ and the embedded store", trained.stdout)[1])
    for title in ("Hit@1", "PERR", "GAP@20", "mAP", "checkpoint", "-m experiments.board"):
        assert title in trained.stdout
    measured = re.findall(r"(Hit@1|PERR|GAP@20|mAP) +([\d.]+) %", trained.stdout)
    words = re.search(r"evaluate +\S+ experiments/run.py (.*)", trained.stdout)[1].split()
    assert f"weights={run_id}" in words
    state = json.loads((place / "runs" / str(run_id) / "state.json").read_text())
    assert [name for name, _ in state["resources"]] == [str(names)]  # kept for predict
    evaluated = run(place, *words)
    assert re.findall(r"(Hit@1|PERR|GAP@20|mAP) +([\d.]+) %", evaluated.stdout) == measured

    from experiments.runstore import open_store

    with open_store(None, place / "runs") as store, store.client() as client:
        database = client[store.database]
        record = database.runs.find_one({"_id": run_id})
        metrics = {metric["name"]: metric for metric in database.metrics.find({"run_id": run_id})}
        sources = {name for name, _ in record["experiment"]["sources"]}
        assert database.runs.find_one({"_id": run_id + 1})["command"] == "evaluate"
    assert record["status"] == "COMPLETED"
    assert record["config"]["cluster_nums"] == 32
    assert record["config"]["seed"] == 1
    assert isinstance(record["result"], float)
    assert "arXiv 1711.09550" in record["info"]["entry"]
    assert "GAP@20" in record["captured_out"]
    assert "gluon_models/attention_cluster.py" in sources
    assert {"validate.hit_at_1", "validate.perr", "validate.gap", "validate.mean_ap"} <= set(metrics)
    assert record["host"]["hostname"]


def test_the_same_seed_gives_the_same_parameters_to_the_last_bit(place):
    first, again, other = (smoke_losses(place, seed) for seed in ("seed=3", "seed=3", "seed=4"))
    assert first == again
    assert first[0] != other[0]


@needs_store
def test_resume_ends_where_an_undisturbed_run_does(place):
    whole, _ = smoke_losses(place, "seed=5", "epochs=3")
    part = run(place, "with", "smoke", "seed=5", "epochs=1")
    run_id = int(re.search(r"run +(\d+), recorded", part.stdout)[1])
    run(place, "with", f"resume={run_id}", "epochs=3")
    assert (place / "runs" / str(run_id) / "checkpoints" / "last" / "net.params").read_bytes() == whole
    assert not (place / "runs" / str(run_id + 1)).exists()
    refused = run(place, "evaluate", "with", f"resume={run_id}", check=False)
    assert f"evaluate it by weights={run_id}" in refused.stderr

    from experiments.runstore import open_store

    with open_store(None, place / "runs") as store, store.client() as client:
        record = client[store.database].runs.find_one({"_id": run_id})
        curves = {metric["name"]: metric for metric in client[store.database].metrics.find({"run_id": run_id})}
    assert (record["status"], record["command"]) == ("COMPLETED", "train")
    assert {metric["name"] for metric in record["info"]["metrics"]} == set(curves)
    assert curves["validate.gap"]["steps"] == [2, 4, 6]  # 32 videos, 16 a step
    assert record["captured_out"].count("Hit@1") == 2  # of both parts


@pytest.mark.parametrize("experiment", ["attention_lstm_flash_mnist", "attention_cluster_youtube8m"])
def test_smoke(place, experiment):
    run(place, "-u", "with", "smoke", f"experiment={experiment}")


def test_an_entry_and_a_model_of_the_users_own(place, tmp_path):
    (tmp_path / "mine.yaml").write_text("include: attention_lstm_flash_mnist.yaml\ntraining: {learning_rate: 0.01}\n")
    run(place, "-u", "with", "smoke", f"experiment={tmp_path}/mine.yaml")
    from tests.experiments.test_configuration import MODEL

    (tmp_path / "netvlad.py").write_text(MODEL)
    run(place, "-u", "with", "smoke", "model=netvlad:NetVLAD", "clusters=8", PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["with", "clustre_nums=3"], "did you mean cluster_nums?"),
        (["-u", "with", "smoke", "optimizer_params.beta3=1"], "beta3"),
        (["with", "cluster_nums=many"], "cluster_nums='many'"),
        (["help", "evalute"], "no command named evalute; did you mean evaluate?"),
        (["with", "nosuch.json"], "nosuch.json: neither KEY=VALUE nor a file"),
        (["with", "experiment=attention"], "no experiment named attention"),
        (["-u", "with", "seed=1"], "run `python -m experiments prepare flash_mnist`"),
        (["-u", "with", "experiment=attention_cluster_youtube8m"], "dataset youtube8m: not in"),
        (["-u", "evaluate", "with", "smoke"], "weights=RUN_ID or weights=FILE"),
        (["-u", "evaluate", "with", "smoke", "weights=99"], "run 99: no folder"),
        (["-u", "with", "smoke", "runtime.devices=tpu"], "runtime.devices=tpu"),
        (["-u", "with", "smoke", "runtime.devices=gpu:0"], "MXNet sees 0 GPUs"),
        (["-u", "with", "smoke", "attention=fc3"], "fc3"),
        (["-u", "with", "smoke", "cluster_nums=0"], "cluster_nums has a size of 0"),
        (["-u", "with", "smoke", "runtime.devices=cpu:3-1"], "runtime.devices=cpu:3-1"),
        (["evaluate", "with", "smoke", "resume=1"], "resume"),
        (["-u", "with", "smoke", "optimizer=adamm"], "adamm"),
        (["-u", "with", "smoke", "loss=sigmoid_cross_entropy", "epochs=0"], "epochs=0"),
        (["with", "smoke", "runtime.mongo=http://127.0.0.1/sacred"], "not of the form mongodb://host:port/database"),
    ],
)
def test_a_users_mistake_is_one_line_and_no_traceback(place, words, message):
    done = run(place, *words, check=False)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_print_config_answers_at_once_without_mxnet(place):
    start = time.monotonic()
    done = run(place, "print_config", "with", "cluster_nums=16", PYTHONPROFILEIMPORTTIME="1")
    assert time.monotonic() - start < 10  # two seconds on a quiet machine; `make bench` measures
    assert "cluster_nums = 16" in done.stdout
    assert not re.search(r"\| +mxnet\b", done.stderr)
    assert re.search(r"\| +sacred\b", done.stderr)


@pytest.mark.parametrize("words", [["list"], ["show", "attention_lstm_youtube8m"]])
def test_the_registry_is_shown_without_mxnet(words):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "experiments", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "attention_lstm_youtube8m" in done.stdout
    assert not re.search(r"\| +mxnet\b", done.stderr)
    assert max(map(len, done.stdout.splitlines())) < 120


def test_unknown_names_on_the_command_line():
    for words in (["show", "nothing"], ["prepare", "youtube9m"]):
        done = subprocess.run([sys.executable, "-m", "experiments", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


@needs_store
def test_an_interrupted_run_says_how_to_go_on(place):
    words = ["with", "smoke", "epochs=1000", f"runtime.runs_dir={place}/runs", f"runtime.data_root={place}/data"]
    process = subprocess.Popen(
        [sys.executable, "experiments/run.py", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list((place / "runs").glob("*/checkpoints/epoch-0002-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    run_id = int(re.search(r"interrupted; go on .* with resume=(\d+)", errors)[1])
    done = json.loads((place / "runs" / str(run_id) / "checkpoints" / "last" / "progress.json").read_text())["epoch"]
    again = run(place, "with", f"resume={run_id}", f"epochs={done + 1}")
    assert f"epoch {done + 1}/{done + 1}" in again.stderr
