"""Which frames of a video a network sees."""

import numpy as np


def segment_frames(lengths: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """One frame from each of ``seg_num`` equal segments of every video.

    Frame ``min(n - 1, int((i + u) * n / seg_num))`` of a video of n frames for segment i, the rule of
    PaddlePaddle/models. Its readers draw u anew in evaluation too; give 0.5 there for a score that repeats.

    Args:
        lengths: (videos,) number of frames n of each video.
        offsets: (videos, seg_num) floats u in [0, 1), the place within each segment.

    Returns:
        (videos, seg_num) int64 frame numbers; 0 for a video without frames.
    """
    seg_num = offsets.shape[1]
    frames = ((np.arange(seg_num) + offsets) * lengths[:, None] / seg_num).astype(np.int64)  # (videos, seg_num)
    return np.clip(frames, 0, np.maximum(lengths - 1, 0)[:, None])


def jitter(seed: int, epoch: int, start: int, stop: int, seg_num: int) -> np.ndarray:
    """Offsets for the videos at places ``start:stop`` of an epoch's order.

    They depend on the seed, the epoch and the place alone, not on how places are cut into batches.

    Returns:
        (stop - start, seg_num) float64 in [0, 1).
    """
    blocks = -(-seg_num // 4)  # Philox makes four doubles a block, and can skip blocks without drawing them
    bits = np.random.Philox(key=np.array([seed, epoch], np.uint64))
    bits.advance(start * blocks)
    return np.random.Generator(bits).random((stop - start, blocks * 4))[:, :seg_num]
