"""Image networks of GluonCV's model zoo, by name, as makers of features: a picture in, a vector out.

The vector is what the network's classifier takes in; where that is a map, its mean over all places. Of
``inceptionv3`` it is pool3, 2048 wide, which YouTube-8M's features are made of.
"""

import contextlib
import difflib
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, SymbolBlock

from gluon_models.errors import ModelError

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of red, green, blue, from 0 to 1
CIFAR = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
RANDOM_SEED = 0

# Height and width that a network was trained on, by the beginning of its name; others 224.
_SIZES = {
    "inceptionv3": 299,
    "xception": 299,
    "resnest101": 256,
    "resnest200": 320,
    "resnest269": 416,
    "nasnet_6": 331,
    "cifar": 32,
}
# What detects, segments, tells poses or actions is no network of this kind, nor is one of 8-bit weights.
_OTHER_KINDS = re.compile(
    r"_(voc|coco|ade|citys|mhpv1|kinetics\d+|ucf101|hmdb51|sthsthv2|otb15|int8)|^hrnet.*_s$|custom|pose|rcnn|monodepth"
)


class Backbone(HybridBlock):
    """An image network without its classifier, made by ``load``.

    Args:
        features: The network, from (n, 3, size, size) float32 to (n, dim).
        size: Height and width of its pictures.
        dim: Width of its features.
        normalisation: Mean and deviation of the colours it was trained on.
        digest: SHA-256 of its file of parameters, or of its values where they are random.

    Input: (n, size, size, 3) uint8, RGB. Output: (n, dim) float32.
    """

    def __init__(
        self,
        features: HybridBlock,
        size: int,
        dim: int,
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        digest: str,
    ) -> None:
        super().__init__()
        self.features = features
        self.size = size
        self.dim = dim
        self.digest = digest
        self._mean, self._std = normalisation

    def hybrid_forward(self, F: Any, pictures: Any) -> Any:
        """See the class."""
        scaled = F.image.normalize(F.image.to_tensor(pictures), mean=self._mean, std=self._std)  # (n, 3, size, size)
        return self.features(scaled)  # (n, dim)


def names() -> list[str]:
    """The names that ``load`` takes, sorted."""
    from gluoncv import model_zoo

    return sorted(name for name in model_zoo.get_model_list() if not _OTHER_KINDS.search(name))


def load(
    name: str,
    model_dir: Path | None = None,
    weights: Path | None = None,
    pretrained: bool = True,
    size: int | None = None,
    ctx: mx.Context | None = None,
) -> Backbone:
    """Makes a backbone that is ready to run.

    Args:
        name: Of a network of GluonCV's zoo.
        model_dir: Where GluonCV's files of parameters are, or are put when they are fetched; None is its own place.
        weights: A file of Gluon's `save_parameters` of this network, instead of GluonCV's; of any number of classes.
        pretrained: False gives random values, the same each time, and says so; MXNet is seeded for it.
        size: Height and width of the pictures; None is what the network was trained on.
        ctx: Where it runs; None is the CPU.

    Raises:
        ModelError: there is no such network, or its parameters cannot be had or do not fit.
    """
    ctx = ctx or mx.cpu()
    if weights is not None and not pretrained:
        raise ModelError("backbone: both a file of weights and random ones are asked for; leave one out")
    net, size = _network(name), _size(name) if size is None else size
    if size < 1:
        raise ModelError(f"backbone {name!r} takes no pictures of {size} x {size}; give a size above 0")
    features, dim = _without_classifier(net, name, size)
    if not pretrained:
        print(f"backbone {name}: RANDOM weights, as asked for; its features say little about what is to be seen")
        digest = _randomise(net, features, ctx)
    else:
        path = weights or _gluoncv_file(name, model_dir)
        _load_own(net, features, path, ctx) if weights else _load_gluoncv(net, path, ctx)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    backbone = Backbone(features, size, dim, CIFAR if name.startswith("cifar") else IMAGENET, digest)
    backbone.hybridize(static_alloc=True)
    return backbone


def _network(name: str) -> HybridBlock:
    from gluoncv import model_zoo

    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.0)
        hint = f"did you mean {close[0]!r}?" if close else f"the nearest of {len(known)} names are {', '.join(near)}"
        raise ModelError(f"unknown backbone {name!r}; {hint}")
    try:
        return model_zoo.get_model(name)
    except Exception as error:  # a few of the zoo fail, each in its own way
        raise ModelError(f"backbone {name!r}: GluonCV cannot build it ({_first_line(error)}); take another") from error


def _size(name: str) -> int:
    return next((size for beginning, size in _SIZES.items() if name.startswith(beginning)), 224)


