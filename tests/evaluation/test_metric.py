"""What every metric promises."""

import math

import numpy as np
import pytest

from evaluation.metric_set import metric_classes

every_metric = pytest.mark.parametrize("metric_class", metric_classes(), ids=lambda metric_class: metric_class.name)


def tied_case(videos=600, num_classes=40):
    """Predictions of few values, and the labels they hint at; some videos have none, some many."""
    rng = np.random.default_rng(0)
    labels = rng.random((videos, num_classes)) < rng.choice([0.0, 0.05, 0.7], (videos, 1))
    predictions = (rng.integers(-2, 5, labels.shape) + labels) / 4
    return predictions.astype(np.float32), labels


@every_metric
def test_perfect_predictions_score_1(metric_class):
    labels = np.random.default_rng(0).random((50, 100)) < 0.05
    labels[:, 7] = True  # no video without a label
    metric = metric_class()
    metric.update(labels, labels)
    assert metric.get() == pytest.approx(1.0, abs=1e-12)


@every_metric
@pytest.mark.parametrize("batch_size", [1, 7, 256, 257])
def test_batch_size_changes_nothing(metric_class, batch_size):
    predictions, labels = tied_case()
    whole, streamed = metric_class(top_k=5), metric_class(top_k=5)
    whole.update(predictions, labels)
    for start in range(0, len(labels), batch_size):
        videos = slice(start, start + batch_size)
        streamed.update(predictions[videos], labels[videos])
    assert streamed.get() == whole.get()
    assert 0 < whole.get() < 1


@every_metric
@pytest.mark.parametrize("seed", range(5))
def test_order_of_videos_changes_nothing(metric_class, seed):
    predictions, labels = tied_case()
    order = np.random.default_rng(seed).permutation(len(labels))
    as_given, shuffled = metric_class(top_k=5), metric_class(top_k=5)
    as_given.update(predictions, labels)
    shuffled.update(predictions[order], labels[order])
    assert shuffled.get() == as_given.get()


@every_metric
@pytest.mark.parametrize("machines", [2, 5])
def test_what_several_saw_is_put_together(metric_class, machines):
    predictions, labels = tied_case()
    whole, merged = metric_class(top_k=5), metric_class(top_k=5)
    whole.update(predictions, labels)
    for machine in range(machines):
        own = metric_class(top_k=5)
        if machine:  # the first has seen nothing
            rows = slice(machine - 1, None, machines - 1)
            own.update(predictions[rows], labels[rows])
        merged.merge(own.state())
    assert merged.get() == whole.get()
    assert type(merged.get()) is float


@every_metric
def test_refuses_to_put_together_other_classes(metric_class):
    own, other = metric_class(), metric_class()
    own.update(np.eye(3), np.eye(3))
    other.update(np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match="got 4 classes after 3"):
        own.merge(other.state())


@every_metric
def test_dtypes_change_nothing(metric_class):
    predictions, labels = tied_case()  # quarters: exact in every dtype
    values = set()
    for prediction_dtype in (np.float16, np.float32, np.float64):
        for label_dtype in (bool, np.uint8, np.int64, np.float32):
            metric = metric_class()
            metric.update(predictions.astype(prediction_dtype), labels.astype(label_dtype))
            values.add(metric.get())
    assert len(values) == 1


@every_metric
def test_get_is_a_float_and_may_be_asked_in_between(metric_class):
    predictions, labels = tied_case()
    metric, other = metric_class(), metric_class()
    metric.update(predictions[:300], labels[:300])
    assert type(metric.get()) is float
    metric.update(predictions[300:], labels[300:])
    other.update(predictions, labels)
    assert metric.get() == other.get()


@every_metric
def test_keeps_no_view_of_what_it_was_given(metric_class):
    predictions, labels = tied_case()
    metric = metric_class()
    metric.update(predictions, labels)
    before = metric.get()
    predictions[:], labels[:] = 0.0, False
    assert metric.get() == before


@every_metric
@pytest.mark.parametrize("shape", [None, (0, 40)])
def test_no_videos_is_nan(metric_class, shape):
    metric = metric_class()
    if shape:
        metric.update(np.zeros(shape), np.zeros(shape))
    assert math.isnan(metric.get())


@every_metric
def test_refused_videos_leave_no_trace(metric_class):
    predictions, labels = tied_case()
    metric = metric_class()
    metric.update(predictions, labels)
    before = metric.get()
    spoilt = predictions.copy()
    spoilt[-1, -1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        metric.update(spoilt, labels)
    with pytest.raises(ValueError, match="got 39 classes after 40"):
        metric.update(predictions[:, :39], labels[:, :39])
    assert metric.get() == before


@every_metric
@pytest.mark.parametrize("top_k", [0, -1, 2.5, "20"])
def test_refuses_top_k(metric_class, top_k):
    with pytest.raises(ValueError, match="top_k must be a whole number of at least 1"):
        metric_class(top_k)
