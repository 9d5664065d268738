"""Which cells are run, which are skipped, and in which order."""

import shutil

import pytest

from experiments import journal, registry
from experiments.errors import UserError
from experiments.reproduction.cell_runs import RunsOfCells
from experiments.reproduction.plan import DONE, NO_DATA, RUNNING, STOPPED, WAITING, Variant, chosen, plan

TABLE = "flash_mnist_table"


def standings(runs, replicates=1, cells=None):
    runs.refresh()
    tasks = plan(cells or [own for own in Variant().cells() if own.entry.name == TABLE], replicates, runs)
    return {task.name.removeprefix(f"{TABLE}/"): task.standing for task in tasks}


def test_what_is_asked_for_first_is_run_first(runs):
    runs.refresh()
    names = [task.name for task in plan(Variant().cells(), 2, runs) if task.cell.entry.name == TABLE]
    first = [f"{TABLE}/{column}/{row}" for column in ("shift_fc1", "no_shift_fc1") for row in (8, 16, 32)]
    assert names[:6] == first
    assert names[6:12] == [f"{name} seed 1" for name in first]
    assert len(names) == len(set(names)) == 80


def test_a_run_of_the_same_numbers_code_and_data_is_not_made_again(runs, run_of, cell):
    run_of(cell("shift_fc1", 8))
    run_of(cell("shift_fc1", 16), status=journal.INTERRUPTED)
    run_of(cell("shift_fc1", 32), status=journal.FAILED)
    run_of(cell("average", 1), weights=3)  # fine-tuning is another thing
    run_of(cell("average", 2), smoke=True)
    run_of(cell("average", 4), learning_rate=0.01)
    run_of(cell("average", 8), seed=1)
    found = standings(runs)
    assert found.pop("shift_fc1/8") == DONE
    assert {found.pop("shift_fc1/16"), found.pop("shift_fc1/32")} == {STOPPED}
    assert set(found.values()) == {WAITING}
    assert standings(runs, replicates=2)["average/8 seed 1"] == DONE


