import socket
from pathlib import Path
from typing import Any

import gridfs
import pytest

from experiments import journal, run_removal, runstore
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.mirror import Mirror
from experiments.store_keeper import SECANTUSD

needs_secantus = pytest.mark.skipif(not SECANTUSD.exists(), reason="no .venv-store: run `make setup`")


@pytest.mark.parametrize("unknown", ["77", "files", "1/", "..", "", "../runs/1"])
def test_with_what_is_no_run_nothing_is_removed(make_run, tmp_path, unknown):
    make_run(tmp_path / "runs")
    (tmp_path / "runs" / "files").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=f"^run {unknown}: .*; `python -m experiments runs` lists them"):
        run_removal.delete(tmp_path / "runs", ["1", unknown], None)
    assert sorted(tmp_path.rglob("*")) == before


def facts_of(md5: str) -> dict[str, Any]:
    """What the state says of an artifact."""
    return {"md5": md5, "metadata": None, "content_type": None}


def stored(runs_dir: Path, *runs: Journal) -> None:
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        for own in runs:
            Mirror(own, client[store.database]).update()


def in_store(runs_dir: Path) -> tuple[list[int], list[int], list[str]]:
    """Runs, whose metrics, and GridFS's files."""
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        database = client[store.database]
        assert len(database["fs.chunks"].distinct("files_id")) == len(gridfs.GridFS(database).list())
        ids = sorted(run["_id"] for run in database["runs"].find())
        return (
            ids,
            sorted(curve["run_id"] for curve in database["metrics"].find()),
            sorted(gridfs.GridFS(database).list()),
        )


@needs_secantus
def test_delete_takes_a_run_out_of_store_and_folder_and_leaves_the_others(make_run, runs_dir, tmp_path):
    files = {name: tmp_path / name for name in ("shared.py", "own.py", "kept", "resource", "artifact")}
    for name, path in files.items():
        path.write_text(name)
    curves = {"train.loss": [1.0, 2.0]}
    kept = make_run(runs_dir, curves=curves, sources=[files["shared.py"]], resources=[files["kept"]])
    gone = make_run(
        runs_dir, curves=curves, sources=[files["shared.py"], files["own.py"]], resources=[files["resource"]]
    )
    died = make_run(runs_dir, status=journal.RUNNING, resources=[files["shared.py"]], name="by-hand")
    for own in (kept, gone):
        md5 = own.keep(files["artifact"], "artifact")
        own.write("state", {**own.read("state"), "artifacts": {"artifact": facts_of(md5)}})
    stored(runs_dir, kept, gone)
    artifacts = ["artifact://runs/1/artifact", "artifact://runs/2/artifact"]
    resources = [str(files["kept"]), str(files["resource"])]
    assert in_store(runs_dir) == ([1, 2], [1, 2], ["/b/own.py", "/b/shared.py", *resources, *artifacts])
    assert len(list((runs_dir / "files").iterdir())) == 4

    text = run_removal.delete(runs_dir, ["2", "by-hand", "2"], None)

    assert text.splitlines() == [
        f"run 2: removed from {runs_dir} and {runstore.EMBEDDED}",
        f"run by-hand: removed from {runs_dir} and {runstore.EMBEDDED}",
        "2 shared files removed that no other run names",
    ]
    assert in_store(runs_dir)[:2] == ([1], [1])
    assert {"/b/own.py", artifacts[1]}.isdisjoint(in_store(runs_dir)[2])
    assert {"/b/shared.py", artifacts[0], resources[0]} <= set(in_store(runs_dir)[2])
    assert sorted(path.name for path in runs_dir.iterdir()) == ["1", "files", "store"]
    assert sorted(path.read_text() for path in (runs_dir / "files").iterdir()) == ["kept", "shared.py"]
    assert not died.folder.exists()


@needs_secantus
def test_of_an_artifact_that_was_replaced_nothing_stays(make_run, runs_dir, tmp_path):
    own = make_run(runs_dir)
    for text in ("first", "second"):
        (tmp_path / "a").write_text(text)
        own.write("state", {**own.read("state"), "artifacts": {"a": facts_of(own.keep(tmp_path / "a", "a"))}})
        stored(runs_dir, own)
    run_removal.delete(runs_dir, ["1"], None)
    assert in_store(runs_dir) == ([], [], [])


@needs_secantus
def test_another_run_of_the_number_stays_in_the_store(make_run, runs_dir):
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        client[store.database]["runs"].insert_one({"_id": 1, "journal": "another's"})
    make_run(runs_dir)
    assert f"{runstore.EMBEDDED} has another 1" in run_removal.delete(runs_dir, ["1"], None)
    assert in_store(runs_dir)[0] == [1]
    assert not (runs_dir / "1").exists()


@needs_secantus
def test_shared_files_stay_while_a_run_lives_that_may_name_them(make_run, runs_dir, tmp_path):
    (tmp_path / "a.py").write_text("")
    make_run(runs_dir, sources=[tmp_path / "a.py"])
    beginning = Journal.create(runs_dir, None)  # it has no run.json yet
    assert "while run 2 lives" in run_removal.delete(runs_dir, ["1"], None)
    assert len(list((runs_dir / "files").iterdir())) == 1
    beginning.close()
    unreadable = make_run(runs_dir)
    (unreadable.folder / "state.json").write_text("{")
    make_run(runs_dir)
    assert "which of them run 3 needs cannot be read" in run_removal.delete(runs_dir, ["4"], None)
    assert len(list((runs_dir / "files").iterdir())) == 1
    run_removal.delete(runs_dir, ["3"], None)
    assert not list((runs_dir / "files").iterdir())


def test_a_run_that_lives_is_refused_and_nothing_removed(make_run, runs_dir):
    make_run(runs_dir)
    lives = make_run(runs_dir, status=journal.RUNNING, alive=True)
    with pytest.raises(UserError, match="run 2 is running"):
        run_removal.delete(runs_dir, ["1", "2"], None)
    assert len(list(journal.journals(runs_dir))) == 2
    first = Journal(runs_dir / "1")
    assert first.take()  # it was let go of again
    first.close()
    lives.close()


@needs_secantus
def test_where_a_store_does_not_answer_nothing_is_removed(make_run, runs_dir):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"mongodb://127.0.0.1:{closed.getsockname()[1]}/sacred"
        stored(runs_dir, make_run(runs_dir))
        make_run(runs_dir, store=address)
        for mongo in (None, address):
            with pytest.raises(UserError, match=f"no MongoDB at {address}: "):
                run_removal.delete(runs_dir, ["1", "2"], mongo)
    assert len(list(journal.journals(runs_dir))) == 2
    assert in_store(runs_dir)[0] == [1]


@needs_secantus
def test_the_store_that_a_run_names_is_asked(make_run, runs_dir, monkeypatch):
    """The embedded one though the environment names another; a named one by its address."""
    monkeypatch.setenv("SACRED_MONGO_URL", "mongodb://127.0.0.1:1/elsewhere")
    with runstore.open_store(None, runs_dir, ignore_environment=True) as store, store.client() as client:
        monkeypatch.setenv("SACRED_MONGO_URL", f"{store.uri.rpartition('/')[0]}/named?appName=x")
        address = runstore.named_store(None).redacted
        for own, database in ((make_run(runs_dir), "sacred"), (make_run(runs_dir, store=address), "named")):
            Mirror(own, client[database]).update()
        run_removal.delete(runs_dir, ["1", "2"], None)
        assert not list(client["sacred"]["runs"].find())
        assert not list(client["named"]["runs"].find())
