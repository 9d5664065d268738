"""How features are made of raw video: the settings, their record beside a dataset, and the way of one video.

PCA and quantisation are YouTube-8M's (google/youtube-8m, ``feature_extractor``). Its matrices fit the vectors of the
Inception that it was trained with, and those of no other network.
"""

import dataclasses
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import mxnet as mx
import numpy as np

from datasets import log_mel, video_file
from datasets.errors import DataError, one_line
from datasets.layout import YOUTUBE8M_RANGE
from gluon_models import backbones

FORMAT_VERSION = 1
QUANTIZED = (-2.0, 2.0)  # YouTube-8M's bytes stand for this range, and what lies outside is cut
WHITENING_OFFSET = 1e-4
PLACES = ("weights", "pca")  # in a description: where files are; the same file elsewhere is the same


@dataclass(frozen=True)
class Extraction:
    """Everything that decides what the features of a video are.

    Attributes:
        backbone: name of a network of GluonCV's zoo.
        weights: a file of its parameters; None takes GluonCV's.
        model_dir: where GluonCV's files are; it belongs to the machine and is not recorded.
        pretrained: False gives random weights.
        frames_per_second: pictures a second of video.
        size: height and width that pictures are scaled to; None is the network's own.
        audio: make features of the sound too.
        pca: a file of matrices, see ``Pca``; None leaves vectors as they are.
        quantize: store rgb as bytes as YouTube-8M does; needs ``pca``.
        weights_sha256: what the weights must be; None takes them as they are.
        pca_sha256: likewise.
    """

    backbone: str = "inceptionv3"
    weights: Path | None = None
    model_dir: Path | None = None
    pretrained: bool = True
    frames_per_second: float = 1.0
    size: int | None = None
    audio: bool = True
    pca: Path | None = None
    quantize: bool = False
    weights_sha256: str | None = None
    pca_sha256: str | None = None

    @classmethod
    def read(cls, path: Path, model_dir: Path | None = None, folder: Path | None = None) -> "Extraction":
        """The settings in an ``extraction.json``.

        Args:
            path: of the file.
            model_dir: where GluonCV's files are on this machine.
            folder: where its own files are taken from, if they are there; None is the record's.

        Raises:
            DataError: if it is no such file.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format_version"] != FORMAT_VERSION:
                raise DataError(f"{path}: format version {found['format_version']}, expected {FORMAT_VERSION}")
            values = {field.name: found[field.name] for field in dataclasses.fields(cls) if field.name != "model_dir"}
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path}: not a record of an extraction ({one_line(error)}); extract again") from error
        for name in PLACES:
            if values[name] is not None:
                stored = Path(values[name])  # the machine's that made it; the folder may have been moved since
                beside = (folder or path.parent) / stored.name
                values[name] = stored if stored.is_absolute() and not beside.is_file() else beside
        return cls(**values, model_dir=model_dir)


class Pca(NamedTuple):
    """PCA with whitening: (x - mean) vectors / sqrt(eigenvalues + 1e-4), as google/youtube-8m's ``apply_pca``.

    Attributes:
        mean: (width,) of the vectors.
        vectors: (width, kept), an eigenvector a column.
        eigenvalues: (kept,).
    """

    mean: np.ndarray
    vectors: np.ndarray
    eigenvalues: np.ndarray

    @classmethod
    def read(cls, path: Path, width: int) -> "Pca":
        """The matrices in an .npz file.

        Raises:
            DataError: if it has others, or for vectors of another width.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                pca = cls(*(np.asarray(file[name], np.float64) for name in cls._fields))
        except Exception as error:  # a file of another kind may raise anything
            wanted = ", ".join(cls._fields)
            raise DataError(f"{path}: not an .npz file with {wanted} ({one_line(error)})") from error
        kept = pca.eigenvalues.size
        if (pca.mean.shape, pca.vectors.shape, pca.eigenvalues.shape) != ((width,), (width, kept), (kept,)):
            raise DataError(f"{path}: mean {pca.mean.shape} and vectors {pca.vectors.shape} are not for width {width}")
        if not all(np.isfinite(array).all() for array in pca) or (pca.eigenvalues < 0).any():
            raise DataError(f"{path}: values that are not finite, or eigenvalues below 0")
        return pca

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """(n, width) to (n, kept) float32."""
        projected = (vectors - self.mean) @ self.vectors  # (n, kept)
        return (projected / np.sqrt(self.eigenvalues + WHITENING_OFFSET)).astype(np.float32)  # (n, kept)


def quantized(features: np.ndarray) -> np.ndarray:
    """Features as the bytes that YouTube-8M stores: -2 is 0 and 2 is 255; (n, dim) uint8."""
    low, high = QUANTIZED
    return np.rint((np.clip(features, low, high) - low) * (255 / (high - low))).astype(np.uint8)  # (n, dim)


