"""The board over real runs, as a browser shows it; with SCREENSHOTS=FOLDER pictures of its pages are kept there."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from experiments import ROOT, board, board_columns
from experiments.journal import Journal, journals
from experiments.store_keeper import SECANTUSD

webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: run `make setup`")
waiting = pytest.importorskip("selenium.webdriver.support.ui")
errors = pytest.importorskip("selenium.common.exceptions")

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not SECANTUSD.exists(), reason="no .venv-store: run `make setup`"),
    pytest.mark.skipif(None in (CHROMIUM, CHROMEDRIVER), reason="no chromium, or no chromedriver"),
    pytest.mark.skipif(
        None in (shutil.which("node"), shutil.which("npm"))
        or not (board.INSTALLED / "node_modules" / ".package-lock.json").exists(),
        reason="no node, no npm, or no .omniboard: run `make board` once",
    ),
]

# The stand-in for the data is learnt by heart, so that the metrics are not all zero.
WORDS = ["smoke", "valid_split=train", "log_interval=1", "learning_rate=0.005", "batch_size=6"]
CLUSTER, LSTM = "attention_cluster_flash_mnist", "attention_lstm_flash_mnist"

ROW = ".public_fixedDataTableRow_main"
# The table's rows, the header first: for each cell, left to right, its text.
_CELLS = """
const left = (cell) => cell.getBoundingClientRect().left;
return [...document.querySelectorAll('.public_fixedDataTableRow_main')].map((row) =>
    [...row.querySelectorAll('.public_fixedDataTableCell_main')].sort((a, b) => left(a) - left(b))
        .map((cell) => cell.innerText.trim()));
"""
# The texts that run out of their cells.
_CUT = """
const cut = [];
for (const cell of document.querySelectorAll('.public_fixedDataTableRow_main .public_fixedDataTableCell_main')) {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const place = document.createRange();
    place.selectNode(texts.currentNode);
    if (place.getBoundingClientRect().right > cell.getBoundingClientRect().right) cut.push(texts.currentNode.data);
  }
}
return cut;
"""
# Of each curve that is drawn and has an extent: the number of its points. What is pale is the same unsmoothed.
_CURVES = """
return [...document.querySelectorAll('.js-plotly-plot .scatterlayer .trace')].filter((trace) => {
  const path = trace.querySelector('path.js-line');
  return path && path.getBoundingClientRect().width > 0 && getComputedStyle(trace).opacity === '1';
}).map((trace) => trace.querySelector('path.js-line').getAttribute('d').split(/[LHV]/).length);
"""


class BoardPage:
    """The table of runs and the view of one run.

    Args:
        driver: The browser.
        address: Of the board.
        pictures: A folder for screenshots.
    """

    def __init__(self, driver: Any, address: str, pictures: Path):
        self.driver = driver
        self.pictures = pictures
        driver.get(address)
        self.until(lambda: len(self._cells()) > 1, "the table of runs")

    def until(self, true: Callable[[], Any], what: str) -> Any:
        redrawn = [errors.NoSuchElementException, errors.StaleElementReferenceException]
        return waiting.WebDriverWait(self.driver, 20, 0.1, redrawn).until(lambda _: true(), f"not seen: {what}")

    def rows(self) -> list[dict[str, str]]:
        """The table: of every run, text by column; nothing while it is drawn anew."""
        header, *rows = self._cells() or [[]]
        return [{name: text for name, text in zip(header, row, strict=True) if name} for row in rows]

    def cut(self) -> list[str]:
        """What runs out of its cell."""
        return self.driver.execute_script(_CUT)

    def dots(self) -> dict[str, str]:
        """The colour of the dot before a run, by the run's status."""
        return {
            row["Status"]: self.find(f".circle.{row['Status'].lower()}").value_of_css_property("background-color")
            for row in self.rows()
        }

    def filter(self, status: str) -> None:
        """Show the runs of `status` alone."""
        self.find(".status-filter button").click()
        for value in ("multiselect-all", status):
            self.find(f".status-filter input[value='{value}']").click()
        self.find(".status-filter button").click()
        self.until(lambda: {row["Status"] for row in self.rows()} == {status}, f"runs that are {status} alone")

    def open(self, run_id: str) -> None:
        """Open a run; close it where it is open."""
        row = next(row for row in self.driver.find_elements("css selector", ROW) if row.text.split()[1:2] == [run_id])
        row.find_element("css selector", "[test-attr^='cell-row_expander-']").click()

    def tab(self, title: str, content: str) -> str:
        """Go to a part of the open run; its text, where it is the element `content`."""
        self.driver.find_element("link text", title).click()
        return self.until(lambda: self.find(content).text, title)

    def legend(self) -> list[str]:
        """The names beside the chart."""
        self.until(self.curves, "the chart")
        return [name.text for name in self.driver.find_elements("css selector", ".legendtext")]

    def curves(self) -> list[int]:
        """Of every curve of the chart that has an extent, the number of its points."""
        return self.driver.execute_script(_CURVES)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def picture(self, name: str) -> None:
        """Keep a screenshot; also in the folder that the environment variable SCREENSHOTS names."""
        for folder in (self.pictures, Path(os.environ.get("SCREENSHOTS", self.pictures))):
            folder.mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(folder / f"{name}.png"))

    def _cells(self) -> list[list[str]]:
        return self.driver.execute_script(_CELLS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, machine) -> Iterator[Path]:
    """A folder with three runs: two that ended, and one that was killed, and that nobody has looked at since."""
    folder = tmp_path_factory.mktemp("board")
    try:
        finish(start("experiments/run.py", *words(folder, CLUSTER, epochs=5)))
        killed = start("experiments/run.py", *words(folder, LSTM, epochs=2000))
        finish(start("experiments/run.py", *words(folder, LSTM, epochs=4)))
        machine.wait_until(lambda: all(has_metrics(own) for own in journals(folder / "runs")), seconds=60)
        killed.kill()
        killed.communicate()
        yield folder
    finally:
        for pid in machine.processes(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        machine.wait_until(lambda: not machine.processes(folder))


@pytest.fixture(scope="module")
def page(folder) -> Iterator[BoardPage]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("-m", "experiments.board", "--runs-dir", f"{folder}/runs", "--port", str(port))
    try:
        said = process.stdout.readline()
        assert "PROBABLY_DEAD, brought to the embedded store" in said
        assert f"http://127.0.0.1:{port}/ (Ctrl-C stops)" in process.stdout.readline()
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1600,1000"):
            options.add_argument(word)
        options.add_argument(f"--user-data-dir={folder}/chromium")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
        try:
            yield BoardPage(driver, f"http://127.0.0.1:{port}/", folder / "pictures")
        finally:
            driver.quit()
    finally:
        process.terminate()
        assert process.communicate(timeout=30)[0].strip() == ""


def words(folder: Path, experiment: str, epochs: int) -> list[str]:
    runtime = [f"runtime.runs_dir={folder}/runs", f"runtime.data_root={folder}/data"]
    return ["with", *WORDS, f"experiment={experiment}", f"epochs={epochs}", *runtime]


def start(*command: str) -> subprocess.Popen:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SACRED_MONGO_")}
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen) -> None:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said


