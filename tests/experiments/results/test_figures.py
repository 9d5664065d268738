import re
from dataclasses import replace

import pytest

from experiments.reproduction.plan import Variant
from experiments.results import figures, svg


@pytest.fixture(scope="module")
def section(log):
    return log.sections(Variant())["flash_mnist_table"]


def test_all_columns_over_the_rows(section):
    drawn = figures.by_row(section, "hit_at_1")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert {"average", "no shift fc1", "no shift fc2", "shift fc1", "shift fc2", "published (hollow)"} <= set(texts)
    assert {"1", "2", "4", "8", "16", "32", "64", "128", "cluster_nums", "Hit@1, %"} <= set(texts)
    for colour in svg.COLOURS[:5]:
        assert colour.lower() in drawn.lower()
    assert set(re.findall(r'xlink:href="(#run-\d+)"', drawn)) == {"#run-1", "#run-2", "#run-3", "#run-6"}
    assert "Hit@1 in percent by cluster_nums" in re.search(r"<title[^>]*>([^<]*)</title>", drawn)[1]


def test_published_points_are_dashed_and_measured_ones_have_bars(section, make_log, tmp_path):
    drawn = figures.by_row(section, "hit_at_1")
    bare = figures.by_row(make_log(tmp_path).sections(Variant())["flash_mnist_table"], "hit_at_1")
    assert "stroke-dasharray: 3.7" in bare
    assert "LineCollection" not in bare  # the bars
    assert "LineCollection" in drawn


def test_rows_that_are_no_numbers_have_no_axis(section):
    grid = replace(section.entry.grid, rows={"attention": ["fc1", "fc2"]})
    results = [
        replace(own, cell=replace(own.cell, row="fc1" if own.cell.row == 1 else "fc2"))
        for own in section.results
        if own.cell.row in (1, 16)
    ]
    other = replace(section, entry=replace(section.entry, grid=grid), results=results)
    assert figures.by_row(other, "hit_at_1") == ""
    assert figures.curves(other).count("<svg") == 4  # two columns with runs, each with its metric and its loss


def test_a_panel_a_column_and_a_line_a_run(section):
    drawn = figures.curves(section)
    assert drawn.count("<svg") == 6  # three columns with runs, each with its metric and its loss
    assert {f"#run-{n}" for n in range(1, 7)} == set(re.findall(r'xlink:href="(#run-\d+)"', drawn))
    assert ">average</text>" in drawn
    assert ">no shift fc2</text>" not in drawn
    assert "cluster_nums: " in drawn


def test_steps_become_epochs(section):
    run = section.at("average", 1).runs[0]  # 100 epochs of 10 steps
    points = figures._by_epoch(run, "validate.hit_at_1", 100)
    assert points[0] == pytest.approx((1, 0.0123))
    assert points[-1] == pytest.approx((100, 1.23))
    assert figures._by_epoch(run, "train.nothing", 1) == []


def test_long_curves_are_thinned(section, monkeypatch):
    monkeypatch.setattr(figures, "MOST_POINTS", 10)
    points = figures._by_epoch(section.at("average", 1).runs[0], "train.loss", 1)
    assert len(points) == 10
    assert points[0][0] == pytest.approx(5.5)


def test_ids_of_two_drawings_differ():
    def draw(figure):
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4], marker="o", clip_on=True)
        axes.lines[0].set_url("#run-1")

    both = svg.drawing("one", "first <drawing>", (3, 2), draw), svg.drawing("two", "second", (3, 2), draw)
    ids = [set(re.findall(r'\bid="([^"]+)"', own)) for own in both]
    assert not ids[0] & ids[1]
    for own, known in zip(both, ids, strict=True):
        referred = set(re.findall(r'(?:url\(|href=")#([^")]+)', own))
        assert referred - known == {"run-1"}
        assert referred & known
        assert "http" not in own
        assert not re.match(r"<svg[^>]*(width|height)=", own)  # the page gives it its size
    assert "first &lt;drawing&gt;</title>" in both[0]