class Extractor:
    """Makes records of videos.

    Args:
        settings: how.
        ctx: where the network runs; None is the CPU.

    Attributes:
        rgb_dim: width of a picture's features.
        ranges: for bytes, the values that 0 and 255 stand for.
    """

    def __init__(self, settings: Extraction, ctx: mx.Context | None = None):
        if settings.quantize and settings.pca is None:
            raise DataError("quantize: bytes hold -2 to 2, which whitened features lie in; give pca=FILE with it")
        if not 0 < settings.frames_per_second < float("inf"):
            raise DataError(f"frames_per_second={settings.frames_per_second}: not a number above 0")
        self._settings = settings
        self._ctx = ctx or mx.cpu()
        self._net = backbones.load(
            settings.backbone, settings.model_dir, settings.weights, settings.pretrained, settings.size, self._ctx
        )
        _same("weights", settings.weights or settings.backbone, settings.weights_sha256, self._net.digest)
        self._pca, self._pca_digest = None, None
        if settings.pca is not None:
            self._pca = Pca.read(settings.pca, self._net.dim)
            self._pca_digest = hashlib.sha256(settings.pca.read_bytes()).hexdigest()
            _same("PCA", settings.pca, settings.pca_sha256, self._pca_digest)
        self.rgb_dim = self._net.dim if self._pca is None else self._pca.eigenvalues.size
        # The rule of YouTube-8M's readers, 4/512 above what its writer meant: so a byte means what it does there.
        self.ranges = {"rgb": YOUTUBE8M_RANGE} if settings.quantize else {}

    def description(self) -> dict[str, Any]:
        """What is recorded of an extraction: enough to do the same to another video."""
        settings = self._settings
        return {
            "format_version": FORMAT_VERSION,
            "backbone": settings.backbone,
            "pretrained": settings.pretrained,
            "weights": settings.weights and str(settings.weights.absolute()),
            "weights_sha256": self._net.digest,
            "frames_per_second": settings.frames_per_second,
            "size": self._net.size,
            "scaling": "the whole picture, to a square",
            "audio": settings.audio,
            "audio_features": "mean and deviation of 64 log-mel bands a second (datasets/log_mel.py), not YouTube-8M's",
            "pca": settings.pca and str(settings.pca.absolute()),
            "pca_sha256": self._pca_digest,
            "quantize": settings.quantize,
        }

    def fingerprint(self) -> dict[str, Any]:
        """The description without places: what decides the features."""
        return {key: value for key, value in self.description().items() if key not in PLACES}

    def dims(self) -> dict[str, tuple[int, np.dtype]]:
        """Width and type of each modality."""
        rgb = self.rgb_dim, np.dtype(np.uint8 if self._settings.quantize else np.float32)
        audio = log_mel.FEATURE_DIM, np.dtype(np.float32)
        return {"rgb": rgb, "audio": audio} if self._settings.audio else {"rgb": rgb}

    def features(self, path: Path, notes: list[str], done: Any = None) -> dict[str, np.ndarray]:
        """The features of one video, (frames, dim) a modality; a video without sound has 0 frames of ``audio``.

        Args:
            path: of the file.
            notes: what is wrong with it, though it can be used, is put in here.
            done: called with the share of the video that is done, 0 to 1.

        Raises:
            DataError: if it cannot be used.
        """
        frames = video_file.frames_of(path, self._settings.frames_per_second)
        found, count = [], 0
        for block in frames:
            found.append(self._vectors(block))  # (n, dim)
            count += len(block)
            if done is not None:
                done(count / (frames.count or count))
        notes += frames.notes
        vectors = np.concatenate(found)  # (frames, dim)
        if not np.isfinite(vectors).all():
            raise DataError(f"{path}: its features are not finite; are the weights whole?")
        features = {"rgb": vectors if self._pca is None else self._pca.apply(vectors)}
        if self._settings.quantize:
            features["rgb"] = quantized(features["rgb"])
        if self._settings.audio:
            samples = video_file.audio_of(path, notes)
            if samples is None:
                notes.append("no sound")
            silent = np.empty((0, log_mel.FEATURE_DIM), np.float32)
            features["audio"] = silent if samples is None else log_mel.features(samples)
        return features

    def _vectors(self, pictures: np.ndarray) -> np.ndarray:
        size = self._net.size
        smaller = max(pictures.shape[1:3]) > size  # then each pixel is a mean over those that it covers
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        scaled = np.stack([cv2.resize(picture, (size, size), interpolation=way) for picture in pictures])
        return self._net(mx.nd.array(scaled, ctx=self._ctx, dtype=np.uint8)).asnumpy()  # (n, dim)


def carry(description: dict[str, Any] | None, folder: Path) -> dict[str, Any] | None:
    """Copy the files that ``description`` names to ``folder``; the description with their names there.

    One that is gone, or has changed, is told of and left out: a net is for features too.

    Args:
        description: of an extraction; None gives None.
        folder: must be there.
    """
    found = dict(description or {})
    for name in PLACES:
        if found.get(name) is None:
            continue
        path = Path(found[name])
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != found.get(f"{name}_sha256"):
            print(f"{path}: not the {name} of the features any more; raw video needs it in {folder}", file=sys.stderr)
            continue
        target = folder / f"extraction-{name}{path.suffix}"
        aside = target.with_name(f".{target.name}.tmp")
        try:
            aside.write_bytes(content)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        found[name] = target.name
    return description and found


def name_of(path: Path) -> str:
    """A video's name: its file's, without the ending."""
    return path.stem.encode(errors="backslashreplace").decode()


def _same(what: str, where: object, wanted: str | None, found: str) -> None:
    if wanted is not None and wanted != found:
        raise DataError(f"{where}: not the {what} that the features were made with (its SHA-256 is another)")
