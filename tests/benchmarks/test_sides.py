"""The sides of a comparison: the same net on each, and what they answer."""

import dataclasses

import numpy as np
import pytest

from benchmarks import flash_mnist_head, models
from benchmarks.peers import measuring
from benchmarks.sides import FRAMEWORKS, OURS, Side
from experiments.errors import UserError

PEER_WAYS = {
    "train": {"PyTorch": ["default", "fused", measuring.WITHOUT], "Paddle": ["eager", "static"]},
    "predict": {"PyTorch": ["eager", "prepacked"], "Paddle": ["eager", "predictor"]},
}


@pytest.mark.long
@pytest.mark.parametrize("mode", ["train", "predict"])
@pytest.mark.parametrize("model", ["attention_cluster", "attention_lstm"])
def test_every_side_is_the_same_net_and_another_is_refused(model, mode, ours, peers, small_case, tmp_path):
    case = small_case(model, mode)
    ours.save(case, tmp_path)
    ways = {ours: [way for framework, way in models.WAYS[mode] if framework == OURS]}
    for name, peer in zip(("PyTorch", "Paddle"), peers, strict=True):
        ways[peer] = PEER_WAYS[mode][name]
    for side, names in ways.items():
        side.load(case, tmp_path, names, tolerance=1e-4)
        for name in names:
            answer = side.ask(run=name, seconds=0.001)
            assert answer["videos_per_second"] > 0
            assert answer["processors"] > 0
            assert 1e7 < answer["peak_bytes"] < 1e10
        assert side.ask(gemm=64)["gflops"] > 0
    saved = measuring.saved(tmp_path)
    np.savez(tmp_path / measuring.WEIGHTS, **{**saved, "classifier.weight": saved["classifier.weight"] * 1.01})
    for side, names in ways.items():
        if names == ["gluon", "mxnet", "onnxruntime"]:
            names = ["gluon"]  # the others have what was exported
        with pytest.raises(UserError, match="the logits differ from ours by"):
            side.load(case, tmp_path, names[:1], tolerance=1e-4)


@pytest.mark.long
def test_a_head_of_flash_mnist_is_the_same_net(ours, peers, tmp_path):
    for column in flash_mnist_head.COLUMNS:
        case = dataclasses.replace(flash_mnist_head.case_of(column, 3), batch_size=9, steps=1)
        ours.save(case, tmp_path)
        ours.load(case, tmp_path, flash_mnist_head.WAYS[OURS], flash_mnist_head.TOLERANCE)
        peers[0].load(case, tmp_path, flash_mnist_head.WAYS["PyTorch"], flash_mnist_head.TOLERANCE)
        speed = ours.ask(run="gluon", seconds=0.001, processor=True)
        assert speed["videos_per_processor_second"] > 0


@pytest.mark.long
def test_a_process_that_ends_says_why(monkeypatch):
    monkeypatch.setitem(FRAMEWORKS, OURS, "nothing")
    with Side(OURS, threads=1) as side, pytest.raises(UserError, match=r"nothing\.py: .*No module"):
        side.ask(run="gluon", seconds=1)


def test_the_first_videos_are_the_same_for_any_batch_size(small_case):
    case = small_case("attention_cluster", "train")
    few, many = (measuring.batches(dataclasses.replace(case, batch_size=size))[0] for size in (3, 20))
    for own, other in zip(few.features, many.features, strict=True):
        assert own.dtype == np.uint8
        np.testing.assert_array_equal(own, other[:3])
    assert many.labels.shape == (20, 9)
    assert set(np.unique(many.labels)) == {0.0, 1.0}
    one_label = measuring.batches(dataclasses.replace(case, single_label=True, ranges={}))[0]
    assert one_label.labels.shape == (5,)
    assert one_label.features[0].dtype == np.float32
