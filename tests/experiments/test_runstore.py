import http.server
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect

from experiments import ROOT, runstore
from experiments.errors import UserError
from experiments.runstore import Store, StoreError, named_store, open_store, parse_uri
from experiments.store_keeper import SECANTUSD, StoreFolder

needs_secantus = pytest.mark.skipif(not SECANTUSD.exists(), reason="no .venv-store: run `make setup`")

A_USER = """
import sys, time
from pathlib import Path
from experiments.runstore import open_store
with open_store(None, Path(sys.argv[1]), float(sys.argv[2])) as store, store.client() as client:
    client[store.database].runs.insert_one({"_id": int(sys.argv[3])})
    print(client.admin.command("serverStatus")["pid"], flush=True)
    time.sleep(float(sys.argv[4]))
"""


def pids(runs_dir: Path) -> tuple[int, int]:
    """The server's process and the keeper's."""
    address = StoreFolder(runs_dir / "store").read_address()
    assert address is not None
    return address["pid"], address["keeper_pid"]


def ids(store: Store) -> list[int]:
    with store.client() as client:
        return sorted(run["_id"] for run in client[store.database].runs.find())


def add(store: Store, run_id: int) -> None:
    with store.client() as client:
        client[store.database].runs.insert_one({"_id": run_id})


