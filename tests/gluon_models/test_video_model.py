import mxnet as mx
import numpy as np
import pytest

from gluon_models.errors import ModelError
from gluon_models.video_model import VideoModel


class Lengths(VideoModel):
    """Gives the lengths that it understood, a column a modality."""

    def hybrid_forward(self, F, features, lengths=None):
        columns = [self.lengths_of(F, index, frames, lengths) for index, frames in enumerate(features)]
        return F.stack(*columns, axis=1)


FEATURES = [mx.nd.zeros((2, 6, 3)), mx.nd.zeros((2, 4, 1))]


@pytest.mark.parametrize("hybridize", [True, False])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_lengths_for_all_or_for_each_modality(hybridize, dtype):
    net = Lengths(["rgb", "audio"])
    net.hybridize(hybridize)
    common = net(FEATURES, mx.nd.array([3, 1], dtype=dtype))
    np.testing.assert_array_equal(common.asnumpy(), [[3, 3], [1, 1]])
    each = net(FEATURES, mx.nd.array([[3, 0], [5, 4]], dtype=dtype))
    np.testing.assert_array_equal(each.asnumpy(), [[3, 0], [5, 4]])
    assert each.dtype == np.int32


@pytest.mark.parametrize("hybridize", [True, False])
def test_lengths_outside_of_the_array_are_cut(hybridize):
    net = Lengths(["rgb", "audio"])
    net.hybridize(hybridize)
    lengths = net(FEATURES, mx.nd.array([900, -3], dtype="int32"))
    np.testing.assert_array_equal(lengths.asnumpy(), [[6, 4], [0, 0]])


def test_wrong_number_of_modalities_is_refused():
    with pytest.raises(ModelError, match="1 feature arrays for the modalities rgb, audio"):
        Lengths(["rgb", "audio"])(FEATURES[:1], None)
    with pytest.raises(ModelError, match="at least one modality"):
        VideoModel([])


@pytest.mark.parametrize("hybridize", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (2, 1), (3,), (1, 2), (2, 2, 1)])
def test_lengths_of_another_shape_are_refused(hybridize, shape):
    net = Lengths(["rgb", "audio"])
    net.hybridize(hybridize)
    with pytest.raises(ModelError, match=r"lengths has shape .*; it must be \(2,\), or \(2, 2\) for rgb, audio"):
        net(FEATURES, mx.nd.ones(shape))
