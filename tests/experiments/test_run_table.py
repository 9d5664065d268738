import math
import socket
import time
from pathlib import Path

import gridfs
import pytest

from experiments import journal, run_table, runstore
from experiments.errors import UserError
from experiments.journal import Journal
from experiments.mirror import Mirror
from experiments.store_keeper import SECANTUSD

needs_secantus = pytest.mark.skipif(not SECANTUSD.exists(), reason="no .venv-store: run `make setup`")

CONFIG = {
    "experiment": "attention_cluster_flash_mnist",
    "model": "attention_cluster",
    "dataset": "flash_mnist",
    "learning_rate": 0.001,
    "optimizer_params": {"beta1": 0.9, "beta2": 0.999},
    "runtime": {"devices": "cpu"},
}


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def make(runs_dir: Path, config=(), curves=(), alive=False, name=None, sources=(), resources=(), **given) -> Journal:
    """A run as the run log writes it; `given` goes into run.json or state.json, whichever has such a key."""
    own = Journal.create(runs_dir, name)
    run = {
        "id": own.run_id,
        "uuid": f"uuid of {own.run_id}",
        "command": "train",
        "start_time": f"2020-03-0{min(9, len(journal.numbers(runs_dir)))}T10:00:00",
        "store": runstore.EMBEDDED,
        "experiment": {"name": "video_classification", "base_dir": "/b"},
        "host": {},
        "meta": {"options": {"UPDATE": []}},
        "git": {"commit": 8 * "abcde", "dirty": False},
        "packages": {"numpy": "1.23.5"},
        "sources": [[path.name, own.keep(path)] for path in sources],
    }
    state = {
        "status": journal.COMPLETED,
        "parts": ["2020-03-01 10:00:00"],
        "stop_time": "2020-03-01T11:00:00",
        "heartbeat": "2020-03-01T10:59:00",
        "wall_seconds": 3661.2,
        "info": {"data": {"train": {"fingerprint": "0123456789"}}},
        "resources": [[str(path), own.keep(path)] for path in resources],
        "artifacts": {},
    }
    own.write("run", {**run, **{key: value for key, value in given.items() if key in run}})
    own.write("config", {**CONFIG, **dict(config)})
    own.write("state", {**state, **{key: value for key, value in given.items() if key in state}})
    for metric, values in dict(curves).items():
        for step, value in enumerate(values, start=1):
            own.metric(metric, value, step, "2020-03-01T10:30:00")
    if not alive:
        own.close()
    return own


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def words(text: str, label: str) -> list[list[str]]:
    """The rows that begin so, without the label."""
    return [line[len(label) :].split() for line in text.splitlines() if line.startswith(label)]


def test_the_table_has_the_newest_run_last_and_metrics_in_percent(tmp_path):
    curves = {"validate.hit_at_1": [0.5, 0.8274], "validate.perr": [1.0], "validate.gap": [math.nan]}
    make(tmp_path, curves=curves, start_time="2020-03-02T10:00:00")
    make(tmp_path, start_time="2020-03-01T23:59:59", status=journal.FAILED)
    make(tmp_path, name="by-hand", start_time=f"{time.gmtime().tm_year}-03-02T10:05:00", status=journal.QUEUED)
    assert run_table.runs(tmp_path).splitlines() == [
        "id       status     experiment           Hit@1   PERR  GAP  started         time",
        "2        failed     attention_cluster_…      -      -    -  2020-03-01   1:01:01",
        "1        completed  attention_cluster_…   82.7  100.0  nan  2020-03-02   1:01:01",
        "by-hand  queued     attention_cluster_…      -      -    -  03-02 10:05        -",
    ]


