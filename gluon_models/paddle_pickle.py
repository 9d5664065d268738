"""Reads the weights that Paddle pickles (`.pdparams`) without running what a pickle could run.

Known forms: `fluid.save` (1.x) writes {name: array}; `paddle.save` of a state_dict (2.x) adds an entry
"StructuredToParameterName@@", and may write an array as the pair (parameter name, array).
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from gluon_models.errors import ModelError

_MODULE_ALIASES = {"__builtin__": "builtins", "numpy._core.multiarray": "numpy.core.multiarray",
                   "numpy._core.numeric": "numpy.core.numeric"}  # fmt: skip  # Python 2's and NumPy 2's names
_ADMITTED = {
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"_reconstruct"},
    "numpy.core.numeric": {"_frombuffer"},
    "builtins": {"bytearray", "complex", "dict", "frozenset", "list", "set", "tuple"},
}


class _ArrayUnpickler(pickle.Unpickler):
    """Admits NumPy arrays and builtin containers; every other name is refused before anything is called."""

    def find_class(self, module: str, name: str) -> Any:
        module = _MODULE_ALIASES.get(module, module)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return lambda text, encoding: text.encode("latin1") if encoding == "latin1" else None
        if name not in _ADMITTED.get(module, ()):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays and builtins are admitted")
        return super().find_class(module, name)


def read_pdparams(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a `.pdparams` file.

    Returns:
        {Paddle's name: float32 array}.

    Raises:
        ModelError: the file cannot be read, asks for other than arrays and builtins, or holds no named float
            arrays.
    """
    try:
        with Path(path).open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except Exception as error:  # a damaged pickle may raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path} cannot be read as Paddle weights: {reason}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a dict of arrays as Paddle writes it")
    content.pop("StructuredToParameterName@@", None)
    size = Path(path).stat().st_size
    return {_text(name): _array(path, _text(name), value, size) for name, value in content.items()}


def _text(name: Any) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)


def _array(path: str | Path, name: str, value: Any, file_size: int) -> np.ndarray:
    if isinstance(value, tuple) and len(value) == 2:
        value = value[1]
    if not (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        raise ModelError(f"{path}: {name} is no array of floats")
    if value.nbytes > file_size:  # one number repeated by strides of 0, or never written
        raise ModelError(f"{path}: {name} claims {value.nbytes} bytes, more than the whole file")
    with np.errstate(over="ignore"):  # becomes infinite, which whoever uses the weights refuses
        return value.astype(np.float32)
