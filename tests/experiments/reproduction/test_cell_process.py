from dataclasses import replace

import pytest

from datasets.cluster import Seat
from experiments import journal
from experiments.reproduction import cell_process
from experiments.reproduction.cell_process import INTERRUPTED, Order


@pytest.fixture
def order(tmp_path, data_root) -> Order:
    return Order(tmp_path / "runs", str(data_root), (), {})


def seat(looks: int) -> Seat:
    """One that nobody waits for any more after so many looks."""
    left = iter([False] * looks)
    return Seat("host", lambda: next(left, True))


def test_a_complete_cell_is_not_run_again(cell, run_of, order):
    """Dask hands out a task again whose result was lost."""
    run_of(cell("average", 1))
    assert cell_process.run(cell("average", 1), 0, order, seat(1)) == ""
    assert len(list(journal.journals(order.runs_dir))) == 1


def test_a_cell_that_another_process_runs_is_waited_for(cell, run_of, order):
    own = run_of(cell("average", 1), status=journal.RUNNING)
    assert own.take()
    assert cell_process.run(cell("average", 1), 0, order, seat(3)) == INTERRUPTED
    assert len(list(journal.journals(order.runs_dir))) == 1


def test_a_worker_without_the_data_says_so(cell, order, tmp_path):
    order = replace(order, data_root=str(tmp_path / "none"))
    said = cell_process.run(cell("average", 1), 0, order, seat(1))
    assert said.startswith(f"on host: dataset flash_mnist: not in {tmp_path}/none")
