"""What the tests of the models share."""

from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_models import zoo

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def golden():
    """Reads one of Paddle's golden files into a dict."""

    def read(name):
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return dict(arrays)

    return read


@pytest.fixture
def wide_lstm():
    """An AttentionLSTM whose layers have enough values each to tell how they were drawn; not initialised yet."""
    mx.random.seed(0)
    return zoo.create(
        "attention_lstm",
        feature_dims={"rgb": 64},
        num_classes=300,
        embedding_size=96,
        lstm_size=25,
        hidden_units=[200],
        dropout=0.5,
    )


@pytest.fixture
def assert_gradients():
    """Holds gradients of `run()`, a function of `arrays`, against central differences in float64."""

    def check(run, arrays, step=1e-5, elements=12):
        """`run` returns an NDArray; of each float64 array, `elements` randomly chosen ones are checked."""
        rng = np.random.default_rng(5)
        for array in arrays:
            array.attach_grad()
        with autograd.record(train_mode=False):
            output = run()
            weights = mx.nd.array(rng.normal(size=output.shape), dtype="float64")
            loss = (output * weights).sum()
        loss.backward()
        for array in arrays:
            assert array.dtype == np.float64
            values = array.asnumpy()
            for position in rng.permutation(values.size)[:elements]:
                ends = []
                for sign in (1, -1):
                    moved = values.copy()
                    moved.flat[position] += sign * step
                    array[:] = moved
                    ends.append((run() * weights).sum().asscalar())
                difference = (ends[0] - ends[1]) / (2 * step)
                assert array.grad.asnumpy().flat[position] == pytest.approx(difference, rel=1e-6, abs=1e-8)
            array[:] = values

    return check
