"""``RESULTS.md`` over made-up runs."""

import re

from experiments.reproduction.plan import Variant
from experiments.results import markdown_page


def tables(text, section):
    """The tables of one section, each by the line above it."""
    part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = {}
    for title, table in re.findall(r"(.*)\n\n((?:\|.*\n)+)", part):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        found[title] = [rows[0], *rows[2:]]
    return part, found


def page(log, variant=Variant()):  # noqa: B008
    return markdown_page.page(variant, list(log.sections(variant).values()))


def test_published_and_measured_stand_in_tables_of_their_own(log):
    part, found = tables(page(log), "flash_mnist_table")
    head = ["cluster_nums", "average", "no shift fc1", "no shift fc2", "shift fc1", "shift fc2"]
    published, measured, difference = (
        found[f"Hit@1, {name}:"] for name in ("published", "measured", "measured less published")
    )
    assert published[0] == measured[0] == difference[0] == head
    assert published[1] == ["1", "0.2", "0.2", "0.2", "51.2", "53.7"]
    assert measured[1] == ["1", "1.23", "not run", "not run", "50.00", "not run"]
    assert difference[1] == ["1", "+1.03 above", "not run", "not run", "-1.20 missed", "not run"]
    assert (measured[5][4], difference[5][4]) == ("86.20 ± 0.20 (n = 3)", "-0.70 inconclusive")
    assert difference[4][2] == "+58.30 above"
    assert "100 epochs; 4 of 40 cells run, 2 above, 1 missed, 1 inconclusive." in part.replace("\n", " ")


def test_every_measured_number_has_its_runs_and_the_command_to_make_them_again(log):
    part, found = tables(page(log), "flash_mnist_table")
    (details,) = (rows for rows in found.values() if rows[0][0] == "cell")
    by_cell = {row[0]: dict(zip(details[0], row, strict=True)) for row in details[1:]}
    assert by_cell["shift_fc1/16"]["runs"] == "3, 4, 5"
    assert by_cell["shift_fc1/16"]["95 % interval"] == "85.70 to 86.70"
    assert by_cell["average/1"]["took"] == "1 h 02 min"
    command = "python experiments/run.py with experiment=flash_mnist_table cluster_nums=16 attention=fc1 shifting=True"
    for line in (f"{command}  # run 3", f"{command} seed=1  # run 4", f"{command} seed=2  # run 5"):
        assert f"\n{line}\n" in part
    assert "the benchmark has no validation split" in part


def test_without_data_the_published_numbers_and_the_way_to_the_data(log):
    part, found = tables(page(log), "attention_lstm_youtube8m")
    assert "make youtube8m" in part
    rows = next(iter(found.values()))
    assert [row[1:5] for row in rows[1:]] == [
        ["Hit@1", "89.05", "-", "-"],
        ["PERR", "80.49", "-", "-"],
        ["GAP@20", "86.3", "-", "-"],
    ]


def test_fewer_epochs_are_labelled_and_not_judged(log, cell_of):
    quick = Variant("quick")
    log.add(cell_of("flash_mnist_table/shift_fc1/8", quick), score=0.3)
    text = page(log, quick)
    assert "QUICK: " in text
    _, found = tables(text, "flash_mnist_table")
    assert found["Hit@1, measured:"][4][4] == "30.00"
    assert found["Hit@1, measured less published:"][4][4] == "-50.60"
    assert [row[0] for row in found["Hit@1, measured:"][1:]] == ["1", "2", "4", "8", "16", "32"]
    assert "86.00" not in text
