import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_models import zoo
from gluon_models.errors import ModelError
from gluon_models.fluid_defaults import use_fluid_defaults


def test_weights_are_xavier_uniform_and_biases_0(wide_lstm):
    use_fluid_defaults(wide_lstm)
    wide_lstm.initialize()
    parameters = wide_lstm._collect_params_with_prefix()
    assert len(parameters) == 16
    for name, parameter in parameters.items():
        values = parameter.data().asnumpy()
        if name.endswith("bias"):
            assert not values.any()
        else:
            bound = np.sqrt(6 / sum(values.shape))  # an LSTM's four gates are one matrix
            assert 0.9 * bound < np.abs(values).max() <= bound
            assert values.std() == pytest.approx(bound / np.sqrt(3), rel=4 / np.sqrt(values.size))


def test_other_parameters_keep_their_own():
    net = zoo.create("attention_cluster", **zoo.find("attention_cluster").examples[0])
    use_fluid_defaults(net)
    net.initialize()
    assert net.clusters[0].alpha.data().asnumpy().all()


def test_a_layer_of_unknown_size_is_refused():
    with pytest.raises(ModelError, match=r"layer dense\d+: its input size is unknown"):
        use_fluid_defaults(nn.Dense(3))
