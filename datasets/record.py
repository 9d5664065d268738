"""One video on its way from a source into a data file."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

FEATURE_TYPES = [np.dtype(name) for name in ("uint8", "float16", "float32", "float64")]
MAX_CLASSES = 2**31 - 1  # labels are int32
MAX_RECORD_BYTES = 1 << 28  # a longer one is taken for damage, never read into memory


@dataclass(frozen=True)
class Record:
    """One video.

    Attributes:
        id: its name.
        labels: (labels,) int64 class numbers; empty where there are none, as in a test partition.
        features: per modality (frames, dim), uint8 or float.
        segments: of YouTube-8M 2019, per segment: ``labels``, ``start_times``, ``end_times`` in seconds (int64) and
            ``scores`` (float32), each (segments,); empty where no segment is rated.
    """

    id: str
    labels: np.ndarray
    features: dict[str, np.ndarray]
    segments: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class BadRecord:
    """A record that was left out: its file's path, and number, place and reason as in ``Entry``."""

    file: str
    number: int
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: record {self.number} ({self.where}): {self.reason}"


class Entry(NamedTuple):
    """What stands at one place of a source: a video, or the reason why it cannot be used.

    Attributes:
        number: of the record in its file, from 0.
        where: the same for a person with an editor: "byte 4711", "line 12".
        size: bytes of the source that it takes.
        content: the video, or the reason.
    """

    number: int
    where: str
    size: int
    content: Record | str