def has_metrics(own: Journal) -> bool:
    return "validate.perr" in {entry["name"] for entry in own.metrics()[0]}


def test_the_table_shows_what_matters(page, folder):
    page.picture("table")
    rows = page.rows()
    assert [
        set(row) >= {"Experiment Name", "Model", "Dataset", "Status", *board_columns.METRIC_COLUMNS} for row in rows
    ]
    assert page.cut() == []
    assert sorted(row["Id"] for row in rows) == ["1", "2", "3"]
    assert sorted((row["Model"], row["Status"]) for row in rows) == [
        ("attention_cluster", "COMPLETED"),
        ("attention_lstm", "COMPLETED"),
        ("attention_lstm", "PROBABLY_DEAD"),
    ]
    for row in rows:
        assert row["Experiment Name"] == f"{row['Model']}_flash_mnist"
        assert row["Dataset"] == "smoke_flash_mnist"
        own = Journal(folder / "runs" / row["Id"])
        last = {entry["name"]: entry["value"] for entry in own.metrics()[0]}
        for column, metric in board_columns.METRIC_COLUMNS.items():
            assert row[column] == f"{last[metric]:.4g}"
    assert page.dots() == {"COMPLETED": "rgba(30, 180, 117, 1)", "PROBABLY_DEAD": "rgba(0, 0, 0, 1)"}


def test_a_run_has_its_chart_its_output_and_its_configuration(page):
    page.open("1")
    assert page.legend() == ["train.loss", "validate.gap", "validate.hit_at_1", "validate.mean_ap", "validate.perr"]
    assert len(page.curves()) == 5
    assert min(page.curves()) >= 2  # points that are on a straight line are one
    page.picture("chart")
    assert "Hit@1" in page.tab("Captured Out", "#captured_out")
    page.picture("output")
    assert "cluster_nums" in page.tab("Config", "#config")
    page.picture("config")
    page.open("1")


def test_runs_that_died_can_be_filtered(page):
    page.filter("PROBABLY_DEAD")
    page.picture("died")
    assert [row["Experiment Name"] for row in page.rows()] == [LSTM]
