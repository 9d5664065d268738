"""AttentionLSTM: a bidirectional LSTM with attention a modality, then fully connected layers.

Layers and initialisation as in PaddlePaddle/PaddleVideo develop,
paddlevideo/modeling/heads/attention_lstm_head.py. In comments on shapes B is the batch, T the frames, E the
embedding and H the size of one direction of the LSTM.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import mxnet as mx
from mxnet.gluon import HybridBlock, nn, rnn

from gluon_models import zoo
from gluon_models.attention import masked_softmax
from gluon_models.dropout import Dropout, DropoutMode
from gluon_models.initializers import fan_in_uniform, xavier_uniform
from gluon_models.video_dense import VideoDense
from gluon_models.video_model import VideoModel, check_sizes

LARGE_LSTM = 512  # H
_SMALL = {"feature_dims": {"rgb": 6, "audio": 3}, "num_classes": 5, "embedding_size": 4, "lstm_size": 3}


@zoo.register("attention_lstm")
class AttentionLSTM(VideoModel):
    """Per modality FC tanh -> bidirectional LSTM -> dropout -> attention; concat -> FC relu -> FC tanh -> FC.

    The output biases start from N(0, 1). PaddleVideo seems to have lost the `scale=0.0` of the older static
    version there (`NormalInitializer(scale=0.0)` became `Normal()`), but its published figures were reached
    from it, and so we keep it.

    Args:
        feature_dims: Modality -> width of its features; its order is the order of the inputs.
        num_classes: Number of classes.
        embedding_size: E, width of the layer before the LSTM.
        lstm_size: H, width of one direction of the LSTM.
        hidden_units: Widths of the layers before the classifier, the last with tanh, those before it with
            relu; [] for none.
        dropout: Share of the LSTM's outputs dropped in training.
        dropout_mode: Which outputs are scaled: those kept in training, or all in evaluation; see `Dropout`.
        prefix: Gluon's name prefix.
        params: Gluon's shared parameters.

    Input: features, a list of (B, T, F_m); lengths (B,), (B, M) or None. Output: logits (B, num_classes).
    """

    examples: ClassVar[list[dict[str, Any]]] = [
        {**_SMALL, "hidden_units": [7, 8], "dropout": 0.5},
        {**_SMALL, "hidden_units": [], "dropout": 0.5, "dropout_mode": "downgrade_in_infer"},
    ]

    def __init__(
        self,
        *,
        feature_dims: Mapping[str, int],
        num_classes: int,
        embedding_size: int,
        lstm_size: int,
        hidden_units: Sequence[int],
        dropout: float,
        dropout_mode: DropoutMode = "upscale_in_train",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(list(feature_dims), prefix=prefix, params=params)
        check_sizes(
            num_classes=num_classes, embedding_size=embedding_size, lstm_size=lstm_size, hidden_units=hidden_units
        )
        self.feature_dims = dict(feature_dims)
        if lstm_size >= LARGE_LSTM:
            self.cpu_batch = 64  # 100 frames of a video take 30 MB in training at the published size
        with self.name_scope():
            self.encoders = [
                Encoder(dim, embedding_size, lstm_size, dropout, dropout_mode) for dim in feature_dims.values()
            ]
            for modality, encoder in zip(self.modalities, self.encoders, strict=True):
                self.register_child(encoder, f"encoder_{modality}")
            self.hidden = nn.HybridSequential()
            width = 2 * lstm_size * len(feature_dims)
            for index, size in enumerate(hidden_units):
                last = index == len(hidden_units) - 1
                self.hidden.add(_output_dense(size, width, activation="tanh" if last else "relu"))
                width = size
            self.classifier = _output_dense(num_classes, width)

    def hybrid_forward(self, F: Any, features: list[Any], lengths: Any = None) -> Any:
        """See the class."""
        outputs = [
            encoder(frames, self.lengths_of(F, index, frames, lengths))  # (B, 2 H)
            for index, (encoder, frames) in enumerate(zip(self.encoders, features, strict=True))
        ]
        return self.classifier(self.hidden(F.concat(*outputs, dim=1)))  # (B, C)

    def attention_weights(self, features: Sequence[mx.nd.NDArray], lengths: Any = None) -> list[mx.nd.NDArray]:
        """Returns how much every frame weighs: (B, 1, T) for each modality, 0 on the padding."""
        return [
            encoder.attend(mx.nd, frames, self.lengths_of(mx.nd, index, frames, lengths))[1][0]
            for index, (encoder, frames) in enumerate(zip(self.encoders, features, strict=True))
        ]


class Encoder(HybridBlock):
    """One modality: FC tanh -> bidirectional LSTM -> dropout -> sum over the frames, weighed by attention.

    The two directions are LSTMs of their own, because on a CPU MXNet's bidirectional LSTM ignores the lengths
    without a word. A direction that runs on into the padding after the real frames does them no harm.

    Args:
        dim: F, width of the features.
        embedding_size: E.
        lstm_size: H.
        dropout: Share of the LSTM's outputs dropped in training.
        dropout_mode: See `Dropout`.
    """

    def __init__(
        self,
        dim: int,
        embedding_size: int,
        lstm_size: int,
        dropout: float,
        dropout_mode: DropoutMode = "upscale_in_train",
    ) -> None:
        super().__init__()
        with self.name_scope():
            self.embedding = _frame_dense(embedding_size, dim, activation="tanh")
            self.forwards = _lstm(lstm_size, embedding_size)
            self.backwards = _lstm(lstm_size, embedding_size)
            self.dropout = Dropout(dropout, dropout_mode)
            self.score = Score(lstm_size)

    def hybrid_forward(self, F: Any, frames: Any, lengths: Any = None) -> Any:
        """Frames (B, T, F), lengths (B,) int32 or None -> (B, 2 H)."""
        outputs, weights = self.attend(F, frames, lengths)
        videos = [F.flatten(F.batch_dot(*own)) for own in zip(weights, outputs, strict=True)]  # (B, H) each
        return F.concat(*videos, dim=1)  # (B, 2 H)

    def attend(self, F: Any, frames: Any, lengths: Any) -> tuple[list[Any], list[Any]]:
        """Returns the outputs of both directions, (B, T, H) each, and the attention weights, (B, 1, T) each.

        Those of the backward direction are as it saw the frames, the last real one first: what is small is turned
        round, and not the outputs.
        """
        embedded = F.swapaxes(self.embedding(frames), 0, 1)  # (T, B, E)
        outputs = [self.forwards(embedded), self.backwards(_reverse(F, embedded, lengths))]  # (T, B, H) each
        outputs = [self.dropout(F.swapaxes(own, 0, 1)) for own in outputs]  # (B, T, H) each
        forwards, backwards = self.score(*outputs)  # (B, T, 1) each
        backwards = _reverse(F, F.swapaxes(backwards, 0, 1), lengths)  # (T, B, 1)
        scores = F.swapaxes(forwards, 1, 2) + F.transpose(backwards, axes=(1, 2, 0))  # (B, 1, T)
        weights = masked_softmax(F, scores, lengths, rows=1)  # (B, 1, T)
        turned = _reverse(F, F.transpose(weights, axes=(2, 0, 1)), lengths)  # (T, B, 1)
        return outputs, [weights, F.transpose(turned, axes=(1, 2, 0))]


class Score(nn.Dense):
    """A layer on both directions' outputs of a frame, 2 H -> 1, without putting them together.

    Args:
        size: H.
    """

    def __init__(self, size: int) -> None:
        initializer = xavier_uniform(2 * size, 1)
        super().__init__(1, in_units=2 * size, weight_initializer=initializer, bias_initializer="zeros")
        self._size = size

    def _alias(self) -> str:
        """Named as Gluon's: by the order of names optimizers find their states in a checkpoint again."""
        return "dense"

    def hybrid_forward(self, F: Any, forwards: Any, backwards: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
        """Outputs (B, T, H) each -> what each gives to the score, (B, T, 1) each, the bias in the first one's."""
        first = F.slice_axis(weight, axis=1, begin=0, end=self._size)  # (1, H)
        second = F.slice_axis(weight, axis=1, begin=self._size, end=None)  # (1, H)
        return (
            F.FullyConnected(forwards, first, bias, num_hidden=1, flatten=False),
            F.FullyConnected(backwards, second, num_hidden=1, no_bias=True, flatten=False),
        )


def _reverse(F: Any, sequence: Any, lengths: Any) -> Any:
    """Reverses the real steps of (T, B, ...) in time; the padding stays at the end."""
    if lengths is None:
        return F.reverse(sequence, axis=0)
    return F.SequenceReverse(sequence, lengths, use_sequence_length=True)


def _lstm(size: int, in_units: int) -> rnn.LSTM:
    bound = fan_in_uniform(size)
    return rnn.LSTM(
        size,
        input_size=in_units,
        i2h_weight_initializer=bound,
        h2h_weight_initializer=bound,
        i2h_bias_initializer=bound,
        h2h_bias_initializer=bound,
    )


def _frame_dense(units: int, in_units: int, activation: str | None = None) -> nn.Dense:
    """A layer on every frame."""
    return nn.Dense(
        units,
        activation=activation,
        in_units=in_units,
        flatten=False,
        weight_initializer=xavier_uniform(in_units, units),
        bias_initializer="zeros",
    )


def _output_dense(units: int, in_units: int, activation: str | None = None) -> VideoDense:
    """A layer on the whole video."""
    return VideoDense(
        units,
        activation=activation,
        in_units=in_units,
        weight_initializer=xavier_uniform(in_units, units),
        bias_initializer=mx.init.Normal(1.0),
    )
