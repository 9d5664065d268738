"""Whether measured values reproduce a published one."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.registry import Published

CONFIDENCE = 0.95
NOT_RUN, INCONCLUSIVE, REPRODUCED, MISSED, ABOVE = "not run", "inconclusive", "reproduced", "missed", "above"
MEANING = {
    REPRODUCED: "with replicates: the interval of the mean lies within published ± tolerance",
    MISSED: "below published - tolerance: the whole interval, or the one value there is",
    ABOVE: "above published + tolerance, likewise: look for a leak, a wrong split, or a source that undersells itself",
    INCONCLUSIVE: "neither; one value within the tolerance is no more than that, replicates decide",
}


@dataclass(frozen=True)
class Verdict:
    """Measured against published, all as fractions of 1.

    Attributes:
        word: one of the constants above.
        values: how many were measured.
        mean: of them; None without any.
        deviation: their standard deviation (n - 1); None for fewer than two.
        interval: of the mean, Student's t at 95 %; None for fewer than two values.
        difference: mean less published; None without either.
    """

    word: str
    values: int
    mean: float | None
    deviation: float | None
    interval: tuple[float, float] | None
    difference: float | None


def judge(values: Sequence[float], published: Published | None) -> Verdict:
    """Hold ``values``, one a replicate, against ``published``; without it the word is empty, or ``not run``.

    The published value is taken as it stands: how much it would vary itself is not known of any source.
    """
    if not values:
        return Verdict(NOT_RUN, 0, None, None, None, None)
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else None
    interval = None if deviation is None else _interval(mean, deviation, len(values))
    if published is None:
        return Verdict("", len(values), mean, deviation, interval, None)
    low, high = interval or (mean, mean)
    bottom, top = published.value - published.tolerance, published.value + published.tolerance
    slack = 1e-9  # 0.87 - 0.86 is more than 0.01 to a computer
    if high < bottom - slack:
        word = MISSED
    elif low > top + slack:
        word = ABOVE
    elif interval and bottom - slack <= low and high <= top + slack:
        word = REPRODUCED
    else:
        word = INCONCLUSIVE
    return Verdict(word, len(values), mean, deviation, interval, mean - published.value)


def _interval(mean: float, deviation: float, count: int) -> tuple[float, float]:
    from scipy.special import stdtrit  # takes a while to import

    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(count)
    return mean - half, mean + half
