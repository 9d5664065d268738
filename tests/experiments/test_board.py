import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from sacred import Experiment
from sacred.observers import MongoObserver

from experiments import ROOT, board, board_columns
from experiments.errors import UserError
from experiments.runstore import open_store
from experiments.store_keeper import SECANTUSD

needs_secantus = pytest.mark.skipif(not SECANTUSD.exists(), reason="no .venv-store: run `make setup`")
needs_omniboard = pytest.mark.skipif(
    not (board.INSTALLED / "node_modules" / ".package-lock.json").exists() or shutil.which("node") is None,
    reason="no .omniboard: run `make board` once",
)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def record_a_run(runs_dir: Path) -> None:
    """One run with what the table shows."""
    experiment = Experiment("a_run", save_git_info=False)
    experiment.add_config(experiment="attention_cluster_flash_mnist", model="attention_cluster", epochs=2)

    @experiment.main
    def main(_run, epochs):
        for epoch in range(epochs):
            for name in board_columns.METRIC_COLUMNS.values():
                _run.log_scalar(name, 0.25 + epoch / 3, epoch)

    with open_store(None, runs_dir, idle_seconds=1.0) as store, store.client() as client:
        experiment.observers.append(MongoObserver(client=client, db_name=store.database))
        experiment.run()


def start_board(runs_dir: Path, port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "experiments.board", "--runs-dir", str(runs_dir), "--port", str(port)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def get(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as reply:
        return reply.read().decode()


@needs_secantus
@needs_omniboard
def test_the_board_shows_a_run_to_this_machine_alone_and_leaves_nothing_behind(runs_dir, port, machine):
    record_a_run(runs_dir)
    process = start_board(runs_dir, port)
    assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
    url = f"http://127.0.0.1:{port}"

    assert machine.listening_addresses(port) == {"0100007F"}  # 127.0.0.1
    selected = "_id,status,config.model,Hit@1,PERR,GAP"
    [run] = json.loads(get(f"{url}/sacred/api/v1/Runs?select={selected}"))
    assert (run["_id"], run["status"], run["config"]["model"]) == (1, "COMPLETED", "attention_cluster")
    assert [run[name] for name in ("Hit@1", "PERR", "GAP")] == [0.5833, 0.5833, 0.5833]  # the last epoch's, short
    above = urllib.parse.quote('{"GAP": {"$gt": 0.58332}}')  # filters know all digits
    assert len(json.loads(get(f"{url}/sacred/api/v1/Runs?select={selected}&query={above}"))) == 1
    assert "c_epochs" in get(url)  # the page that sets the table up offers the run's own keys
    assert "<title>Omniboard" in get(f"{url}/sacred", Origin=f"http://localhost:{port}")
    for foreign in ({"Origin": "http://example.org"}, {"Host": "example.org"}, {"Origin": "null"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get(f"{url}/sacred/api/v1/Runs", **foreign)

    taken = start_board(runs_dir, port)
    _, error = taken.communicate(timeout=20)
    assert error == f"error: port {port} of 127.0.0.1: Address already in use; choose another by --port\n"
    assert taken.returncode == 1

    process.send_signal(signal.SIGINT)  # Ctrl-C
    _, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (0, "")
    assert machine.listening_addresses(port) == set()


@needs_secantus
@needs_omniboard
def test_a_killed_board_leaves_nothing_behind(runs_dir, port, machine):
    process = start_board(runs_dir, port)
    assert process.stdout.readline()
    process.kill()
    process.communicate()
    machine.wait_until(lambda: not machine.listening_addresses(port))


@needs_secantus
def test_columns_are_set_up_once_and_then_the_users_own(runs_dir):
    with open_store(None, runs_dir, idle_seconds=0.0) as store, store.client() as client:
        columns = client[store.database]["omniboard.metric.columns"]
        board_columns.set_up(store)
        assert {column["name"] for column in columns.find()} == set(board_columns.METRIC_COLUMNS)
        columns.delete_one({"name": "GAP"})
        columns.update_one({"name": "PERR"}, {"$set": {"extrema": "max"}})
        board_columns.set_up(store)
        assert {(column["name"], column["extrema"]) for column in columns.find()} == {
            ("Hit@1", "last"),
            ("PERR", "max"),
        }


@needs_secantus
def test_the_table_shows_what_matters_and_offers_the_rest(runs_dir):
    record_a_run(runs_dir)
    with open_store(None, runs_dir, idle_seconds=0.0) as store:
        table = board_columns.states(store)["default|RunsTable|1"]
    shown = ["_id", "experiment_name", "Model", "Dataset", "status", "Hit@1", "PERR", "GAP"]
    assert table["columnOrder"][:8] == shown
    offered = {option["value"]: option["selected"] for option in table["dropdownOptions"]}
    assert [name for name, selected in offered.items() if selected] == table["columnOrder"]
    assert offered["c_epochs"] is False
    assert table["columnNameMap"]["c_epochs"] == "config.epochs"
    assert set(table["columnWidths"]) == set(offered)


def test_without_node_its_installation_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="install node and npm"):
        board.install(tmp_path / "omniboard")


@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm")
def test_without_the_network_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(UserError, match=r"is the network there\? See .*install\.log"):
        board.install(tmp_path / "omniboard")
    assert "ECONNREFUSED" in (tmp_path / "omniboard" / "install.log").read_text()


@pytest.mark.parametrize("parts", ["package.json", "package-lock.json"])
def test_the_versions_are_exact_and_name_no_registry(parts):
    text = (board.PARTS / parts).read_text()
    assert '"omniboard": "2.16.1"' in text
    assert '"resolved"' not in text


def test_a_port_that_is_none_is_refused():
    with pytest.raises(UserError, match="port 99999 of "):
        board.main(["--port", "99999"])
