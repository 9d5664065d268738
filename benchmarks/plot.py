"""Medians as bars, from the lowest to the highest value a whisker: the picture beside a benchmark's table."""

import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIMIT = "limit"
# Colours that colour-blind readers tell apart; what is no peer's is ours.
OURS_COLOUR = "#0072B2"
COLOURS = {"PyTorch": "#E69F00", "Paddle": "#CC79A7", "protobuf": "#E69F00", LIMIT: "#BBBBBB"}
ROOM = 1.55  # of the longest bar, so that what is written behind it has a place
MOST_COLUMNS = 3
TITLE_WIDTH = 38  # letters
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": "#e4e4e4",
    "ytick.left": False,
}


@dataclass(frozen=True)
class Bar:
    """One way to do a piece of work.

    Attributes:
        name: beside the bar; it begins with the framework's, which has a colour.
        values: one a round.
        note: written in brackets behind the median.
    """

    name: str
    values: Sequence[float]
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """Bars on an axis of their own.

    Attributes:
        title: what work it is.
        bars: from the top downwards.
    """

    title: str
    bars: Sequence[Bar]


def draw(path: Path, title: str, unit: str, panels: Sequence[Panel]) -> None:
    """Write a picture.

    Args:
        path: ends in .png.
        title: above all panels.
        unit: of the values, beneath each axis.
        panels: at least one.
    """
    from matplotlib import style  # takes a while to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    same = len({tuple(bar.name for bar in panel.bars) for panel in panels}) == 1
    columns = len(panels) if len(panels) <= MOST_COLUMNS else 2 if len(panels) == 4 else MOST_COLUMNS
    if not same:
        columns = min(columns, 2)
    rows = -(-len(panels) // columns)
    width = 1.8 + 3.3 * columns if same else 5.2 * columns
    bars = max(len(panel.bars) for panel in panels)
    with style.context(["default", STYLE]):  # not as the user's own matplotlibrc has it
        figure = Figure((width, 0.6 + rows * (0.75 + 0.3 * bars)), layout="constrained")
        FigureCanvasAgg(figure)
        lines = [line for own in title.splitlines() for line in textwrap.wrap(own, int(width * 13))]
        figure.suptitle("\n".join(lines), fontsize=9, x=0.01, ha="left")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=same)
        for number, axes in enumerate(grid.flat):
            if number < len(panels):
                _panel(axes, panels[number], unit)
            else:
                axes.set_visible(False)
        aside = path.with_suffix(".part")
        figure.savefig(aside, dpi=150, format="png")
    aside.replace(path)


def _panel(axes: "Axes", panel: Panel, unit: str) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    medians = [statistics.median(bar.values) for bar in panel.bars]
    tops = [max(bar.values) for bar in panel.bars]
    places = range(len(panel.bars))
    axes.barh(places, medians, height=0.66, color=[_colour(bar.name) for bar in panel.bars])
    below = [median - min(bar.values) for median, bar in zip(medians, panel.bars, strict=True)]
    above = [top - median for median, top in zip(medians, tops, strict=True)]
    axes.errorbar(medians, places, xerr=[below, above], fmt="none", ecolor="#222222", elinewidth=1, capsize=2.5)
    for place, median, top, bar in zip(places, medians, tops, panel.bars, strict=True):
        text = f"{median:,.{0 if median >= 100 else 1 if median >= 10 else 2}f}"
        note = f" ({bar.note})" if bar.note else ""
        axes.annotate(text + note, (top, place), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.set_xlim(0, ROOM * max(tops))
    axes.set_ylim(len(panel.bars) - 0.5, -0.5)
    axes.set_yticks(places, [bar.name for bar in panel.bars])
    axes.set_title(textwrap.fill(panel.title, TITLE_WIDTH), loc="left", fontweight="bold")
    axes.set_xlabel(unit)


def _colour(name: str) -> str:
    return next((colour for start, colour in COLOURS.items() if name.startswith(start)), OURS_COLOUR)
