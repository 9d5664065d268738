import cmath
import math

import numpy as np
import pytest

from datasets import log_mel


def slow_log_mel(samples, step, band):
    """One value by the formula, with sums written out."""

    def mel(hertz):
        return 1127 * math.log(1 + hertz / 700)

    lowest, highest = mel(125), mel(7500)
    low, centre, high = (lowest + (highest - lowest) * (band + edge) / 65 for edge in range(3))
    total = 0.0
    for frequency in range(1, 257):
        here = mel(frequency * 8000 / 256)
        weight = min((here - low) / (centre - low), (high - here) / (high - centre))
        if weight > 0:
            bin_value = sum(
                float(samples[160 * step + n])
                * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400))
                * cmath.exp(-2j * math.pi * frequency * n / 512)
                for n in range(400)
            )
            total += weight * abs(bin_value)
    return math.log(total + 0.01)


def test_a_patch_is_what_the_formula_says():
    samples = np.random.default_rng(0).normal(0, 0.1, 2 * 16000).astype(np.float32)
    patches = log_mel.patches(samples)
    assert patches.shape == (2, 96, 64)
    assert patches.dtype == np.float32
    for second, step, band in [(0, 0, 0), (0, 95, 63), (0, 40, 20), (1, 0, 5), (1, 95, 33)]:
        wanted = slow_log_mel(samples, 100 * second + step, band)
        assert patches[second, step, band] == pytest.approx(wanted, abs=1e-5)


def test_a_tone_is_in_its_band_alone():
    samples = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    means = log_mel.patches(samples)[0].mean(axis=0)  # (64,)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    assert means.argmax() == np.abs(edges[1:-1] - 1127 * np.log(1 + 1000 / 700)).argmin()
    assert means[50] < 0


@pytest.mark.parametrize(
    ("samples", "seconds"), [(1, 1), (8000, 1), (16000, 1), (31599, 1), (31600, 2), (32000, 2), (80000, 5)]
)
def test_one_patch_a_second(samples, seconds):
    assert len(log_mel.patches(np.zeros(samples, np.float32))) == seconds


def test_silence_is_the_offset_alone():
    features = log_mel.features(np.zeros(16000, np.float32))
    assert features.shape == (1, 128)
    assert features[0, :64] == pytest.approx(math.log(0.01))
    assert features[0, 64:] == pytest.approx(0, abs=1e-9)


def test_features_are_means_and_deviations():
    samples = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    patch = log_mel.patches(samples)[0].astype(np.float64)
    features = log_mel.features(samples)
    assert features.dtype == np.float32
    assert features[0, 7] == pytest.approx(patch[:, 7].mean(), abs=1e-5)
    assert features[0, 64 + 7] == pytest.approx(np.sqrt(((patch[:, 7] - patch[:, 7].mean()) ** 2).mean()), abs=1e-5)
