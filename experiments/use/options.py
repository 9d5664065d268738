"""What ``predict``, ``export`` and ``extract`` take: their keys, with types, defaults and a few words on each."""

import types
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args, get_origin

from experiments import configuration
from experiments.errors import UserError
from experiments.registry.checks import check_type, describe, typed, unknown


class Option(NamedTuple):
    """One key of a command.

    Attributes:
        hint: its type.
        default: its value where it is not given.
        words: what it is.
    """

    hint: Any
    default: Any
    words: str


Text = str | None
VOCABULARY = Option(Text, None, "CSV with the columns Index and Name: what classes are called")

# What each command takes besides the keys of a configuration.
OPTIONS: dict[str, dict[str, Option]] = {
    "predict": {
        "input": Option(Text, None, "what to predict: a file, a folder, or a .txt with a file a line (needed)"),
        "output": Option(Text, None, "file to write, .csv or .jsonl; without one the terminal alone"),
        "top_k": Option(int, 20, "best classes of a video in the file"),
        "skip_bad": Option(bool, False, "leave out videos that cannot be used, and list them"),
        "vocabulary": VOCABULARY,
        "engine": Option(Text, None, "of an exported net: mxnet, or onnxruntime"),
        "provider": Option(Text, None, "of onnxruntime, such as CUDAExecutionProvider"),
        "explain": Option(bool, False, "tell which frames the net looked at"),
    },
    "export": {
        "to": Option(Text, None, "folder to write the net to (needed)"),
        "input": Option(Text, None, "videos such as the net is for, where weights is no run's id"),
        "onnx": Option(bool, True, "write net.onnx too"),
        "vocabulary": VOCABULARY,
    },
    "extract": {
        "video": Option(Text, None, "a video, or a folder of them (needed)"),
        "to": Option(Text, None, "folder of the dataset (needed)"),
        "split": Option(str, "train", "name of the split"),
        "labels": Option(Text, None, "CSV with the columns id and labels"),
        "num_classes": Option(int | None, None, "one more than the highest label, unless told"),
        "single_label": Option(bool, False, "every video must have exactly one label"),
        "skip_bad": Option(bool, False, "leave out videos that cannot be used, and list them"),
        "backbone": Option(str, "inceptionv3", "network of GluonCV's zoo that pictures go through"),
        "backbone_weights": Option(Text, None, "file of its parameters; GluonCV's, unless told"),
        "pretrained": Option(bool, True, "False takes random weights, to try the way"),
        "frames_per_second": Option(float, 1.0, "pictures of each second of a video"),
        "size": Option(int | None, None, "height and width of pictures; the network's own, unless told"),
        "audio": Option(bool, True, "features of the sound too"),
        "pca": Option(Text, None, ".npz of matrices that whiten the features"),
        "quantize": Option(bool, False, "store bytes, as YouTube-8M does; needs pca"),
    },
}
PURPOSE = {
    "predict": "say what is in videos; not recorded as a run",
    "export": "write a net for other programs",
    "extract": "make a dataset of raw videos",
}
RUNTIME = "runtime.KEY", "places here, such as runtime.runs_dir, runtime.data_root, runtime.model_dir"
WEIGHTS = "run's id, file of parameters, folder of a checkpoint, or a name of weights.yaml (needed)"
SHARED = {  # keys of a configuration that matter
    "predict": {
        "weights": WEIGHTS.replace("checkpoint", "checkpoint or an export"),
        "experiment": "what a file of parameters is of",
        "batch_size": "videos at once; it changes no result (128)",
        RUNTIME[0]: RUNTIME[1],
    },
    "export": {
        "weights": WEIGHTS,
        "experiment": "what a file of parameters is of",
        RUNTIME[0]: RUNTIME[1],
    },
    "extract": {RUNTIME[0]: RUNTIME[1]},
}


def taken(command: str, updates: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The command's own options, with their defaults, and what is the configuration's."""
    known = OPTIONS[command]
    own = {key: option.default for key, option in known.items()}
    for key in own.keys() & updates.keys():
        own[key] = typed(updates[key], known[key].hint)
        check_type(key, own[key], known[key].hint, command)
    return own, {key: value for key, value in updates.items() if key not in known}


def check_runtime(command: str, rest: Mapping[str, Any]) -> None:
    """Hold ``runtime`` against its keys and their types.

    Raises:
        UserError: at the first mismatch.
    """
    given = rest.get("runtime", {})
    if not isinstance(given, Mapping):
        raise UserError(f"{command}: runtime={given!r} is not a block: runtime.model_dir=FOLDER")
    for key, value in given.items():
        if key not in configuration.RUNTIME:
            raise unknown("key", f"runtime.{key}", [f"runtime.{known}" for known in configuration.RUNTIME], command)
        check_type(f"runtime.{key}", value, configuration.RUNTIME_TYPES[key], command)


def whole_configuration(command: str, rest: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration; an unknown key is told the nearest of the command's and the configuration's."""
    config = configuration.resolve(
        {key: value for key, value in rest.items() if key in ("weights", "experiment", "runtime")}
    )
    for key in rest:
        if key not in config:
            raise unknown("key", key, [*OPTIONS[command], *config], command)
    config = configuration.resolve(rest)
    given = configuration.typed_updates(rest, config)
    return {**config, **given, "runtime": {**config["runtime"], **rest.get("runtime", {})}}


def help_of(command: str) -> str:
    """The command's keys, a line each."""
    rows = [(key, _kind(option), option.words) for key, option in OPTIONS[command].items()]
    first = max(map(len, [*SHARED[command], *OPTIONS[command]]))
    second = max(len(kind) for _, kind, _ in rows)
    lines = [f"  {key:<{first}}  {words}" for key, words in SHARED[command].items()]
    lines += [f"  {key:<{first}}  {kind:<{second}}  {words}" for key, kind, words in rows]
    more = [] if command == "extract" else ["", "Other keys are the experiment's; run.py print_config shows them."]
    return "\n".join([f"run.py {command} with KEY=VALUE ...: {PURPOSE[command]}", "", *lines, *more])


def _kind(option: Option) -> str:
    """Type and default."""
    hint = option.hint
    if get_origin(hint) is types.UnionType:
        hint = next(own for own in get_args(hint) if own is not type(None))
    return describe(hint) + ("" if option.default is None else f" ({option.default})")
