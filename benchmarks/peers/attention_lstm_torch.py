"""AttentionLSTM in PyTorch; parameters have the names of ours, those of the LSTM torch's own."""

import itertools

import torch
from torch import nn

from benchmarks.peers.measuring import Case


class Encoder(nn.Module):
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
        self.lstm = nn.LSTM(embedding, size, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(2 * size, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, F) -> (B, 2 H)."""
        outputs = self.dropout(self.lstm(self.embedding(frames).tanh())[0])  # (B, T, 2 H)
        weights = self.score(outputs).transpose(1, 2).softmax(2)  # (B, 1, T)
        return torch.bmm(weights, outputs).flatten(1)


class AttentionLSTM(nn.Module):
    """Encoders of all modalities -> concat -> FC relu ... -> FC tanh -> FC; every frame is real.

    Args:
        case: what is computed.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        numbers = case.numbers
        for name, width in case.feature_dims.items():
            encoder = Encoder(width, numbers["embedding_size"], numbers["lstm_size"], numbers["dropout"])
            self.add_module(f"encoder_{name}", encoder)
        self.encoders = [getattr(self, f"encoder_{name}") for name in case.feature_dims]
        sizes = [2 * numbers["lstm_size"] * len(case.feature_dims), *numbers["hidden_units"]]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.classifier = nn.Linear(sizes[-1], case.classes)

    def forward(self, *features: torch.Tensor) -> torch.Tensor:
        """Features (B, T, F_m) -> logits (B, C)."""
        outputs = [encoder(frames) for encoder, frames in zip(self.encoders, features, strict=True)]
        video = torch.cat(outputs, 1)  # (B, 2 H M)
        for layer in self.hidden[:-1]:
            video = layer(video).relu()
        return self.classifier(self.hidden[-1](video).tanh())


def make(case: Case) -> AttentionLSTM:
    """The net, without values."""
    return AttentionLSTM(case)
