"""Flash-MNIST's features: the frame network is trained, then every frame of every video goes through it.

As the paper's author has it: the network learns to tell noisy digits and noise apart, and its 50-d log-softmax
layer, frozen, is the local feature of a frame.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from tqdm import tqdm

from datasets import hdf5, mnist
from datasets.errors import DataError
from datasets.flash_mnist import CLASSES, FRAMES, FlashMnist, classes_of
from gluon_models import graphs
from gluon_models.frame_cnn import FEATURE_DIM, FrameCNN

SEED = 0
SHARDS = {"train": 20, "test": 2}
NOISY_COPIES = 5  # of each of MNIST's 60,000 training digits
NOISE_FRAMES = 30_000
BATCH_SIZE = 64
LEARNING_RATE = 0.001  # Adam
CHUNK = 64  # videos that go through the network at once; 1,600 frames stay in the processor's cache
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081  # MNIST's, of pixels from 0 to 1


def build(folder: Path, mnist_folder: Path, may_fetch: bool) -> None:
    """Make ``folder``'s shards of both splits; those that are there already are kept.

    Args:
        folder: of the dataset.
        mnist_folder: holds MNIST's files.
        may_fetch: bring them there where they are missing.

    Raises:
        DataError: if MNIST cannot be had.
    """
    missing = [
        (split, n) for split, total in SHARDS.items() for n in range(total) if not _shard(folder, split, n).exists()
    ]
    if not missing:
        return
    if may_fetch:
        mnist.fetch(mnist_folder)
    network_file = folder / "frame_cnn.params"
    if not network_file.exists():
        for stale in folder.glob("*.h5"):  # features of another network
            stale.unlink()
        _train_frame_network(mnist_folder, network_file)
    workers = min(len(os.sched_getaffinity(0)), len(missing))
    with (
        _one_thread_each(),
        ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool,
        tqdm(
            desc="Flash-MNIST", total=sum(len(_classes(*task)) for task in missing), unit=" videos", dynamic_ncols=True
        ) as bar,
    ):
        tasks = [pool.submit(_make_shard, folder, mnist_folder, *task) for task in missing]
        try:
            for task in as_completed(tasks):
                bar.update(task.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what is being made is finished, what waits is not begun
            raise


def frames_of(folder: Path, mnist_folder: Path, split: str, number: int, videos: Sequence[int]) -> np.ndarray:
    """Frames of some videos of a shard, drawn again as when it was made: it has their features alone.

    Args:
        folder: of the dataset.
        mnist_folder: holds MNIST's files.
        split: which shard's.
        number: of the shard.
        videos: their numbers within it.

    Returns:
        (videos, 25, 28, 28) uint8.

    Raises:
        DataError: if MNIST, the frame network or the shard is missing, or the shard's features are of other frames.
    """
    if split not in SHARDS:
        raise DataError(f"{folder}: split {split} is not drawn from a seed; splits that are: {', '.join(SHARDS)}")
    network_file, path = folder / "frame_cnn.params", _shard(folder, split, number)
    if not network_file.is_file():
        raise DataError(f"{network_file}: missing; it shows that frames are the same; prepare the dataset again")
    frames = np.empty((len(videos), FRAMES, 28, 28), np.uint8)
    for start, chunk in _chunks(mnist_folder, split, number):
        for place, video in enumerate(videos):
            if start <= video < start + len(chunk):
                frames[place] = chunk[video - start]
        if start + len(chunk) > max(videos):
            break
    stored = np.reshape(hdf5.read(path).features["image"], (-1, FRAMES, FEATURE_DIM))[list(videos)]  # (videos, 25, 50)
    again = _frame_network(network_file).features(_network_input(frames.reshape(-1, 28, 28))).asnumpy()
    if not np.allclose(again.reshape(stored.shape), stored, rtol=1e-3, atol=1e-3):  # sums come in another order
        raise DataError(f"{path}: its features are not of the frames that its seed gives; prepare the dataset again")
    return frames


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile compute on one thread, as there is one a core."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _train_frame_network(mnist_folder: Path, target: Path) -> float:
    """One pass over the noisy digits and the noise; the share of noisy test digits that it tells right."""
    print("frame network: drawing noisy digits, about ten seconds", flush=True)
    rng = np.random.default_rng([SEED, 1])
    frames, labels = FlashMnist(*mnist.read(mnist_folder, "train")).training_frames(rng, NOISY_COPIES, NOISE_FRAMES)
    mx.random.seed(SEED)
    net = FrameCNN()
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": LEARNING_RATE})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    loss_of.hybridize()
    with tqdm(desc="frame network", total=len(frames), unit=" frames", dynamic_ncols=True) as bar:
        for start in range(0, len(frames), BATCH_SIZE):
            images = _network_input(frames[start : start + BATCH_SIZE])  # (B, 1, 28, 28)
            digits = mx.nd.array(labels[start : start + BATCH_SIZE])  # (B,)
            with autograd.record():
                loss = loss_of(net(images), digits)  # (B,)
            loss.backward()
            trainer.step(len(images))
            if start % (64 * BATCH_SIZE) == 0:
                loss.wait_to_read()  # so that the bar shows what is done, not what is queued
            bar.update(len(images))
    test_rng = np.random.default_rng([SEED, 2])
    frames, labels = FlashMnist(*mnist.read(mnist_folder, "test")).training_frames(test_rng, 1, 0)
    predicted = np.concatenate(
        [net(_network_input(part)).asnumpy().argmax(axis=1) for part in np.array_split(frames, 10)]
    )
    graphs.release(net)
    right = float(np.mean(predicted == labels))
    print(f"frame network: {100 * right:.1f} % of noisy test digits are told right")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.tmp")
    net.save_parameters(str(aside))
    aside.replace(target)
    return right


def _make_shard(folder: Path, mnist_folder: Path, split: str, number: int) -> int:
    """Make one shard, in a process of its own; how many videos it has."""
    net = _frame_network(folder / "frame_cnn.params")
    classes = _classes(split, number)  # (V,)
    features = np.empty((len(classes) * FRAMES, FEATURE_DIM), np.float32)
    for start, chunk in _chunks(mnist_folder, split, number):
        frames = chunk.reshape(-1, 28, 28)  # (chunk * 25, 28, 28)
        rows = slice(start * FRAMES, start * FRAMES + len(frames))
        features[rows] = net.features(_network_input(frames)).asnumpy()
    first = sum(len(_classes(split, n)) for n in range(number))
    shard = hdf5.Shard(
        features={"image": features},
        offsets={"image": np.arange(len(classes) + 1) * FRAMES},
        labels=classes,
        label_offsets=np.arange(len(classes) + 1),
        ids=[f"{split}-{first + n:06d}" for n in range(len(classes))],
        num_classes=CLASSES,
        single_label=True,
        source=f"Flash-MNIST from MNIST's {split} digits, seed {SEED}",
    )
    hdf5.write(_shard(folder, split, number), shard)
    return len(classes)


def _chunks(mnist_folder: Path, split: str, number: int) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of one shard: of some videos after the other, the first one's number and (chunk, 25, 28, 28) uint8."""
    videos, classes = _videos(mnist_folder, split), _classes(split, number)
    rng = np.random.default_rng([SEED, 3, list(SHARDS).index(split), number])
    for start in range(0, len(classes), CHUNK):
        yield start, videos.videos(rng, classes[start : start + CHUNK])


@cache
def _frame_network(path: Path) -> FrameCNN:
    net = FrameCNN()
    net.load_parameters(str(path))
    net.hybridize(static_alloc=True)
    return net


@cache
def _videos(mnist_folder: Path, split: str) -> FlashMnist:
    return FlashMnist(*mnist.read(mnist_folder, split))


def _classes(split: str, number: int) -> np.ndarray:
    """Classes of one shard's videos."""
    return np.array_split(classes_of(split), SHARDS[split])[number]


def _shard(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}-{number:05d}-of-{SHARDS[split]:05d}.h5"


def _network_input(frames: np.ndarray) -> mx.nd.NDArray:
    """Grey levels as the frame network takes them: (n, 1, 28, 28) float32."""
    return (mx.nd.array(frames[:, None], dtype=np.float32) / 255 - PIXEL_MEAN) / PIXEL_STD
