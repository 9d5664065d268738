"""The published initialisations, written with MXNet's own initializers.

Every layer of this package knows its sizes when it is made, so the fan-in is an argument here and never
guessed from a shape.
"""

import math

import mxnet as mx


def msra_normal(fan_in: int) -> mx.init.Initializer:
    """He et al. 2015: normal with standard deviation sqrt(2 / fan_in).

    Paddle takes the length of a bias as its fan-in (`_compute_fans` of fluid/initializer.py), hence
    `msra_normal(num_classes)` for a bias of `num_classes` elements.
    """
    return mx.init.Normal(math.sqrt(2.0 / fan_in))


def msra_uniform(fan_in: int) -> mx.init.Initializer:
    """Uniform with the variance of `msra_normal`: bounds of -+ sqrt(6 / fan_in)."""
    return mx.init.Uniform(math.sqrt(6.0 / fan_in))


def xavier_uniform(fan_in: int, fan_out: int) -> mx.init.Initializer:
    """Glorot and Bengio 2010, the default of Paddle's Linear: bounds of -+ sqrt(6 / (fan_in + fan_out))."""
    return mx.init.Uniform(math.sqrt(6.0 / (fan_in + fan_out)))


def fan_in_uniform(fan_in: int) -> mx.init.Initializer:
    """Bounds of -+ 1 / sqrt(fan_in): the default of torch's layers and, with its size, of Paddle's LSTM."""
    return mx.init.Uniform(1.0 / math.sqrt(fan_in))


def shift_normal(units: int) -> mx.init.Initializer:
    """For alpha and beta of the shifting operation: mean 0, standard deviation N^(-1/4).

    Both Paddle (`glorot`) and the paper's author (`glorot_normal`) start alpha and beta there, around 0.
    """
    return mx.init.Normal(units**-0.25)
