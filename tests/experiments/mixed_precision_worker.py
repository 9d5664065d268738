"""What test_mixed_precision.py runs in a process of its own, as AMP changes MXNet for good."""

import json
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet.contrib import amp
from test_devices import SIZES, Session, distance

from gluon_models import zoo
from gluon_models.dequantize import Dequantized

what, folder, place = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])


def state_of(place):
    return json.loads((place / "last" / "progress.json").read_text())["loss_scale"]


def begin_too_high(self):
    self._loss_scale = self._next_loss_scale = 2.0**127
    self._max_loss_scale, self._scale_seq_len, self._unskipped = 2.0**127, 2000, 0


two = [mx.cpu(0), mx.cpu(1)]
experiment = "attention_cluster_youtube8m"

if what == "types":  # of what a GPU would compute: MXNet infers them without one
    amp.init("float16")
    for sizes, name in zip(SIZES.values(), ("attention_cluster", "attention_lstm"), strict=True):
        net = zoo.create(name, feature_dims={"rgb": 24, "audio": 8}, num_classes=6, **sizes)
        net.initialize()
        net = Dequantized(net, {"rgb": (-2.0, 2.0), "audio": (-2.0, 2.0)})
        for lengths in (None, mx.sym.var("lengths")):
            logits = net([mx.sym.var("rgb"), mx.sym.var("audio")], lengths)
            given = {"rgb": "uint8", "audio": "uint8", **({} if lengths is None else {"lengths": "float32"})}
            arguments, outputs, _ = logits.infer_type(**given)
            assert outputs == [np.float16]
            assert set(arguments) == {np.uint8, np.float32}  # the parameters among them
else:  # the scaling of losses alone, which a CPU can do as well
    plain = Session(folder, place / "plain", experiment, two)
    amp.init("float16", target_precision_ops=[], fp32_ops=[], conditional_fp32_ops=[])
    scaled = Session(folder, place / "scaled", experiment, two)
    assert state_of(place / "scaled") == [2.0**16, 2.0**16, 50]
    assert scaled.losses == plain.losses  # a power of two, which the step undoes
    assert distance(plain.parameters(), scaled.parameters()) == 0

    amp.loss_scaler.LossScaler.__init__ = begin_too_high
    high = Session(folder, place / "high", experiment, two, epochs=4, loss_scale=1e3)
    scale, next_scale, unskipped = state_of(place / "high")
    assert scale == next_scale < 2.0**127
    assert 10 < unskipped < 40  # the steps before were left out, by both devices
    assert distance(high.parameters(0), high.parameters(1)) == 0
    assert high.losses[40] < 0.95 * high.losses[5]
    Session(folder, place / "high", experiment, two, loss_scale=1e3)
    assert state_of(place / "high") == [scale, scale, unskipped + 10]
