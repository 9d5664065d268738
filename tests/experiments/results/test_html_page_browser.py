"""The page of results as a browser shows it; with SCREENSHOTS=FOLDER pictures of it are kept there."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.reproduction.plan import Variant

webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: run `make setup`")

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(None in (CHROMIUM, CHROMEDRIVER), reason="no chromium, or no chromedriver")


@pytest.fixture(scope="module")
def driver(log, tmp_path_factory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(log.page(Variant()))
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    words = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000")
    for word in (*words, f"--user-data-dir={folder}/chromium"):
        options.add_argument(word)
    own = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        own.get((folder / "report.html").as_uri())
        yield own
    finally:
        own.quit()


def set_width(driver: Any, width: int) -> None:
    device = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    if folder := os.environ.get("SCREENSHOTS"):
        driver.save_screenshot(str(Path(folder) / f"report-{width}.png"))


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_the_page_does_not_scroll_sideways(driver, width):
    set_width(driver, width)
    assert driver.execute_script("return innerWidth") == width
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_figures_are_seen_on_a_phone(driver):
    set_width(driver, 390)
    boxes = driver.execute_script(
        "return [...document.querySelectorAll('figure svg')].map((own) => own.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 7
    for box in boxes:
        assert 300 < box["width"] <= 390
        assert box["height"] > 150
    sizes = driver.execute_script(
        "return [...document.querySelectorAll('figure svg text')].map((own) => own.getBoundingClientRect().height)"
    )
    assert min(sizes) > 8  # pixels, to be read


def test_the_three_tables_stand_beside_one_another_where_there_is_room(driver):
    script = "return [...document.querySelectorAll('.tables .scroll')].map((own) => own.getBoundingClientRect().top)"
    set_width(driver, 1280)
    tops = driver.execute_script(script)[:3]
    assert len(set(tops)) == 1
    set_width(driver, 390)
    assert len(set(driver.execute_script(script)[:3])) == 3


def test_a_number_leads_to_its_run(driver):
    set_width(driver, 1280)
    driver.find_element("css selector", "td a[href='#run-1']").click()
    assert "seed 0" in driver.find_element("css selector", "li:target").text


def test_paper_is_white_and_cuts_no_table(driver):
    """As wide as A4 between its margins, in a browser that is set to dark."""
    set_width(driver, 703)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    try:
        style = "const own = getComputedStyle(document.body); return [own.color, own.backgroundColor]"
        assert driver.execute_script(style) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        cut = "return [...document.querySelectorAll('table')].map((own) => own.getBoundingClientRect().right)"
        assert max(driver.execute_script(cut)) <= 703
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
