"""The spectrum of sound as VGGish, YouTube-8M's audio network, takes it in; the network itself is not here.

Formula (tensorflow/models, research/audioset/vggish: ``mel_features.py``, ``vggish_input.py``, ``vggish_params.py``),
for sound s of 16,000 samples a second:

    S[t, f] = |sum over n < 400 of s[160 t + n] h[n] exp(-2 pi i f n / 512)|      f = 0 ... 256
    h[n]    = 0.5 - 0.5 cos(2 pi n / 400)                                         a periodic Hann window, 25 ms
    m(x)    = 1127 ln(1 + x / 700)                                                mel, x in Hz
    W[f, b] = max(0, min((m(f) - e[b]) / (e[b+1] - e[b]), (e[b+2] - m(f)) / (e[b+2] - e[b+1])))
    L[t, b] = ln(0.01 + sum over f of S[t, f] W[f, b])                            b = 0 ... 63

with 66 edges e, evenly spaced in mel from 125 to 7,500 Hz. A patch is 96 steps t, 0.96 s. VGGish's
own patches follow one another without a gap; here one begins with every second, as YouTube-8M has one feature a second.
"""

from functools import cache

import numpy as np

from datasets.video_decoder import SAMPLE_RATE

WINDOW, HOP, FFT = 400, 160, 512  # samples: 25 ms, 10 ms, and the next power of two
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 125.0, 7500.0
LOG_OFFSET = 0.01
STEPS = 96  # of a patch
PATCH = WINDOW + (STEPS - 1) * HOP  # samples, 0.975 s
FEATURE_DIM = 2 * BANDS


def patches(samples: np.ndarray) -> np.ndarray:
    """The log-mel spectrum of the first 0.96 s of every second; of less sound, silence behind it, one.

    Args:
        samples: (samples,) float32 from -1 to 1, mono, 16 kHz.

    Returns:
        (seconds, 96, 64) float32; a second whose first 0.975 s are not all there is left out.
    """
    if len(samples) < PATCH:
        samples = np.pad(samples, (0, PATCH - len(samples)))
    seconds = 1 + (len(samples) - PATCH) // SAMPLE_RATE
    found = np.empty((seconds, STEPS, BANDS), np.float32)
    for second in range(seconds):  # one at a time: all spectra of an hour would take gigabytes
        begin = second * SAMPLE_RATE
        found[second] = _log_mel(samples[begin : begin + PATCH])
    return found


def features(samples: np.ndarray) -> np.ndarray:
    """What a classifier gets of the sound: mean and standard deviation of each band over a patch.

    It is not YouTube-8M's 128-d embedding, whose network's weights do not exist for MXNet; it has its width only.

    Args:
        samples: as in ``patches``.

    Returns:
        (seconds, 128) float32: 64 means, then 64 standard deviations.
    """
    found = patches(samples)  # (seconds, 96, 64)
    moments = found.mean(axis=1, dtype=np.float64), found.std(axis=1, dtype=np.float64)  # (seconds, 64) each
    return np.concatenate(moments, axis=1).astype(np.float32)  # (seconds, 128)


def _log_mel(samples: np.ndarray) -> np.ndarray:
    starts = np.arange(STEPS)[:, None] * HOP  # (96, 1)
    frames = samples[starts + np.arange(WINDOW)] * _hann()  # (96, 400)
    magnitudes = np.abs(np.fft.rfft(frames, FFT))  # (96, 257)
    return np.log(magnitudes @ _mel_weights() + LOG_OFFSET)  # (96, 64)


@cache
def _hann() -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW * np.arange(WINDOW))  # (400,)


@cache
def _mel_weights() -> np.ndarray:
    bins = _mel(np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1))[:, None]  # (257, 1)
    lowest, highest = _mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    edges = np.linspace(lowest, highest, BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]  # (64,) each
    return np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))  # (257, 64)


def _mel(hertz: np.ndarray) -> np.ndarray:
    return 1127 * np.log(1 + hertz / 700)