@pytest.mark.parametrize("width", [60, 80, 81, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal(tmp_path, width):
    curves = {"train.loss": [3.0e38, -1.2345e-30, math.nan], "validate.hit_at_1": [0.123456789] * 500, "y" * 90: [1, 2]}
    words = ["experiment=" + "e" * 90, "runtime.workers=1", "learning_rate=1", "k" * 90]
    names = [None, "n" * 70] if width == 60 else [None, "n" * 70, None, 12345]
    for name in names:
        text = f"{name}" + "v" * 90
        config = {"experiment": text, "model": text, "z" * 90: text}
        make(tmp_path, config, curves, name=name, meta={"options": {"UPDATE": words}}, status="INTERRUPTED")
    ids = [own.folder.name for own in journal.journals(tmp_path)]
    table = run_table.runs(tmp_path, width)
    assert len(table.splitlines()) == 1 + len(ids)
    for text in (table, run_table.compare(tmp_path, ids, width)):
        assert max(map(len, text.splitlines())) <= width
        assert "…" in text


def test_a_wide_terminal_has_more_columns(tmp_path):
    make(tmp_path, meta={"options": {"UPDATE": ["smoke", "experiment=x", "learning_rate=1", "runtime.workers=1"]}})
    make(tmp_path, command="evaluate", meta={"options": {"UPDATE": ["weights=1"]}})
    assert rows(run_table.runs(tmp_path, 80))[0][2:4] == ["experiment", "Hit@1"]
    assert rows(run_table.runs(tmp_path, 100))[0][2:4] == ["experiment", "dataset"]
    header, first, second = rows(run_table.runs(tmp_path, 160))
    assert " ".join(header) == "id status experiment model dataset Hit@1 PERR GAP started time with"
    assert first[2:5] == [CONFIG["experiment"], "attention_cluster", "flash_mnist"]
    assert first[10:] == ["learning_rate=1", "smoke"]
    assert second[10:] == ["evaluate", "weights=1"]


def test_times_are_those_of_the_place(tmp_path, monkeypatch):
    make(tmp_path, start_time=f"{time.gmtime().tm_year}-05-05T10:00:00")
    monkeypatch.setenv("TZ", "XXX-5:30")
    time.tzset()
    assert "05-05 15:30" in run_table.runs(tmp_path)


def test_a_run_whose_process_died_is_marked_and_one_that_lives_is_not(tmp_path):
    died = make(tmp_path, status=journal.RUNNING, stop_time=None, wall_seconds=None, info={})
    started = journal.now()
    lives = make(
        tmp_path, status=journal.RUNNING, stop_time=None, wall_seconds=None, info={}, parts=[started], alive=True
    )
    _, first, second = rows(run_table.runs(tmp_path))
    assert (first[1], first[-1]) == ("died", "0:59:00")  # to its last heartbeat
    assert second[1] == "running"
    assert second[-1].startswith("0:00:")
    assert died.read("state")["status"] == journal.DIED
    assert lives.read("state")["status"] == journal.RUNNING


def test_without_runs_the_way_to_one_is_told(tmp_path):
    text = run_table.runs(tmp_path / "none")
    assert "python experiments/run.py with smoke" in text
    assert len(text.splitlines()) == 1


def test_a_run_that_did_not_get_far_has_a_row(tmp_path):
    own = make(tmp_path)
    (own.folder / "state.json").unlink()
    (own.folder / "config.json").write_text("{")
    (own.folder / "run.json").write_text("")
    assert rows(run_table.runs(tmp_path))[1] == ["1", *7 * ["-"], "1970-01-01", "-"]


def test_of_the_configuration_what_differs_is_shown(tmp_path):
    make(tmp_path, {"only_here": None, "lr_decay_epochs": [10, 20], "k" * 90: True})
    params = {"beta1": 0.8, "beta2": 0.999}
    make(tmp_path, {"optimizer_params": params, "lr_decay_epochs": [], "runtime": {"devices": "gpu:0-3"}})
    make(tmp_path, {"experiment": "attention_lstm_youtube8m_static", "lr_decay_epochs": []})
    text = run_table.compare(tmp_path, ["1", "2", "3"])
    section = text[text.index("configuration") : text.index("code and data")]
    assert rows(section) == [
        ["configuration", "1", "2", "3"],
        ["experiment"],
        ["1:", "attention_cluster_flash_mnist"],
        ["2:", "attention_cluster_flash_mnist"],
        ["3:", "attention_lstm_youtube8m_static"],
        ["optimizer_params.beta1", "0.9", "0.8", "0.9"],
        ["runtime.devices", "cpu", "gpu:0-3", "cpu"],
        ["only_here", "None", "-", "-"],
        ["lr_decay_epochs", "[10,", "20]", "[]", "[]"],
        ["k" * 28 + "…", "True", "-", "-"],
        [],
    ]


def test_of_code_and_data_what_differs_is_shown(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = make(tmp_path / "runs", sources=[tmp_path / "a.py"])
    (first.folder / "changes.diff").write_text("+1")
    (tmp_path / "a.py").write_text("2")
    data = {"train": {"fingerprint": "abcdefghijk"}, "test": {"fingerprint": "x"}}
    make(tmp_path / "runs", sources=[tmp_path / "a.py"], git={"commit": "f" * 40}, info={"data": data})
    text = run_table.compare(tmp_path / "runs", ["1", "2"])
    section = text[text.index("code and data") : text.index("results")]
    assert [row[:3] for row in rows(section)[1:-1]] == [
        ["git.commit", "abcdeabc", "ffffffff"],
        ["git.changes", journal.digest(first.folder / "changes.diff")[:8], "none"],
        ["data.train", "01234567", "abcdefgh"],
        ["a.py", "c4ca4238", "c81e728d"],  # MD5 of 1 and of 2
        ["data.test", "-", "x"],
    ]


def test_that_nothing_differs_is_said(tmp_path):
    make(tmp_path)
    make(tmp_path)
    text = run_table.compare(tmp_path, ["1", "2"])
    assert "configuration: nothing differs" in text
    assert "code and data: nothing differs" in text
    assert "results: none" in text
    assert "curves: nothing was measured more than once" in text


def test_results_are_the_last_and_the_best_and_their_differences(tmp_path):
    make(tmp_path, curves={"train.loss": [4.0, 1.0, 2.0], "validate.gap": [0.2, 0.9, 0.5]})
    make(tmp_path, curves={"train.loss": [math.nan, 4.0, 0.5], "validate.gap": [0.8], "own": [123456789]})
    text = run_table.compare(tmp_path, ["1", "2"])
    assert words(text, "train.loss  ") == [["last", "2", "0.5"]]
    assert words(text, "validate.gap %  ") == [["last", "50", "80"]]
    assert words(text, "own  ") == [["last", "-", "1.23e+08"]]
    assert words(text, " " * 24 + " best") == [["1", "0.5"], ["90", "80"]]
    assert words(text, " " * 24 + " diff") == [["-1.5"], ["-0.5"], ["+30"], ["-10"], ["-"]]
    assert "diff: to run 1;" in text


def test_curves_share_their_steps_and_their_scale(tmp_path):
    make(tmp_path, curves={"train.loss": [7.0, 6.0, 5.0, 4.0], "once": [1]})
    make(tmp_path, curves={"train.loss": [0.0, math.inf, 1.0, 2.0, 0.0, 0.0]})
    make(tmp_path)
    text = run_table.compare(tmp_path, ["1", "2", "3"])
    curves = text[text.index("curves") :].splitlines()
    assert [line.split() for line in curves] == [
        ["curves", "min", "max", "last"],
        ["train.loss,", "steps", "1", "to", "6"],
        ["1", "█▇▆▅", "4", "7", "4"],
        ["2", "▁▁▂▃▁▁", "0", "2", "0"],
        ["3", "-", "-", "-"],
    ]


def test_many_points_are_drawn_as_the_means_of_their_columns(tmp_path):
    make(tmp_path, curves={"train.loss": [0.0, 10.0] * 500 + [10.0] * 1000})
    make(tmp_path, curves={"train.loss": [5.0] * 1000})
    curves = run_table.compare(tmp_path, ["1", "2"], 80).splitlines()[-2:]
    first, second = (line.split()[1] for line in curves)
    assert len(first) == 45  # what is left of 80
    assert set(first[:22]) <= set("▄▅")
    assert set(first[23:]) == {"█"}
    assert len(second) == 23  # it ended half way


def test_two_to_five_runs_are_compared_side_by_side(tmp_path):
    for number in range(6):
        make(tmp_path, {"learning_rate": number}, {"train.videos_per_second": [-1.23456e-30] * number})
    for last in range(2, 6):
        ids = [str(number) for number in range(1, last + 1)]
        assert words(run_table.compare(tmp_path, ids), "learning_rate") == [[str(number) for number in range(last)]]
    with pytest.raises(UserError, match="6 runs do not fit into 80 columns"):
        run_table.compare(tmp_path, ["1", "2", "3", "4", "5", "6"])
    assert run_table.compare(tmp_path, ["1", "2", "3", "4", "5", "6"], 100)
    for alone in ([], ["1"], ["1", "1"]):
        with pytest.raises(UserError, match="two different runs"):
            run_table.compare(tmp_path, alone)


@pytest.mark.parametrize(
    "unknown", ["77", "files", "unborn", "1/artifacts", "1/../1", "1/", "..", ".", "", "../runs/1", ".1.9.removed"]
)
def test_what_is_no_run_is_refused_in_one_line(tmp_path, unknown):
    make(tmp_path / "runs")
    (tmp_path / "runs" / ".1.9.removed").mkdir()
    (tmp_path / "runs" / ".1.9.removed" / "run.json").write_text('{"id": 1}')
    for folder in ("files", "unborn"):
        (tmp_path / "runs" / folder).mkdir()
    before = sorted(tmp_path.rglob("*"))
    for refused in (run_table.compare, lambda runs_dir, ids: run_table.delete(runs_dir, ids, None)):
        with pytest.raises(UserError, match="python -m experiments runs` lists them") as caught:
            refused(tmp_path / "runs", ["1", unknown])
        assert str(caught.value).startswith(f"run {unknown}: ")
        assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(UserError, match=r"^run 77: no folder .*/runs/77; "):
        run_table.delete(tmp_path / "runs", ["77"], None)


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
def test_delete_takes_a_run_out_of_store_and_folder_and_leaves_the_others(runs_dir, tmp_path):
    files = {name: tmp_path / name for name in ("shared.py", "own.py", "kept", "resource", "artifact")}
    for name, path in files.items():
        path.write_text(name)
    curves = {"train.loss": [1.0, 2.0]}
    kept = make(runs_dir, curves=curves, sources=[files["shared.py"]], resources=[files["kept"]])
    gone = make(runs_dir, curves=curves, sources=[files["shared.py"], files["own.py"]], resources=[files["resource"]])
    died = make(runs_dir, status=journal.RUNNING, resources=[files["shared.py"]], name="by-hand")
    for own in (kept, gone):
        md5 = own.keep(files["artifact"], "artifact")
        own.write("state", {**own.read("state"), "artifacts": {"artifact": md5}})
    stored(runs_dir, kept, gone)
    artifacts = ["artifact://runs/1/artifact", "artifact://runs/2/artifact"]
    resources = [str(files["kept"]), str(files["resource"])]
    assert in_store(runs_dir) == ([1, 2], [1, 2], ["/b/own.py", "/b/shared.py", *resources, *artifacts])
    assert len(list((runs_dir / "files").iterdir())) == 4

    text = run_table.delete(runs_dir, ["2", "by-hand", "2"], None)

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
def test_another_run_of_the_number_stays_in_the_store(runs_dir):
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        client[store.database]["runs"].insert_one({"_id": 1, "journal": "another's"})
    make(runs_dir)
    assert f"{runstore.EMBEDDED} has another 1" in run_table.delete(runs_dir, ["1"], None)
    assert in_store(runs_dir)[0] == [1]
    assert not (runs_dir / "1").exists()


@needs_secantus
def test_shared_files_stay_while_a_run_lives_that_may_name_them(runs_dir, tmp_path):
    (tmp_path / "a.py").write_text("")
    make(runs_dir, sources=[tmp_path / "a.py"])
    beginning = Journal.create(runs_dir, None)  # it has no run.json yet
    assert "while run 2 lives" in run_table.delete(runs_dir, ["1"], None)
    assert len(list((runs_dir / "files").iterdir())) == 1
    beginning.close()
    unreadable = make(runs_dir)
    (unreadable.folder / "state.json").write_text("{")
    make(runs_dir)
    assert "which of them run 3 needs cannot be read" in run_table.delete(runs_dir, ["4"], None)
    assert len(list((runs_dir / "files").iterdir())) == 1
    run_table.delete(runs_dir, ["3"], None)
    assert not list((runs_dir / "files").iterdir())


def test_a_run_that_lives_is_refused_and_nothing_removed(runs_dir):
    make(runs_dir)
    lives = make(runs_dir, status=journal.RUNNING, alive=True)
    with pytest.raises(UserError, match="run 2 is running"):
        run_table.delete(runs_dir, ["1", "2"], None)
    assert len(list(journal.journals(runs_dir))) == 2
    first = Journal(runs_dir / "1")
    assert first.take()  # it was let go of again
    first.close()
    lives.close()


@needs_secantus
def test_where_a_store_does_not_answer_nothing_is_removed(runs_dir):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"mongodb://127.0.0.1:{closed.getsockname()[1]}/sacred"
        stored(runs_dir, make(runs_dir))
        make(runs_dir, store=address)
        for mongo in (None, address):
            with pytest.raises(UserError, match=f"no MongoDB at {address}: "):
                run_table.delete(runs_dir, ["1", "2"], mongo)
    assert len(list(journal.journals(runs_dir))) == 2
    assert in_store(runs_dir)[0] == [1]


@needs_secantus
def test_the_store_that_a_run_names_is_asked(runs_dir, monkeypatch):
    """The embedded one though the environment names another; a named one by its address."""
    monkeypatch.setenv("SACRED_MONGO_URL", "mongodb://127.0.0.1:1/elsewhere")
    with runstore.open_store(None, runs_dir, ignore_environment=True) as store, store.client() as client:
        monkeypatch.setenv("SACRED_MONGO_URL", f"{store.uri.rpartition('/')[0]}/named?appName=x")
        address = runstore.named_store(None).redacted
        for own, database in ((make(runs_dir), "sacred"), (make(runs_dir, store=address), "named")):
            Mirror(own, client[database]).update()
        run_table.delete(runs_dir, ["1", "2"], None)
        assert not list(client["sacred"]["runs"].find())
        assert not list(client["named"]["runs"].find())
