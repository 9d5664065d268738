"""AttentionLSTM in Paddle; parameters have the names of ours, those of the LSTM torch's and Paddle's own."""

import itertools

import paddle
from paddle import nn
from paddle.nn import functional

from benchmarks.peers.measuring import Case


class Encoder(nn.Layer):
    """FC tanh -> bidirectional LSTM -> dropout -> sum over the frames, weighed by attention.

    Args:
        width: F.
        embedding: E.
        size: H.
        dropout: Share of the LSTM's outputs dropped in training.
    """

    def __init__(self, width: int, embedding: int, size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Linear(width, embedding)
        self.lstm = nn.LSTM(embedding, size, direction="bidirect")
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(2 * size, 1)

    def forward(self, frames: paddle.Tensor) -> paddle.Tensor:
        """Frames (B, T, F) -> (B, 2 H)."""
        outputs = self.dropout(self.lstm(paddle.tanh(self.embedding(frames)))[0])  # (B, T, 2 H)
        weights = functional.softmax(self.score(outputs).transpose([0, 2, 1]), axis=2)  # (B, 1, T)
        return paddle.bmm(weights, outputs).flatten(1)


class AttentionLSTM(nn.Layer):
    """Encoders of all modalities -> concat -> FC relu ... -> FC tanh -> FC; every frame is real.

    Args:
        case: what is computed.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        numbers = case.numbers
        for name, width in case.feature_dims.items():
            encoder = Encoder(width, numbers["embedding_size"], numbers["lstm_size"], numbers["dropout"])
            self.add_sublayer(f"encoder_{name}", encoder)
        self.encoders = [getattr(self, f"encoder_{name}") for name in case.feature_dims]
        sizes = [2 * numbers["lstm_size"] * len(case.feature_dims), *numbers["hidden_units"]]
        self.hidden = nn.LayerList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.classifier = nn.Linear(sizes[-1], case.classes)

    def forward(self, features: list[paddle.Tensor]) -> paddle.Tensor:
        """Features, each (B, T, F_m), -> logits (B, C)."""
        pairs = zip(self.encoders, features)  # noqa: B905  Paddle's compiler knows no strict
        outputs = [encoder(frames) for encoder, frames in pairs]
        video = paddle.concat(outputs, 1)  # (B, 2 H M)
        for layer in self.hidden[:-1]:
            video = functional.relu(layer(video))
        return self.classifier(paddle.tanh(self.hidden[-1](video)))


def make(case: Case) -> AttentionLSTM:
    """The net, without values."""
    return AttentionLSTM(case)