def start_user(runs_dir: Path, run_id: int = 1, stay: float = 60.0, idle: float = 1.0) -> subprocess.Popen:
    command = [sys.executable, "-c", A_USER, str(runs_dir), str(idle), str(run_id), str(stay)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@needs_secantus
def test_the_embedded_store_is_started_shared_and_stopped_when_idle(runs_dir, machine):
    with open_store(None, runs_dir, idle_seconds=0.5) as store, open_store(None, runs_dir) as same:
        assert same == store
        assert store.database == "sacred"
        add(store, 1)
        assert len(machine.processes(runs_dir)) == 2
        time.sleep(1.0)
        assert ids(store) == [1]  # not idle: we hold it
    machine.wait_until(lambda: not machine.processes(runs_dir))
    assert StoreFolder(runs_dir / "store").read_address() is None
    with open_store(None, runs_dir, idle_seconds=0.5) as store:
        assert ids(store) == [1]


@needs_secantus
def test_the_store_is_private_to_its_user_and_its_machine(runs_dir, machine):
    with open_store(None, runs_dir, idle_seconds=0.0) as store:
        assert stat.S_IMODE((runs_dir / "store").stat().st_mode) == 0o700
        port = int(store.redacted.split(":")[2].split("/")[0])
        assert machine.listening_addresses(port) == {"0100007F"}  # 127.0.0.1 alone


@needs_secantus
def test_eight_processes_at_once_get_one_server(runs_dir):
    users = [start_user(runs_dir, run_id, stay=2.0) for run_id in range(8)]
    servers = {user.communicate(timeout=60)[0] for user in users}
    assert [user.returncode for user in users] == [0] * 8
    assert len(servers) == 1
    with open_store(None, runs_dir, idle_seconds=0.0) as store:
        assert ids(store) == list(range(8))


@needs_secantus
def test_two_folders_do_not_meet(runs_dir):
    with open_store(None, runs_dir / "a", 0.0) as a, open_store(None, runs_dir / "b", 0.0) as b:
        add(a, 1)
        assert a.uri != b.uri
        assert ids(b) == []


@needs_secantus
def test_a_killed_server_is_replaced_under_its_users(runs_dir, machine):
    with open_store(None, runs_dir, idle_seconds=0.0) as store, store.client() as client:
        add(store, 1)
        server, keeper = pids(runs_dir)
        os.kill(server, signal.SIGKILL)

        def answers() -> bool:
            try:
                return client[store.database].runs.count_documents({}) == 1
            except AutoReconnect:
                return False

        machine.wait_until(answers)
        # The new one answers a moment before the keeper has written where it is.
        machine.wait_until(lambda: StoreFolder(runs_dir / "store").read_address() is not None)
        assert pids(runs_dir)[0] != server
        assert pids(runs_dir)[1] == keeper


@needs_secantus
@pytest.mark.parametrize("killed", [[1], [1, 0], [0, 1]], ids=["keeper", "keeper_and_server", "server_and_keeper"])
def test_a_killed_keeper_leaves_no_server_and_is_replaced_with_all_data(runs_dir, killed, machine):
    with open_store(None, runs_dir, idle_seconds=0.0) as store:
        for run_id in range(20):
            add(store, run_id)
        old = pids(runs_dir)
        for which in killed:
            with suppress(ProcessLookupError):  # the server may have followed its keeper already
                os.kill(old[which], signal.SIGKILL)
        with open_store(None, runs_dir, idle_seconds=0.0) as again:
            assert ids(again) == list(range(20))
            assert not set(old) & set(pids(runs_dir))
            assert len(machine.processes(runs_dir)) == 2


@needs_secantus
def test_a_killed_user_does_not_keep_the_store_open(runs_dir, machine):
    user = start_user(runs_dir, idle=0.2)
    assert user.stdout.readline()
    assert len(machine.processes(runs_dir)) == 3
    user.kill()
    user.communicate()
    machine.wait_until(lambda: not machine.processes(runs_dir))


@needs_secantus
def test_who_comes_while_the_store_stops_gets_the_next_one(runs_dir):
    for run_id, pause in enumerate([0.0, 0.1, 1.0, 0.0]):  # from in use to well into the stop
        with open_store(None, runs_dir, idle_seconds=0.0) as store:
            assert ids(store) == list(range(run_id))
            add(store, run_id)
        time.sleep(pause)


@needs_secantus
def test_another_server_at_a_killed_ones_port_is_not_mistaken_for_it(runs_dir):
    mine, other = StoreFolder(runs_dir / "mine" / "store"), StoreFolder(runs_dir / "other" / "store")
    with open_store(None, runs_dir / "other", 0.0) as others:
        add(others, 1)
        address = other.read_address()
        mine.path.mkdir(parents=True)
        mine.write_address(address["port"], pid=os.getpid())
        assert runstore._running_store(mine) is None
        with open_store(None, runs_dir / "mine", 0.0) as store:
            assert ids(store) == []


@needs_secantus
def test_a_store_that_cannot_start_says_where_to_look(runs_dir):
    (runs_dir / "store").mkdir(parents=True)
    (runs_dir / "store" / "data").write_text("not a folder")
    with pytest.raises(StoreError, match=r"does not start; see .*server\.log"), open_store(None, runs_dir):
        pass


def test_without_secantus_the_way_out_is_named(runs_dir, monkeypatch):
    monkeypatch.setattr(runstore, "SECANTUSD", runs_dir / "bin" / "secantusd-py")
    with pytest.raises(UserError, match="`make setup`"), open_store(None, runs_dir):
        pass


def test_a_folder_that_cannot_be_made_is_named(runs_dir):
    runs_dir.write_text("")
    refused = pytest.raises(UserError, match="runs/store cannot be used: Not a directory")
    with refused, open_store(None, runs_dir):
        pass


@contextmanager
def http_server() -> Iterator[int]:
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_addresses_that_do_not_answer_are_told_within_seconds(tmp_path):
    def message(port: int) -> str:
        with pytest.raises(StoreError) as caught, open_store(f"127.0.0.1:{port}:runs", tmp_path):
            pass
        return str(caught.value)

    with socket.socket() as mute, socket.socket() as closed, http_server() as http_port:
        closed.bind(("127.0.0.1", 0))
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        ports = [closed.getsockname()[1], mute.getsockname()[1], http_port]
        start = time.monotonic()
        with ThreadPoolExecutor() as pool:
            refused, silent, http = pool.map(message, ports)
        assert time.monotonic() - start < 10
    assert refused.startswith(f"no MongoDB at mongodb://127.0.0.1:{ports[0]}/runs: ")
    assert "Connection refused" in refused
    assert silent.endswith("no answer within 3 seconds")
    assert http.endswith("does not speak MongoDB's protocol")
    assert all("\n" not in text and len(text) < 150 for text in (refused, silent, http))


@pytest.mark.parametrize(
    ("text", "uri", "database"),
    [
        ("mongodb://h", "mongodb://h/sacred", "sacred"),
        ("mongodb://h:27018/", "mongodb://h:27018/sacred", "sacred"),
        ("h:27018:runs", "mongodb://h:27018/runs", "runs"),
        ("mongodb://a:1,b:2/runs?replicaSet=r", "mongodb://a:1,b:2/runs?replicaSet=r", "runs"),
        ("mongodb://h?tls=true", "mongodb://h/sacred?tls=true", "sacred"),
        ("mongodb+srv://h/runs", "mongodb+srv://h/runs", "runs"),
    ],
)
def test_addresses(text, uri, database):
    store = parse_uri(text)
    assert (store.uri, store.database) == (uri, database)


@pytest.mark.parametrize("text", ["", "localhost", "http://h:1/x", "h:x:y", "mongodb://", "mongodb://u:secret@/x"])
def test_what_is_no_address_is_refused_and_not_repeated(text):
    with pytest.raises(UserError, match="mongodb://host:port/database") as caught:
        parse_uri(text)
    assert "secret" not in str(caught.value)


def test_the_driver_is_asked_about_the_rest(tmp_path):
    with pytest.raises(UserError, match="Port must be an integer"), open_store("mongodb://h:99999", tmp_path):
        pass


def test_a_password_comes_from_the_environment_and_is_not_shown(monkeypatch):
    monkeypatch.delenv("SACRED_MONGO_URL", raising=False)
    monkeypatch.setenv("SACRED_MONGO_USER", "ann@lab")
    monkeypatch.setenv("SACRED_MONGO_PASSWORD", "se/cr@t")
    store = named_store("mongodb://h/runs?authSource=admin")
    assert store.uri == "mongodb://ann%40lab:se%2Fcr%40t@h/runs?authSource=admin"
    assert store.redacted == "mongodb://h/runs"
    assert "cr" not in repr(store)

    monkeypatch.setenv("SACRED_MONGO_URL", "mongodb://bob:other@h2/runs")
    assert named_store(None).uri == "mongodb://bob:other@h2/runs"
    assert named_store(None).redacted == "mongodb://h2/runs"
    assert named_store("h:1:runs").redacted == "mongodb://h:1/runs"  # the argument wins


def test_a_password_in_the_configuration_is_refused():
    with pytest.raises(UserError, match="SACRED_MONGO_PASSWORD") as caught:
        named_store("mongodb://ann:secret@h/runs")
    assert "secret" not in str(caught.value)


def test_nothing_named_means_the_embedded_store(monkeypatch):
    monkeypatch.delenv("SACRED_MONGO_URL", raising=False)
    assert named_store(None) is None
    assert named_store("") is None
