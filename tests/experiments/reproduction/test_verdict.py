import numpy as np
import pytest
from scipy import stats

from experiments.registry import Published
from experiments.reproduction.verdict import ABOVE, INCONCLUSIVE, MISSED, NOT_RUN, REPRODUCED, judge

PUBLISHED = Published("hit_at_1", 0.87, 0.01, "a paper")


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([], NOT_RUN),
        ([0.87], INCONCLUSIVE),
        ([0.86], INCONCLUSIVE),  # on the border is within
        ([0.88], INCONCLUSIVE),
        ([0.8599], MISSED),
        ([0.8801], ABOVE),
        ([0.99], ABOVE),
        ([0.870, 0.871, 0.869], REPRODUCED),
        ([0.870, 0.880, 0.860], INCONCLUSIVE),  # the interval is wider than the tolerance
        ([0.861, 0.861, 0.8611], REPRODUCED),
        ([0.84, 0.841, 0.842], MISSED),
        ([0.90, 0.901, 0.902], ABOVE),
        ([0.855, 0.865], INCONCLUSIVE),
        ([0.87, 0.87], REPRODUCED),
    ],
)
def test_word(values, word):
    assert judge(values, PUBLISHED).word == word


def test_interval_is_students():
    values = [0.86, 0.88, 0.87, 0.874]
    own = judge(values, PUBLISHED)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert own.interval == pytest.approx(expected, abs=1e-12)
    assert own.mean == pytest.approx(np.mean(values))
    assert own.deviation == pytest.approx(np.std(values, ddof=1))
    assert own.difference == pytest.approx(np.mean(values) - 0.87)


def test_without_a_published_value_there_is_none_to_judge():
    assert (judge([0.5], None).word, judge([0.5], None).difference) == ("", None)
    assert judge([], None).word == NOT_RUN