def _without_classifier(net: HybridBlock, name: str, size: int) -> tuple[SymbolBlock, int]:
    """The part of ``net`` before its last layer with weights, found in its graph, and the width of what it gives."""
    data = mx.sym.var("data", dtype="float32")
    try:
        node = net(data)
    except mx.MXNetError as error:
        raise ModelError(f"backbone {name!r}: MXNet cannot trace it ({_first_line(error)}); take another") from error
    node = node[0] if isinstance(node, tuple) else node  # a second output helps training alone
    while _operator(node) not in ("FullyConnected", "Convolution"):
        node = node.get_children()[0]
    node = node.get_children()[0]
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where MXNet prints before it raises
            inputs, (shape,), states = node.infer_shape(data=(1, 3, size, size))
    except mx.MXNetError as error:
        raise ModelError(f"backbone {name!r} takes no pictures of {size} x {size}; give another size") from error
    if len(shape) == 4:
        node = mx.sym.Flatten(mx.sym.Pooling(node, kernel=(1, 1), pool_type="avg", global_pool=True))
    parameters = net.collect_params()
    found = [*zip(node.list_arguments(), inputs, strict=True)]
    found += zip(node.list_auxiliary_states(), states, strict=True)
    for argument, wanted in found:
        if argument != "data":
            parameters[argument].shape = wanted
    return SymbolBlock(node, data, params=parameters), shape[1]


def _operator(node: mx.sym.Symbol) -> str:
    graph = json.loads(node.tojson())
    return graph["nodes"][graph["heads"][0][0]]["op"]


def _randomise(net: HybridBlock, features: SymbolBlock, ctx: mx.Context) -> str:
    mx.random.seed(RANDOM_SEED)
    digest = hashlib.sha256()
    for parameter in _used(net, features).values():
        parameter.initialize(ctx=ctx, default_init=mx.init.Xavier("gaussian", "in", 2))
        digest.update(parameter.data(ctx).asnumpy().tobytes())
    return digest.hexdigest()


def _gluoncv_file(name: str, model_dir: Path | None) -> Path:
    """The path of GluonCV's file of parameters, which is fetched if it is not there."""
    from gluoncv.model_zoo import model_store

    stored = f"{name}ls" if name.startswith("hrnet") else name  # ..._c is stored as ..._cls
    try:
        file_name = f"{stored}-{model_store.short_hash(stored)}.params"
    except ValueError as error:
        raise ModelError(f"backbone {name!r}: GluonCV has no weights for it; give a file of your own") from error
    folder = (model_dir or Path("~/.mxnet/models")).expanduser()
    path = folder / file_name
    if path.is_file():
        if not model_store.check_sha1(str(path), model_store._model_sha1[stored]):
            raise ModelError(f"{path}: not GluonCV's file (its SHA-1 sum is another); remove it and get it again")
        return path
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return Path(model_store.get_model_file(stored, root=str(folder)))
    except Exception as error:  # the network, the disk and a damaged archive fail in many ways
        raise ModelError(
            f"backbone {name!r}: its weights are not there and cannot be fetched ({type(error).__name__}); put"
            f" GluonCV's {file_name} into {folder}, or give a file of your own"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            path.with_suffix(".lock").unlink()


def _load_gluoncv(net: HybridBlock, path: Path, ctx: mx.Context) -> None:
    try:
        net.load_parameters(str(path), ctx=ctx)
    except (AssertionError, ValueError, mx.MXNetError) as error:
        raise ModelError(f"{path}: parameters of another network ({_first_line(error)})") from error


def _load_own(net: HybridBlock, features: SymbolBlock, path: Path, ctx: mx.Context) -> None:
    """The values in ``path``, all but the classifier's."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file; give a file of Gluon's save_parameters")
    try:
        found = mx.nd.load(str(path))
    except mx.MXNetError as error:
        raise ModelError(f"{path}: not a file of Gluon parameters") from error
    for name, parameter in _used(net, features).items():
        if not isinstance(found, dict) or name not in found:
            raise ModelError(f"{path}: parameters of another network; {name} is missing, give its save_parameters")
        if found[name].shape != parameter.shape:
            raise ModelError(f"{path}: {name} is {found[name].shape} there and {parameter.shape} here: another network")
        if not np.isfinite(found[name].asnumpy()).all():
            raise ModelError(f"{path}: {name} has values that are not finite; the file is damaged")
        parameter.initialize(ctx=ctx)
        parameter.set_data(found[name])


def _used(net: HybridBlock, features: SymbolBlock) -> dict[str, mx.gluon.Parameter]:
    """The parameters of ``net`` that ``features`` has too, by the names that files have them under."""
    kept = {parameter.name for parameter in features.collect_params().values()}
    return {name: parameter for name, parameter in net._collect_params_with_prefix().items() if parameter.name in kept}


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]
