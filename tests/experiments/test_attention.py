"""What is told of attention weights, whatever net they are of."""

import numpy as np

from experiments.inference import attention
from experiments.inference.attention import Attention


def attention_of(weights, frames=None, rate=1.0):
    weights = np.atleast_2d(np.array(weights, np.float32))
    return Attention(np.arange(weights.shape[1]) if frames is None else np.array(frames), weights, rate)


def test_a_frame_seen_twice_has_the_sum_of_its_weights():
    own = attention_of([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], frames=[0, 0, 7, 7]).by_frame()
    assert own.frames.tolist() == [0, 7]
    np.testing.assert_allclose(own.weights, [[0.3, 0.7], [0.7, 0.3]], rtol=1e-6)


def test_the_line_names_the_strongest_first_and_fits():
    peaked = {"rgb": attention_of([[0.1, 0.5, 0.4], [0.1, 0.7, 0.2]]), "audio": attention_of([[0.25, 0.75]], [0, 75])}
    assert attention.line(peaked, 200) == "looked at: rgb 0:01 60 %, 0:02 30 %, 0:00 10 %; audio 1:15 75 %, 0:00 25 %"
    assert attention.line(peaked, 66) == "looked at: rgb 0:01 60 %, 0:02 30 %; audio 1:15 75 %, 0:00 25 %"
    assert attention.line(peaked, 50) == "looked at: rgb 0:01 60 %; audio 1:15 75 %"
    assert len(attention.line(peaked, 20)) == 20
    none = {"rgb": attention_of(np.full((2, 8), 1 / 8)), "audio": attention_of(np.zeros((2, 0)))}
    assert attention.line(none, 80) == "looked at: rgb all 8 frames alike"
    assert attention.line({"flow": attention_of([[0.2, 0.8]], rate=None)}, 80) == (
        "looked at: flow frame 1 80 %, frame 0 20 %"
    )


def test_times():
    seconds = [0, 7, 59.999, 3723, 0.5, 61.04, 1 / 3]
    assert [attention.clock(own) for own in seconds] == [
        "0:00", "0:07", "1:00", "1:02:03", "0:00.5", "1:01.04", "0:00.33"
    ]  # fmt: skip
