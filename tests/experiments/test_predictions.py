"""What prediction does beside the engine: frames, batches read ahead, the best of many classes."""

import threading

import numpy as np
import pytest

from datasets.errors import DataError
from experiments import inference
from experiments.inference import batches, predictions


@pytest.mark.parametrize("classes", [19, 64, 1279, 1280, 3862])
@pytest.mark.parametrize("top_k", [1, 20])
def test_the_best_of_many_classes_are_those_of_a_whole_sort(classes, top_k):
    random = np.random.default_rng(classes)
    values = random.random((30, classes)).astype(np.float32)
    values[10:20] = values[10:20].round(1)  # with many that are equal
    values[20:25, : classes // 2] = 0.0
    values[25] = 1.0
    order = np.argsort(-values, axis=1, kind="stable")[:, :top_k]
    found, best = predictions.best(values, top_k)
    np.testing.assert_array_equal(found, order)
    np.testing.assert_array_equal(best, np.take_along_axis(values, order, axis=1))


def test_frames_that_were_found_once_cannot_be_changed():
    seen = batches.frames_seen(7, 3)
    np.testing.assert_array_equal(seen, [1, 3, 5])
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 0
    assert batches.frames_seen(7, 3) is seen
    np.testing.assert_array_equal(batches.frames_seen(4, None), [0, 1, 2, 3])


def test_the_next_batch_is_read_while_one_is_computed():
    read = threading.Event()

    def batches_of_two():
        yield "first"
        read.set()
        yield "second"
        raise DataError("the third cannot be read")

    found = inference._ahead(batches_of_two())
    assert next(found) == "first"
    assert read.wait(timeout=20)
    assert next(found) == "second"
    with pytest.raises(DataError, match="the third"):
        next(found)
