import numpy as np
import pytest

from datasets import mnist
from datasets.flash_mnist import CLASSES, NOISE, FlashMnist, PixelNoise, classes_of


@pytest.fixture(scope="module")
def digits(mnist_folder):
    return mnist.read(mnist_folder, "test")


def test_noise_has_the_histogram_of_the_images(digits):
    images, _ = digits
    expected = np.bincount(images.reshape(-1), minlength=256) / images.size
    drawn = PixelNoise(images).draw(np.random.default_rng(0), (4000, 28, 28))
    found = np.bincount(drawn.reshape(-1), minlength=256) / drawn.size
    error = np.sqrt(expected / drawn.size)
    assert np.all(np.abs(found - expected) < 5 * error + 1 / 65536)


def test_noise_of_a_single_grey_level_is_that_level():
    drawn = PixelNoise(np.full((1, 28, 28), 7, np.uint8)).draw(np.random.default_rng(0), (100,))
    assert set(drawn) == {7}


@pytest.fixture(scope="module")
def marked():
    """Flash-MNIST of ten digits, each two white columns of its own, which noise cannot look like."""
    images = np.zeros((10, 28, 28), np.uint8)
    for digit in range(10):
        images[digit, :, 2 * digit : 2 * digit + 2] = 255
    return FlashMnist(images, np.arange(10))


def shown_digits(videos):
    """Which digit each frame shows: (videos, 25, 10) bool."""
    return np.stack([(videos[..., 2 * d : 2 * d + 2] == 255).all(axis=(2, 3)) for d in range(10)], axis=2)


def test_a_video_shows_each_digit_of_its_class_once_or_twice(marked):
    classes = np.repeat([0b0000000000, 0b1111111111, 0b0000000101], 300)
    videos = marked.videos(np.random.default_rng(0), classes)
    assert videos.shape == (900, 25, 28, 28)
    assert videos.dtype == np.uint8
    shown = shown_digits(videos).sum(axis=1)  # (V, 10)
    present = (classes[:, None] >> np.arange(10)) & 1 == 1
    assert set(shown[~present]) == {0}
    assert set(shown[present]) == {1, 2}
    assert 0.45 < (shown[present] == 2).mean() < 0.55
    assert shown_digits(videos).sum(axis=2).max() == 1  # never two digits in a frame


def test_digits_stand_in_any_place(marked):
    videos = marked.videos(np.random.default_rng(0), np.full(2000, 1))
    share = shown_digits(videos)[:, :, 0].mean(axis=0)  # of videos with the digit in each of the 25 places
    assert np.all(abs(share - 1.5 / 25) < 0.03)


def test_a_digit_lies_over_noise_by_the_maximum(digits):
    images, labels = digits
    made = FlashMnist(images, labels)
    frames, content = made.training_frames(np.random.default_rng(0), noisy_copies=1, noise_frames=500)
    assert len(frames) == len(images) + 500
    assert np.bincount(content, minlength=11).tolist() == [*np.bincount(labels), 500]
    assert frames[content != NOISE].mean() > frames[content == NOISE].mean() * 1.3


def test_classes_are_all_subsets_equally_often():
    train, test = classes_of("train"), classes_of("test")
    assert (len(train), len(test)) == (102_400, 10_240)
    assert np.all(np.bincount(train) == 100)
    assert len(np.bincount(test)) == CLASSES


def test_the_same_seed_gives_the_same_videos(digits):
    made = FlashMnist(*digits)
    first, again, other = (made.videos(np.random.default_rng(seed), np.arange(8)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
