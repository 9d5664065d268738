"""The initialisation that Paddle's Fluid gives a layer by default, for recipes whose source leans on it."""

import mxnet as mx
from mxnet.gluon import Block, nn, rnn

from gluon_models.errors import ModelError
from gluon_models.initializers import xavier_uniform


def use_fluid_defaults(net: Block) -> None:
    """Makes `net.initialize()` start every dense and LSTM layer as Fluid does.

    A weight is Xavier uniform over the whole of its matrix, the four gates of an LSTM being one matrix; a bias
    is 0. Other parameters keep their own initialisers. To be called before `net.initialize()`.
    """

    def replace(layer: Block) -> None:
        if isinstance(layer, nn.Dense | rnn.LSTM):
            for parameter in layer.params.values():
                if 0 in parameter.shape:
                    raise ModelError(f"layer {layer.name}: its input size is unknown; give it in_units or input_size")
                if len(parameter.shape) == 2:
                    fan_out, fan_in = parameter.shape
                    parameter.init = xavier_uniform(fan_in, fan_out)
                else:
                    parameter.init = mx.init.Zero()

    net.apply(replace)
