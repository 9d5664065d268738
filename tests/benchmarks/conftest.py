"""Small cases, and our side's process."""

import dataclasses

import pytest

from benchmarks import published
from benchmarks.sides import OURS, PEER_PYTHON, Side

SMALL = {
    "attention_cluster": {"cluster_nums": 3, "hidden_units": [7, 8]},
    "attention_lstm": {"embedding_size": 5, "lstm_size": 3, "hidden_units": [7, 8]},
}


@pytest.fixture(scope="session")
def small_case():
    def make(model, mode):
        whole = published.case(model, mode, batch_size=5)
        sizes = {"feature_dims": {"rgb": 6, "audio": 4}, "classes": 9, "frames": 7}
        return dataclasses.replace(whole, numbers={**whole.numbers, **SMALL[model]}, **sizes)

    return make


@pytest.fixture(scope="session")
def ours():
    with Side(OURS, threads=1) as side:
        yield side


@pytest.fixture(scope="session")
def peers():
    if not PEER_PYTHON.exists():
        pytest.skip("no PyTorch and Paddle here; `make .venv-peers/.complete` installs them")
    with Side("PyTorch", threads=1) as torch, Side("Paddle", threads=1) as paddle:
        yield [torch, paddle]
