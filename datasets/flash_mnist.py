"""Flash-MNIST: videos in which digits flash up between frames of noise.

The benchmark of Long et al., *Attention Clusters*, CVPR 2018, as its author's code defines it. A video has 25
frames of 28 x 28 in random order. Its class is the subset of the ten digits that occur in it: 1024 classes, the
empty one included. Each digit of the subset occurs in one or two frames, drawn uniformly; all other frames are
noise. Noise has independent pixels with MNIST's own histogram, and lies over digits too, by the maximum.
"""

import numpy as np

CLASSES = 1024
FRAMES = 25
DIGITS = 10
NOISE = 10  # the frame network's label for a frame without a digit
VIDEOS_PER_CLASS = {"train": 100, "test": 10}


class PixelNoise:
    """Independent pixels with the histogram of ``images``, drawn by the alias method from two bytes each.

    The two bytes choose among 65,536 equally likely cases, so that every grey level's probability is met to
    within 1/65536.

    Args:
        images: uint8 of any shape.
    """

    def __init__(self, images: np.ndarray):
        weights = np.bincount(images.reshape(-1), minlength=256) / images.size * 256  # mean 1
        keep = np.ones(256)  # probability that column i gives i itself
        alias = np.arange(256)  # what it gives otherwise
        small = [i for i in range(256) if weights[i] < 1]
        large = [i for i in range(256) if weights[i] >= 1]
        while small and large:  # Vose's construction: fill each light column up from a heavy one
            light, heavy = small.pop(), large[-1]
            keep[light], alias[light] = weights[light], heavy
            weights[heavy] -= 1 - weights[light]
            if weights[heavy] < 1:
                small.append(large.pop())
        # A byte b keeps its column where b < threshold. A column kept always is its own alias.
        self._threshold = np.round(keep * 256).clip(0, 255).astype(np.uint8).tobytes()
        self._alias = alias.astype(np.uint8).tobytes()

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Pixels of ``shape``, uint8."""
        size = int(np.prod(shape))
        column = rng.bytes(size)
        # bytes.translate looks 256-entry tables up several times faster than NumPy's indexing
        threshold = np.frombuffer(column.translate(self._threshold), np.uint8)
        alias = np.frombuffer(column.translate(self._alias), np.uint8)
        keeps = np.frombuffer(rng.bytes(size), np.uint8) < threshold
        return np.where(keeps, np.frombuffer(column, np.uint8), alias).reshape(shape)


class FlashMnist:
    """Makes videos, and single frames to train a frame network on, from MNIST's images.

    Args:
        images: (n, 28, 28) uint8.
        labels: (n,) digits.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        self._noise = PixelNoise(images)
        self._images = images[np.argsort(labels, kind="stable")]
        self._count = np.bincount(labels, minlength=DIGITS)  # (10,)
        self._start = np.cumsum(self._count) - self._count  # (10,)

    def videos(self, rng: np.random.Generator, classes: np.ndarray) -> np.ndarray:
        """Frames of one video for each of ``classes``.

        Args:
            rng: where all randomness comes from.
            classes: (videos,) 10-bit masks; bit d says that digit d occurs.

        Returns:
            (videos, 25, 28, 28) uint8.
        """
        present = (classes[:, None] >> np.arange(DIGITS)) & 1 > 0  # (V, 10)
        twice = present & (rng.random(present.shape) < 0.5)  # (V, 10)
        content = np.full((len(classes), FRAMES), NOISE)  # (V, 25) digit or NOISE
        content[:, :DIGITS] = np.where(present, np.arange(DIGITS), NOISE)
        content[:, DIGITS : 2 * DIGITS] = np.where(twice, np.arange(DIGITS), NOISE)
        return self._frames(rng, rng.permuted(content, axis=1))

    def training_frames(
        self, rng: np.random.Generator, noisy_copies: int, noise_frames: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Every image ``noisy_copies`` times, each under noise of its own, and ``noise_frames`` of noise alone.

        Returns:
            frames: (n, 28, 28) uint8 in random order; labels: (n,) int64 digit or ``NOISE``.
        """
        labels = np.repeat(np.arange(DIGITS), self._count)  # (images,) as self._images is sorted
        chosen = rng.permutation(
            np.concatenate([np.tile(np.arange(len(labels)), noisy_copies), np.full(noise_frames, -1)])
        )
        frames = self._noise.draw(rng, (len(chosen), 28, 28))  # (n, 28, 28)
        digits = chosen >= 0
        frames[digits] = np.maximum(frames[digits], self._images[chosen[digits]])
        return frames, np.where(digits, labels[chosen], NOISE)

    def _frames(self, rng: np.random.Generator, content: np.ndarray) -> np.ndarray:
        """A frame for each entry of ``content``, a digit or ``NOISE``: content.shape + (28, 28)."""
        frames = self._noise.draw(rng, (*content.shape, 28, 28))
        digits = content != NOISE
        digit = content[digits]  # (digits,)
        image = self._start[digit] + rng.integers(0, self._count[digit])  # (digits,)
        frames[digits] = np.maximum(frames[digits], self._images[image])
        return frames


def classes_of(split: str) -> np.ndarray:
    """The class of every video of ``split``, class by class: (videos,) int64."""
    return np.repeat(np.arange(CLASSES), VIDEOS_PER_CLASS[split])
