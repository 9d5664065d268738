import re

import pytest

from experiments.reproduction.plan import Variant
from experiments.reproduction.verdict import ABOVE, INCONCLUSIVE, MEANING, MISSED
from experiments.results.html_page import KINDS
from experiments.results.html_style import STYLE


@pytest.fixture(scope="module")
def text(log) -> str:
    return log.page(Variant())


@pytest.fixture(scope="module")
def page(text, read_page):
    return read_page(text)


def section_of(text: str, name: str) -> str:
    return text[text.index(f'<section id="{name}">') :].partition("</section>")[0]


def test_nothing_is_fetched(text, page):
    assert "http" not in text.lower()
    assert not re.search(r"<(script|link|iframe|img|object|base)\b|@import|url\((?!#)", text)
    assert [own for own in page.links if not own.startswith(("#", "data:image/png;base64,"))] == []


def test_ids_stand_once_and_every_link_leads_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    assert {own[1:] for own in page.links if own.startswith("#")} <= set(page.ids)


def test_every_run_is_linked_and_described(text, page):
    for run_id in range(1, 7):
        assert page.ids.count(f"run-{run_id}") == 1
        assert page.links.count(f"#run-{run_id}") >= 2
    item = re.search(r'<li id="run-5">(.*?)</li>', text)[1]
    for word in ("seed 2", "COMPLETED", "started 2026-03-01 10:00 UTC", "took 1 h 02 min", "on here", "runs/5"):
        assert word in item
    assert "commit abcdef0 with changes" in item
    command = "experiment=flash_mnist_table cluster_nums=16 attention=fc1 shifting=True seed=2"
    assert f"<code>python experiments/run.py with {command}</code>" in item


def test_tables_stand_side_by_side(page):
    published, measured = page.tables["Hit@1, published"], page.tables["Hit@1, measured"]
    less = page.tables["Hit@1, measured less published"]
    head = ["cluster nums", "average", "no shift fc1", "no shift fc2", "shift fc1", "shift fc2"]
    assert published[0] == measured[0] == less[0] == head
    assert [len(own) for own in (published, measured, less)] == [9, 9, 9]
    assert published[1][1] == "0.2"
    assert measured[1] == ["1", "1.23", "-", "-", "50.00", "-"]
    assert less[1] == ["1", f"+1.03 {ABOVE}", "not run", "not run", f"-1.20 {MISSED}", "not run"]
    assert measured[5][4] == "86.20 ± 0.20 3 4 5"
    assert less[5][4] == f"-0.70 {INCONCLUSIVE}"


def test_every_measured_number_is_a_link(text):
    tables = re.findall(r"<table>.*?</table>", section_of(text, "flash_mnist_table"), re.DOTALL)
    measured = [own for own in tables if "Hit@1, measured" in own]
    assert len(measured) == 2
    for own in measured:
        for cell in re.findall(r"<td.*?</td>", own):
            number = re.search(r"[\d.]{3,}", re.sub(r"<small>.*?</small>", "", cell))
            assert not number or re.search(r'<td[^>]*><a href="#(run|cell)-', cell), cell


def test_published_and_measured_are_columns_of_their_own(page):
    head, *rows = page.tables["cell by cell"]
    assert head[2:6] == ["published", "measured", "95 % interval", "difference"]
    by_cell = {row[0]: row for row in rows}
    assert by_cell["average/1"][2:4] == ["0.2", "1.23"]
    assert by_cell["shift_fc1/16"][2:7] == ["86.9", "86.20 ± 0.20 (n = 3)", "85.70 to 86.70", "-0.70", INCONCLUSIVE]
    assert by_cell["shift_fc1/16"][-1] == "3 4 5"


def test_every_verdict_has_a_colour(text):
    assert set(KINDS) == set(MEANING)
    for word, kind in KINDS.items():
        assert f".{kind} {{ background: var(--" in STYLE
        assert f'<b class="{kind}">{word}</b>' in text


def test_what_the_log_says_is_text(text):
    assert "<b>there</b>" not in text
    assert "on &lt;b&gt;there&lt;/b&gt;" in text


def test_a_section_without_data_is_short(text):
    own = section_of(text, "attention_lstm_youtube8m")
    assert "run <code>make youtube8m</code>" in own
    assert "<td>89.05</td>" in own
    assert "measured" not in own
    assert "<svg" not in own
    assert len(own) < 2000


def test_a_section_without_runs_says_how_to_run_it(text):
    assert "make reproduce-paper CELLS=flash_mnist_log_softmax" in section_of(text, "flash_mnist_log_softmax")


def test_a_version_that_is_not_the_papers_says_so(make_log, cell_of, tmp_path, read_page):
    log, quick = make_log(tmp_path), Variant("quick")
    log.add(cell_of("flash_mnist_table/shift_fc1/8", quick), score=0.7)
    text = log.page(quick)
    assert text.index('<p class="banner">QUICK: fewer epochs') < text.index("<section")
    assert len(read_page(text).tables["Hit@1, measured"]) == 7
    assert 'class="banner"' not in log.page(Variant())


def test_a_run_of_two_sections_has_one_place(make_log, cell_of, tmp_path, read_page):
    """With 20 epochs the paper's table and the question about log-softmax features have cells in common."""
    log, short = make_log(tmp_path), Variant("epochs-20", 20)
    log.add(cell_of("flash_mnist_table/average/1", short))
    text = log.page(short)
    page = read_page(text)
    assert text.count("<b>run 1</b>") == 2
    assert page.ids.count("run-1") == 1
    assert len(page.ids) == len(set(page.ids))
