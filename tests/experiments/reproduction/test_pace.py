import pytest

from experiments.reproduction.pace import Pace
from experiments.reproduction.plan import plan


def pace_of(runs, cells):
    runs.refresh()
    return Pace({own.name: (own, runs.of(own)) for own in cells})


def test_what_was_not_run_is_judged_by_what_was(runs, run_of, cell):
    """640 videos at 64 a second: an epoch takes 10 s."""
    cells = [cell(column, row) for column in ("average", "shift_fc1") for row in (1, 2, 4, 8)]
    assert pace_of(runs, cells).seconds_per_epoch(cells[0]) is None
    assert pace_of(runs, cells).seconds_left(plan(cells, 1, runs), 2) is None
    for row, speed in ((1, 64.0), (2, 32.0)):
        own = run_of(cell("average", row))
        own.metric("train.videos_per_second", speed, 1)
        own.close()
    pace = pace_of(runs, cells)
    assert pace.seconds_per_epoch(cell("average", 2)) == pytest.approx(20)  # measured
    assert pace.seconds_per_epoch(cell("shift_fc1", 2)) == pytest.approx(20)  # as its row
    assert pace.seconds_per_epoch(cell("shift_fc1", 4)) == pytest.approx(40)  # on a line through 1: 10 and 2: 20
    left = 100 * (10 + 20 + 2 * 40 + 2 * 80)  # two of eight are done
    assert pace.seconds_left(plan(cells, 1, runs), 2) == pytest.approx(left / 2)
    assert pace.seconds_left(plan(cells[:2], 1, runs), 2) == 0
    assert pace.seconds_left(plan([cell("shift_fc1", 8)], 1, runs), 2) == pytest.approx(8000)  # one cannot be halved