def test_a_changed_number_runs_its_cell_again_and_no_other(entries, runs, run_of, cell):
    for column, row in (("shift_fc1", 8), ("shift_fc1", 16), ("average", 8)):
        run_of(cell(column, row))
    path = entries / f"{TABLE}.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("average: {attention: average,", "average: {learning_rate: 0.002, attention: average,")
    )
    found = standings(runs)
    assert [found[name] for name in ("shift_fc1/8", "shift_fc1/16", "average/8")] == [DONE, DONE, WAITING]
    path.write_text(text.replace("[0.002,", "[0.003,"))  # a published number is not what a run is made of
    assert standings(runs)["average/8"] == DONE


def test_a_run_on_other_data_does_not_count(tmp_path, data_root, runs, run_of, cell):
    run_of(cell("shift_fc1", 8))
    assert standings(runs)["shift_fc1/8"] == DONE
    (tmp_path / "data").mkdir()
    shutil.copytree(data_root / "flash_mnist", tmp_path / "data" / "flash_mnist")
    other = tmp_path / "data" / "flash_mnist"
    for old, new in zip(sorted(other.glob("test*")), sorted((data_root / "flash_mnist").glob("train*")), strict=False):
        old.unlink()
        shutil.copy(new, old)
    assert standings(RunsOfCells(tmp_path / "runs", str(tmp_path / "data")))["shift_fc1/8"] == WAITING


def test_without_data_a_cell_is_listed_and_what_was_run_still_counts(tmp_path, run_of, cell):
    run_of(cell("shift_fc1", 8))
    away = RunsOfCells(tmp_path / "runs", str(tmp_path / "nothing"))
    found = standings(away)
    assert found.pop("shift_fc1/8") == DONE
    assert set(found.values()) == {NO_DATA}
    assert "python -m experiments prepare flash_mnist" in away.missing_data(cell("average", 1))


def test_a_run_that_a_process_holds_is_running_and_a_dead_one_is_not(runs, run_of, cell):
    own = run_of(cell("shift_fc1", 8), status=journal.RUNNING)
    assert standings(runs)["shift_fc1/8"] == STOPPED
    own.take()
    assert standings(runs)["shift_fc1/8"] == RUNNING
    own.close()


def test_a_stopped_run_goes_on_and_a_new_one_says_what_it_is(runs, run_of, cell):
    run_of(cell("shift_fc1", 8), status=journal.INTERRUPTED)
    runs.refresh()
    first, second = plan([cell("shift_fc1", 8), cell("no_shift_fc2", 16)], 2, runs)[:2]
    assert first.words() == ["resume=1"]
    assert first.epochs_left == 99
    assert second.cell.row == 8
    assert second.words()[-1] == "seed=1"
    assert plan([cell("no_shift_fc2", 16)], 1, runs)[0].words() == [
        "experiment=flash_mnist_table",
        "cluster_nums=16",
        "attention=fc2",
        "shifting=False",
    ]


def test_fewer_epochs_are_another_table(runs, run_of, cell):
    run_of(cell("shift_fc1", 8))
    quick = Variant("quick").cells()
    assert {own.entry.name for own in quick} == {TABLE}
    assert {own.numbers["epochs"] for own in quick} == {8}
    assert {own.row for own in quick} == {1, 2, 4, 8, 16, 32}
    for cells in (quick, Variant("epochs-3", 3).cells()):
        assert DONE not in standings(runs, cells=cells).values()


def test_a_changed_model_makes_a_run_stale_and_says_so(runs, run_of, cell, tmp_path):
    own = run_of(cell("shift_fc1", 8))
    (tmp_path / "other.py").write_text("EPSILON = 1")
    sources = dict(own.read("run")["sources"], **{"gluon_models/attention.py": own.keep(tmp_path / "other.py")})
    own.write("run", {**own.read("run"), "sources": list(sources.items())})
    assert standings(runs)["shift_fc1/8"] == WAITING
    assert runs.stale(cell("shift_fc1", 8)) == ["run 1: gluon_models/attention.py changed"]


def test_damaged_folders_are_passed_over(runs, run_of, cell):
    for number, (name, content) in enumerate(
        [
            ("config.json", "null"),
            ("config.json", "{"),
            ("state.json", "[]"),
            ("metrics.jsonl", '{"name": "train.loss"}\n'),
        ],
        1,
    ):
        own = run_of(cell("shift_fc1", 8))
        (own.folder / name).write_text(content)
        assert standings(runs)["shift_fc1/8"] != DONE, number


def test_one_run_serves_two_entries_with_equal_cells(runs, run_of, cell):
    cells = [own for own in Variant("epochs-2", 2).cells() if own.column == "average" and own.row == 1]
    assert {own.entry.name for own in cells} == {TABLE, "flash_mnist_log_softmax", "flash_mnist_standardised"}
    runs.refresh()
    assert len({task.key for task in plan(cells, 1, runs)}) == 2


def test_cells_are_chosen_by_name_or_wildcard():
    cells = Variant().cells()
    assert {own.name for own in chosen(cells, [f"{TABLE}/*shift_fc1/8", f"{TABLE}/average/1"])} == {
        f"{TABLE}/shift_fc1/8",
        f"{TABLE}/no_shift_fc1/8",
        f"{TABLE}/average/1",
    }
    assert len(chosen(cells, [TABLE])) == 40
    with pytest.raises(UserError, match=r"^CELLS: shift_fc3 names no cell; one is called .*/.*/"):
        chosen(cells, [TABLE, "shift_fc3"])


def test_every_published_entry_is_reproduced():
    names = {own.entry.name for own in Variant().cells()}
    published = {name for name in registry.names() if "paper" in registry.load(name).tags}
    assert published == {
        TABLE,
        "attention_cluster_youtube8m",
        "attention_lstm_youtube8m",
        "attention_lstm_youtube8m_static",
    }
    assert names == published | {"flash_mnist_log_softmax", "flash_mnist_standardised"}
