import math
import time

import pytest

from experiments import journal, run_table
from experiments.errors import UserError


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def words(text: str, label: str) -> list[list[str]]:
    """The rows that begin so, without the label."""
    return [line[len(label) :].split() for line in text.splitlines() if line.startswith(label)]


def test_the_table_has_the_newest_run_last_and_metrics_in_percent(make_run, tmp_path):
    curves = {"validate.hit_at_1": [0.5, 0.8274], "validate.perr": [1.0], "validate.gap": [math.nan]}
    make_run(tmp_path, curves=curves, start_time="2020-03-02T10:00:00")
    make_run(tmp_path, start_time="2020-03-01T23:59:59", status=journal.FAILED)
    make_run(tmp_path, name="by-hand", start_time=f"{time.gmtime().tm_year}-03-02T10:05:00", status=journal.QUEUED)
    assert run_table.runs(tmp_path).splitlines() == [
        "id       status     experiment           Hit@1   PERR  GAP  started         time",
        "2        failed     attention_cluster_…      -      -    -  2020-03-01   1:01:01",
        "1        completed  attention_cluster_…   82.7  100.0  nan  2020-03-02   1:01:01",
        "by-hand  queued     attention_cluster_…      -      -    -  03-02 10:05        -",
    ]


@pytest.mark.parametrize("width", [60, 80, 81, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal(make_run, tmp_path, width):
    curves = {"train.loss": [3.0e38, -1.2345e-30, math.nan], "validate.hit_at_1": [0.123456789] * 500, "y" * 90: [1, 2]}
    words = ["experiment=" + "e" * 90, "runtime.workers=1", "learning_rate=1", "k" * 90]
    names = [None, "n" * 70] if width == 60 else [None, "n" * 70, None, 12345]
    for name in names:
        text = f"{name}" + "v" * 90
        config = {"experiment": text, "model": text, "z" * 90: text}
        make_run(tmp_path, config, curves, name=name, meta={"options": {"UPDATE": words}}, status="INTERRUPTED")
    ids = [own.folder.name for own in journal.journals(tmp_path)]
    table = run_table.runs(tmp_path, width)
    assert len(table.splitlines()) == 1 + len(ids)
    for text in (table, run_table.compare(tmp_path, ids, width)):
        assert max(map(len, text.splitlines())) <= width
        assert "…" in text


def test_a_wide_terminal_has_more_columns(make_run, tmp_path):
    make_run(tmp_path, meta={"options": {"UPDATE": ["smoke", "experiment=x", "learning_rate=1", "runtime.workers=1"]}})
    make_run(tmp_path, command="evaluate", meta={"options": {"UPDATE": ["weights=1"]}})
    assert rows(run_table.runs(tmp_path, 80))[0][2:4] == ["experiment", "Hit@1"]
    assert rows(run_table.runs(tmp_path, 110))[0][2:4] == ["experiment", "dataset"]
    header, first, second = rows(run_table.runs(tmp_path, 160))
    assert " ".join(header) == "id status experiment model dataset Hit@1 PERR GAP started time with"
    assert first[2:5] == ["attention_cluster_flash_mnist", "attention_cluster", "flash_mnist"]
    assert first[10:] == ["learning_rate=1", "smoke"]
    assert second[2:4] == ["evaluate", "attention_cluster_flash_mnist"]
    assert second[11:] == ["weights=1"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_what_was_no_training_says_so_at_every_width(make_run, tmp_path, width):
    make_run(tmp_path)
    make_run(tmp_path, command="evaluate")
    _, training, evaluation = run_table.runs(tmp_path, width).splitlines()
    assert training.startswith("1   completed  attention")
    assert evaluation.startswith("2   completed  evaluate ")


def test_times_are_those_of_the_place(make_run, tmp_path, monkeypatch):
    make_run(tmp_path, start_time=f"{time.gmtime().tm_year}-05-05T10:00:00")
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    assert "05-05 15:30" in run_table.runs(tmp_path)


def test_a_run_whose_process_died_is_marked_and_one_that_lives_is_not(make_run, tmp_path):
    died = make_run(tmp_path, status=journal.RUNNING, stop_time=None, wall_seconds=None, info={})
    started = journal.now()
    lives = make_run(
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


def test_a_run_that_did_not_get_far_has_a_row(make_run, tmp_path):
    own = make_run(tmp_path)
    (own.folder / "state.json").unlink()
    (own.folder / "config.json").write_text("{")
    (own.folder / "run.json").write_text("")
    assert rows(run_table.runs(tmp_path))[1] == ["1", *7 * ["-"], "1970-01-01", "-"]


def test_of_the_configuration_what_differs_is_shown(make_run, tmp_path):
    make_run(tmp_path, {"only_here": None, "lr_decay_epochs": [10, 20], "k" * 90: True})
    params = {"beta1": 0.8, "beta2": 0.999}
    make_run(tmp_path, {"optimizer_params": params, "lr_decay_epochs": [], "runtime": {"devices": "gpu:0-3"}})
    make_run(tmp_path, {"experiment": "attention_lstm_youtube8m_static", "lr_decay_epochs": []})
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


def test_of_code_and_data_what_differs_is_shown(make_run, tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = make_run(tmp_path / "runs", sources=[tmp_path / "a.py"])
    (first.folder / "changes.diff").write_text("+1")
    (tmp_path / "a.py").write_text("2")
    data = {"train": {"fingerprint": "abcdefghijk"}, "test": {"fingerprint": "x"}}
    make_run(tmp_path / "runs", sources=[tmp_path / "a.py"], git={"commit": "f" * 40}, info={"data": data})
    text = run_table.compare(tmp_path / "runs", ["1", "2"])
    section = text[text.index("code and data") : text.index("results")]
    assert [row[:3] for row in rows(section)[1:-1]] == [
        ["git.commit", "abcdeabc", "ffffffff"],
        ["git.changes", journal.digest(first.folder / "changes.diff")[:8], "none"],
        ["data.train", "01234567", "abcdefgh"],
        ["a.py", "c4ca4238", "c81e728d"],  # MD5 of 1 and of 2
        ["data.test", "-", "x"],
    ]


def test_that_nothing_differs_is_said(make_run, tmp_path):
    make_run(tmp_path)
    make_run(tmp_path)
    text = run_table.compare(tmp_path, ["1", "2"])
    assert "configuration: nothing differs" in text
    assert "code and data: nothing differs" in text
    assert "results: none" in text
    assert "curves: nothing was measured more than once" in text


def test_results_are_the_last_and_the_best_and_their_differences(make_run, tmp_path):
    make_run(tmp_path, curves={"train.loss": [4.0, 1.0, 2.0], "validate.gap": [0.2, 0.9, 0.5]})
    make_run(tmp_path, curves={"train.loss": [math.nan, 4.0, 0.5], "validate.gap": [0.8], "own": [123456789]})
    text = run_table.compare(tmp_path, ["1", "2"])
    assert words(text, "train.loss  ") == [["last", "2", "0.5"]]
    assert words(text, "validate.gap %  ") == [["last", "50", "80"]]
    assert words(text, "own  ") == [["last", "-", "1.23e+08"]]
    assert words(text, " " * 24 + " best") == [["1", "0.5"], ["90", "80"]]
    assert words(text, " " * 24 + " diff") == [["-1.5"], ["-0.5"], ["+30"], ["-10"], ["-"]]
    assert "diff: to run 1;" in text


def test_curves_share_their_steps_and_their_scale(make_run, tmp_path):
    make_run(tmp_path, curves={"train.loss": [7.0, 6.0, 5.0, 4.0], "once": [1]})
    make_run(tmp_path, curves={"train.loss": [0.0, math.inf, 1.0, 2.0, 0.0, 0.0]})
    make_run(tmp_path)
    text = run_table.compare(tmp_path, ["1", "2", "3"])
    curves = text[text.index("curves") :].splitlines()
    assert [line.split() for line in curves] == [
        ["curves", "min", "max", "last"],
        ["train.loss,", "steps", "1", "to", "6"],
        ["1", "█▇▆▅", "4", "7", "4"],
        ["2", "▁▁▂▃▁▁", "0", "2", "0"],
        ["3", "-", "-", "-"],
    ]


def test_many_points_are_drawn_as_the_means_of_their_columns(make_run, tmp_path):
    make_run(tmp_path, curves={"train.loss": [0.0, 10.0] * 500 + [10.0] * 1000})
    make_run(tmp_path, curves={"train.loss": [5.0] * 1000})
    curves = run_table.compare(tmp_path, ["1", "2"], 80).splitlines()[-2:]
    first, second = (line.split()[1] for line in curves)
    assert len(first) == 45  # what is left of 80
    assert set(first[:22]) <= set("▄▅")
    assert set(first[23:]) == {"█"}
    assert len(second) == 23  # it ended half way


def test_two_to_five_runs_are_compared_side_by_side(make_run, tmp_path):
    for number in range(6):
        make_run(tmp_path, {"learning_rate": number}, {"train.videos_per_second": [-1.23456e-30] * number})
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
def test_what_is_no_run_is_refused_in_one_line(make_run, tmp_path, unknown):
    make_run(tmp_path / "runs")
    (tmp_path / "runs" / ".1.9.removed").mkdir()
    (tmp_path / "runs" / ".1.9.removed" / "run.json").write_text('{"id": 1}')
    for folder in ("files", "unborn"):
        (tmp_path / "runs" / folder).mkdir()
    with pytest.raises(UserError, match="python -m experiments runs` lists them") as caught:
        run_table.compare(tmp_path / "runs", ["1", unknown])
    assert str(caught.value).startswith(f"run {unknown}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"^run 77: no folder .*/runs/77; "):
        run_table.compare(tmp_path / "runs", ["1", "77"])
