"""Matplotlib's drawings as SVG text that stands within a page: ids of its own, nothing fetched, text as text."""

import io
import re
from collections.abc import Callable
from html import escape
from typing import Any

# Colours that colour-blind readers tell apart (Okabe and Ito); drawings are on white, whatever the page is on.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osDv^P*"
STYLE = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "image.cmap": "Blues",
}


def drawing(name: str, description: str, size: tuple[float, float], draw: Callable[[Any], None]) -> str:
    """An ``<svg>`` element.

    Args:
        name: that no other drawing of the page has.
        description: for who does not see it.
        size: width and height in inches; the page scales it.
        draw: is given Matplotlib's figure, and draws.
    """
    from matplotlib import style  # takes a while to import
    from matplotlib.figure import Figure

    text = io.StringIO()
    with style.context(["default", {**STYLE, "svg.hashsalt": name}]):  # not as the user's own matplotlibrc has it
        figure = Figure(size, layout="constrained")
        draw(figure)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)  # None leaves an item out
    return _inline(text.getvalue(), name, description)


def _inline(text: str, name: str, description: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    # What refers to an id of this drawing follows it; links to the page's own places stay.
    text = re.sub(r'(url\(|href=")#([^")]+)', lambda at: f"{at[1]}#{name}-{at[2]}" if at[2] in ids else at[0], text)
    head = re.match(r"<svg[^>]*>", text)
    assert head is not None
    view = re.search(r'viewBox="[^"]*"', head[0])
    assert view is not None
    label = f"{name}-described"
    return (
        f'<svg {view[0]} role="img" aria-labelledby="{label}"><title id="{label}">{escape(description)}</title>'
        f"{text[head.end() :].strip()}"
    )
