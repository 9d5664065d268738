"""The initialisation that torch gives a layer by default, for recipes whose source is written in torch."""

import math

import mxnet as mx
from mxnet.gluon import Block, nn

from gluon_models.errors import ModelError


def use_torch_defaults(net: Block) -> None:
    """Makes `net.initialize()` start every dense and convolution layer as torch does.

    Weight and bias are uniform within -+ 1 / sqrt(fan_in), the fan-in being the weight's. Other parameters keep
    their own initialisers. To be called before `net.initialize()`.
    """

    def replace(layer: Block) -> None:
        if isinstance(layer, nn.Dense | nn.Conv2D):
            fan_in = math.prod(layer.weight.shape[1:])
            if fan_in <= 0:
                raise ModelError(f"layer {layer.name}: its input size is unknown; give it in_units or in_channels")
            bound = 1.0 / math.sqrt(fan_in)
            layer.weight.init = mx.init.Uniform(bound)
            if layer.bias is not None:
                layer.bias.init = mx.init.Uniform(bound)

    net.apply(replace)
