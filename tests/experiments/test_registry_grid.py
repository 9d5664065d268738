"""A table of runs in one entry."""

import pytest
import yaml

from experiments import registry
from experiments.errors import UserError

# The paper's table, top-1 %, as it is printed: N, average, no shift fc1, no shift fc2, shift fc1, shift fc2.
PRINTED = """
1 0.2 0.2 0.2 51.2 53.7
2 0.4 0.4 0.5 64.8 66.8
4 0.6 2.2 2.3 75.9 76.8
8 0.9 31.7 22.5 80.6 83.1
16 1.2 82.3 82.0 86.9 84.9
32 2.4 83.3 83.2 87.1 85.6
64 5.0 83.2 82.4 87.1 85.6
128 8.9 81.8 80.9 87.1 85.7
"""
SETTINGS = [("average", False), ("fc1", False), ("fc2", False), ("fc1", True), ("fc2", True)]


def test_the_papers_table():
    """Every published number stands at the cell that it was published for, with the author's recipe."""
    cells = registry.cells(registry.load("flash_mnist_table"))
    found = {(c.numbers["cluster_nums"], c.numbers["attention"], c.numbers["shifting"]): c for c in cells}
    assert len(found) == len(cells) == 40
    for line in PRINTED.split("\n")[1:-1]:
        row, *values = line.split()
        for setting, value in zip(SETTINGS, values, strict=True):
            cell = found[(int(row), *setting)]
            (published,) = cell.published
            assert (published.metric, 100 * published.value) == ("hit_at_1", pytest.approx(float(value)))
            recipe = {
                key: cell.numbers[key] for key in ("optimizer", "learning_rate", "batch_size", "epochs", "dropout")
            }
            assert list(recipe.values()) == ["adam", 1e-3, 64, 100, 0.5]
            assert cell.numbers["valid_split"] == "test"


def test_the_questions_two_sides_differ_in_their_features_alone():
    ours, other = (registry.load(f"flash_mnist_{name}") for name in ("log_softmax", "standardised"))
    for first, second in zip(registry.cells(ours), registry.cells(other), strict=True):
        changed = {key for key in first.numbers if first.numbers[key] != second.numbers[key]}
        assert changed == {"dataset"}
    assert ours.grid.replicates == other.grid.replicates == 3
    assert ours.grid.values == other.grid.values == [1, 16]


def test_a_run_finds_its_cell_whatever_else_it_changes():
    entry = registry.load("flash_mnist_table")
    numbers = {**registry.flatten(entry), "cluster_nums": 8, "attention": "fc2", "shifting": False, "epochs": 3}
    assert registry.cell_of(entry, numbers).name == "flash_mnist_table/no_shift_fc2/8"
    assert registry.cell_of(entry, {**numbers, "cluster_nums": 7}) is None
    alone = registry.load("attention_cluster_flash_mnist")
    assert registry.cell_of(alone, registry.flatten(alone)).name == "attention_cluster_flash_mnist"


GRID = {
    "rows": {"cluster_nums": [1, 2]},
    "columns": {"a": {"shifting": True}, "b": {"shifting": False}},
    "first": {"a": [2]},
    "replicates": 2,
    "quick": {"rows": [1], "epochs": 1},
}
TABLE = {"source": "a paper", "split": "test", "metrics": {"hit_at_1": {"a": [0.1, 0.2]}}, "tolerance": 0.01}


def write(folder, grid: dict | None = GRID, **changes):
    path = folder / "mine.yaml"
    base = {"include": "attention_cluster_flash_mnist.yaml", "references": [TABLE], "deviations": []}
    path.write_text(yaml.safe_dump({**base, "grid": grid if grid is None else {**GRID, **grid}, **changes}))
    return str(path)


def test_cells_in_the_order_of_their_runs(tmp_path):
    cells = registry.cells(registry.load(write(tmp_path)))
    assert [cell.name for cell in cells] == ["mine/a/2", "mine/a/1", "mine/b/1", "mine/b/2"]
    assert [[own.value for own in cell.published] for cell in cells] == [[0.2], [0.1], [], []]
    short = registry.cells(registry.load(write(tmp_path)), epochs=3)[0]
    assert short.updates == {"cluster_nums": 2, "shifting": True, "epochs": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {"rows": {"clustre_nums": [1]}}}, "grid: no key named clustre_nums; did you mean cluster_nums?"),
        ({"grid": {"rows": {"cluster_nums": [1], "epochs": [1]}}}, "grid: rows is one key"),
        ({"grid": {"rows": {"cluster_nums": []}}}, "grid: rows is one key"),
        ({"grid": {"rows": {"cluster_nums": [1, 1]}}}, "grid: a row stands twice"),
        ({"grid": {"rows": {"hidden_units": [[], [8]]}}}, "grid: rows are numbers or words"),
        ({"grid": {"rows": {"cluster_nums": ["eight"]}}}, "grid: cluster_nums='eight' is not of the kind of 32"),
        ({"grid": {"columns": {"a": {"learning_rate": "fast"}}}}, "grid: learning_rate='fast' is not of the kind of"),
        ({"grid": {"columns": {"a": {"learning_rate": -1.0}}}}, "learning_rate=-1.0 is not above 0"),
        ({"grid": {"columns": {}}}, "grid: rows is one key"),
        ({"grid": {"columns": {"a": {"shiftin": True}}}}, "grid: no key named shiftin; did you mean shifting?"),
        ({"grid": {"columns": {"a": {"cluster_nums": 3}}}}, "grid: cluster_nums is the rows' key"),
        ({"grid": {"first": {"c": [1]}}}, "grid: first: no column named c"),
        ({"grid": {"first": {"a": [3]}}}, "grid: first: 3 is none of the rows"),
        ({"grid": {"quick": {"rows": [3], "epochs": 1}}}, "grid: quick: 3 is none of the rows"),
        ({"grid": {"quick": {"rows": [1]}}}, "grid: quick: epochs missing"),
        ({"grid": {"replicates": 0}}, "grid: replicates=0 is not at least 1"),
        ({"grid": {"replicate": 1}}, "grid: no key named replicate; did you mean replicates?"),
        ({"references": [{**TABLE, "metrics": {"gap": {"a": [0.1, 2.0]}}}]}, "fraction of 1"),
        ({"references": [{**TABLE, "metrics": {"gap": {"c": [0.1, 0.2]}}}]}, "references: no column named c"),
        ({"references": [{**TABLE, "metrics": {"gap": {"a": [0.1]}}}]}, "references: gap: a has 1 values for 2 rows"),
        ({"grid": None}, "references: hit_at_1 is a table, but the entry has no grid"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_model_belongs_to_no_cell():
    entry = registry.load("flash_mnist_table")
    assert registry.cell_of(entry, {"model": "attention_lstm", "epochs": 1}) is None


def test_a_tolerance_is_never_more_than_half_of_a_value():
    """Chance, 0.1 %, is no reproduction of 0.2 %."""
    cells = {cell.name: cell.published[0] for cell in registry.cells(registry.load("flash_mnist_table"))}
    assert cells["flash_mnist_table/average/1"].tolerance == pytest.approx(0.001)
    assert cells["flash_mnist_table/shift_fc1/1"].tolerance == pytest.approx(0.01)
