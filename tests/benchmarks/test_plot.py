"""The picture beside a benchmark's table."""

import numpy as np
import pytest
from matplotlib import image

from benchmarks import plot
from benchmarks.plot import Bar, Panel
from benchmarks.record import Record


def coloured(picture, colour):
    """How many of the picture's points are of a colour."""
    wanted = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return int((np.abs(picture[..., :3] - wanted).max(axis=-1) < 0.01).sum())


@pytest.mark.parametrize("panels", [1, 2, 4, 7])
def test_bars_are_as_long_as_their_medians_and_have_their_sides_colour(panels, tmp_path):
    bars = [Bar("MXNet 1, gluon", [30.0, 20.0, 90.0]), Bar("PyTorch 2", [10.0]), Bar("Paddle 3", [5.0, 5.0], "50 MB")]
    plot.draw(tmp_path / "p.png", "speed\nmachine", "videos/s", [Panel(f"batch {n}", bars) for n in range(panels)])
    picture = image.imread(tmp_path / "p.png")
    found = [coloured(picture, own) for own in (plot.OURS_COLOUR, plot.COLOURS["PyTorch"], plot.COLOURS["Paddle"])]
    assert found[0] / found[1] == pytest.approx(3, rel=0.15)
    assert found[1] / found[2] == pytest.approx(2, rel=0.15)
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_panels_may_have_different_bars(tmp_path):
    panels = [Panel("one", [Bar("ours", [1.0])]), Panel("two", [Bar("limit: copy", [2.0]), Bar("protobuf", [1.0])])]
    plot.draw(tmp_path / "p.png", "speed", "videos/s", panels)
    picture = image.imread(tmp_path / "p.png")
    assert all(coloured(picture, own) for own in (plot.OURS_COLOUR, plot.COLOURS["limit"], plot.COLOURS["protobuf"]))


def test_the_picture_is_there_after_the_first_panel_and_grows(tmp_path):
    record = Record("speed", [], tmp_path)
    sizes = []
    for number in range(3):
        record.panel(f"batch {number}", "videos/s", [Bar("ours", [1.0, 2.0])])
        sizes.append(image.imread(tmp_path / "speed.png").shape[1])
    assert sizes[0] < sizes[1] < sizes[2]
