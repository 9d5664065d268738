"""Features kept as bytes, turned into floats on the device instead of in the loader."""

from collections.abc import Mapping, Sequence
from typing import Any

from mxnet.gluon import HybridBlock

from gluon_models.video_model import VideoModel


class Dequantized(VideoModel):
    """A net that takes the uint8 features of a data file and gives them to another net as float32.

    x -> minimum + x (maximum - minimum) / 255: 0 and 255 stand for minimum and maximum. YouTube-8M's rule,
    x 4 / 255 + 4 / 512 - 2 (google/youtube-8m `utils.Dequantize`), is that of -1.9921875 and 2.0078125. Padding is
    as unseen as in the net itself.

    It has no parameters of its own: save and load those of the net inside.

    Args:
        net: Any model called as `net(features, lengths)`.
        ranges: Modality -> (minimum, maximum) of the features in the data file, or None where they are floats
            already; its order is the order of the inputs.

    Input: features, a list of (B, T, F_m) uint8 or float32; lengths (B,), (B, M) or None. Output: as `net`.
    """

    def __init__(self, net: HybridBlock, ranges: Mapping[str, tuple[float, float] | None]) -> None:
        super().__init__(list(ranges))
        self.limits = list(ranges.values())
        self.net = net

    def hybrid_forward(self, F: Any, features: list[Any], lengths: Any = None) -> Any:
        """See the class."""
        return self.net(self.floats(F, features), lengths)

    def floats(self, F: Any, features: Sequence[Any]) -> list[Any]:
        """Returns what the net inside is given: (B, T, F_m) float32 for each modality."""
        return [
            frames if limits is None else dequantize(F, frames, *limits)
            for frames, limits in zip(features, self.limits, strict=True)
        ]


def dequantize(F: Any, features: Any, minimum: float, maximum: float) -> Any:
    """Features as uint8 -> float32 of the same shape; see `Dequantized`."""
    return F.cast(features, "float32") * ((maximum - minimum) / 255.0) + minimum
