"""All metrics at once: google's values, and a slow, plain reference."""

from pathlib import Path

import numpy as np
import pytest

from evaluation import GAP, PERR, HitAt1, MeanAP, MetricSet, evaluate

GOLDEN = Path(__file__).parents[1] / "golden"
GOOGLES_NAMES = {"hit": "hit_at_1", "perr": "perr", "gap": "gap", "map": "mean_ap"}


@pytest.mark.parametrize("case", ["random_small", "k_gt_classes", "perfect"])
def test_googles_values(case):
    golden = np.load(GOLDEN / f"metric_{case}.npz")
    values = evaluate(golden["predictions"], golden["labels"])
    keys = [key for key in golden if key.startswith("google_epoch/") and not key.endswith("naps")]
    assert len(keys) == 8
    for key in keys:
        assert values[GOOGLES_NAMES[key.split("/")[-1]]] == pytest.approx(float(golden[key]), abs=1e-6), key
    for k in (1, 5, 20):
        gap = evaluate(golden["predictions"], golden["labels"], top_k=k)["gap"]
        assert gap == pytest.approx(float(golden[f"google/gap{k}"]), abs=1e-6)


def test_within_what_googles_batch_sizes_span_where_scores_tie():
    golden = np.load(GOLDEN / "metric_ties.npz")
    values = evaluate(golden["predictions"], golden["labels"])
    gaps = [float(golden[f"google_epoch/bs{batch_size}/gap"]) for batch_size in (5, 16)]
    assert min(gaps) < values["gap"] < max(gaps)
    assert values["hit_at_1"] == float(golden["google/hit"])


def reference_ap(entries, positives):
    """Average precision of (score, hit) pairs, tie by tie, by the sum of the documentation."""
    value = rank = hits_before = 0
    for score in sorted({score for score, _ in entries}, reverse=True):
        tie = [hit for other, hit in entries if other == score]
        k, h = len(tie), sum(tie)
        for j in range(1, k + 1):
            before = (j - 1) * (h - 1) / (k - 1) if k > 1 else 0
            value += h / k * (hits_before + 1 + before) / (rank + j)
        rank, hits_before = rank + k, hits_before + h
    return value / positives


def reference(predictions, labels, top_k):
    """The four definitions, one video and one class at a time."""
    videos, num_classes = labels.shape
    order = [sorted(range(num_classes), key=lambda c, v=v: (-predictions[v, c], c)) for v in range(videos)]
    n = [int(labels[v].sum()) for v in range(videos)]
    in_best_n = [sum(labels[v, c] for c in order[v][: n[v]] if predictions[v, c] > 0) for v in range(videos)]
    best = [(c, (predictions[v, c], labels[v, c])) for v in range(videos) for c in order[v][:top_k]]
    positives = labels.sum(axis=0)
    return {
        "hit_at_1": np.mean([labels[v, order[v][0]] for v in range(videos)]),
        "perr": np.mean([in_best_n[v] / n[v] if n[v] else 0 for v in range(videos)]),
        "gap": reference_ap([entry for _, entry in best], sum(n)),
        "mean_ap": np.mean(
            [reference_ap([entry for d, entry in best if d == c], positives[c]) for c in np.flatnonzero(positives)]
        ),
    }


@pytest.mark.parametrize("top_k", [1, 5, 20])
@pytest.mark.parametrize("levels", [2, 6, 10**6], ids=["binary", "coarse", "fine"])
@pytest.mark.parametrize(("videos", "num_classes"), [(1, 3), (9, 7), (30, 40), (12, 150)])
def test_equals_the_reference(videos, num_classes, levels, top_k):
    rng = np.random.default_rng(videos + levels)
    labels = rng.random((videos, num_classes)) < rng.choice([0.0, 0.1, 0.6], (videos, 1))
    labels[0, 1] = True
    predictions = rng.integers(-1, levels, labels.shape) / levels
    expected = reference(predictions, labels.astype(int), top_k)
    assert evaluate(predictions, labels, top_k=top_k) == pytest.approx(expected, abs=1e-12)


def test_equals_the_metrics_one_by_one():
    rng = np.random.default_rng(0)
    labels = rng.random((700, 50)) < 0.1
    predictions = rng.random(labels.shape, dtype=np.float32)
    metrics = MetricSet(top_k=7)
    for start in range(0, 700, 300):
        metrics.update(predictions[start : start + 300], labels[start : start + 300])
    for metric_class in (HitAt1, PERR, GAP, MeanAP):
        metric = metric_class(top_k=7)
        metric.update(predictions, labels)
        assert metrics.get()[metric.name] == metric.get()


def test_sets_are_put_together():
    rng = np.random.default_rng(0)
    predictions, labels = rng.random((90, 30)), rng.random((90, 30)) < 0.1
    whole, merged = MetricSet(), MetricSet()
    whole.update(predictions, labels)
    for rows in (slice(60, None), slice(0), slice(60)):
        own = MetricSet()
        own.update(predictions[rows], labels[rows])
        merged.merge(own.state())
    assert merged.get() == whole.get()


@pytest.mark.parametrize("videos", [1, 7, 60, 61])
def test_sets_are_put_together_part_by_part(videos):
    rng = np.random.default_rng(0)
    predictions, labels = rng.random((60, 30)), rng.random((60, 30)) < 0.1
    whole, merged = MetricSet(), MetricSet()
    whole.update(predictions, labels)
    parts = list(whole.states(videos))
    assert len(parts) == -(-60 // videos)
    assert all(len(own) <= max(videos, 31) for part in parts for own in part.values() if own.ndim)
    for part in [*parts, *MetricSet().states(videos)]:
        merged.merge(part)
    assert merged.get() == whole.get()


def test_names_are_unique():
    metrics = MetricSet().metrics
    assert {"hit_at_1", "perr", "gap", "mean_ap"} <= {metric.name for metric in metrics}
    assert len({metric.name for metric in metrics}) == len(metrics)


def test_refuses_as_the_metrics_do():
    with pytest.raises(ValueError, match="must both be"):
        evaluate(np.zeros((3, 4)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="top_k"):
        evaluate(np.zeros((3, 4)), np.zeros((3, 4)), top_k=0)
    metrics = MetricSet()
    metrics.update(np.zeros((3, 4)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="got 5 classes after 4"):
        metrics.update(np.zeros((3, 5)), np.zeros((3, 5)))
