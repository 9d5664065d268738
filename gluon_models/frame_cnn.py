"""Flash-MNIST's frame network, whose 50-d log_softmax is the local feature of a frame.

longxiang92/Flash-MNIST, main_mnist_noisy.py (the paper's author), torch's default initialisation included. It
looks at one frame and is no model of videos, so it is not in the zoo.
"""

from typing import Any

from mxnet.gluon import HybridBlock, nn

from gluon_models.initializers import fan_in_uniform

FEATURE_DIM = 50
NUM_CLASSES = 11  # ten digits and noise


class FrameFeatures(HybridBlock):
    """Frames (B, 1, 28, 28), float32, normalised -> local features (B, 50), logarithms of probabilities."""

    def __init__(self) -> None:
        super().__init__()
        with self.name_scope():
            self.layers = nn.HybridSequential()
            self.layers.add(
                _conv(10, in_channels=1),  # (B, 10, 24, 24)
                nn.MaxPool2D(2),  # (B, 10, 12, 12)
                nn.Activation("relu"),
                _conv(20, in_channels=10),  # (B, 20, 8, 8)
                nn.Dropout(0.5, axes=(2, 3)),  # whole maps, as torch's Dropout2d
                nn.MaxPool2D(2),  # (B, 20, 4, 4)
                nn.Activation("relu"),
                _dense(FEATURE_DIM, in_units=20 * 4 * 4, activation="relu"),  # (B, 50)
                nn.Dropout(0.5),
            )

    def hybrid_forward(self, F: Any, frames: Any) -> Any:
        """See the class."""
        return F.log_softmax(self.layers(frames), axis=1)  # (B, 50)


class FrameCNN(HybridBlock):
    """Frames (B, 1, 28, 28) -> logits (B, 11); its block `features` alone gives the local features.

    Pixels are scaled to [0, 1], then normalised with mean 0.1307 and standard deviation 0.3081.
    """

    def __init__(self) -> None:
        super().__init__()
        with self.name_scope():
            self.features = FrameFeatures()
            self.classifier = _dense(NUM_CLASSES, in_units=FEATURE_DIM)

    def hybrid_forward(self, F: Any, frames: Any) -> Any:  # noqa: ARG002
        """See the class."""
        return self.classifier(self.features(frames))  # (B, 11)


def _conv(channels: int, in_channels: int) -> nn.Conv2D:
    bound = fan_in_uniform(in_channels * 5 * 5)
    return nn.Conv2D(channels, kernel_size=5, in_channels=in_channels, weight_initializer=bound, bias_initializer=bound)


def _dense(units: int, in_units: int, activation: str | None = None) -> nn.Dense:
    bound = fan_in_uniform(in_units)
    return nn.Dense(units, activation=activation, in_units=in_units, weight_initializer=bound, bias_initializer=bound)
