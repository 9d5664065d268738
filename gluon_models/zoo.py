"""Models by name: a class decorated with `register` in any file of this package can be created.

To add a model is to add a file; there is no list to edit. A class from elsewhere is named
"package.module:Class".
"""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from mxnet.gluon import HybridBlock

from gluon_models.errors import ModelError

Model = TypeVar("Model", bound=type[HybridBlock])

_registered: dict[str, type[HybridBlock]] = {}


def register(name: str) -> Callable[[Model], Model]:
    """Class decorator: makes a HybridBlock known to `create` as `name`.

    Raises:
        ModelError: another class has this name.
    """

    def add(model: Model) -> Model:
        holder = _registered.setdefault(name, model)
        if holder is not model:
            raise ModelError(f"two models are called {name!r}: {_where(holder)} and {_where(model)}")
        return model

    return add


def names() -> list[str]:
    """Returns the names of all models of this package, sorted."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return sorted(_registered)


def find(name: str) -> type[HybridBlock]:
    """Returns the class called `name`: a registered name, or "package.module:Class".

    Raises:
        ModelError: there is no such model.
    """
    if ":" in name:
        return _find_elsewhere(name)
    if name not in _registered and name not in names():
        raise ModelError(f"unknown model {name!r}{_nearest(name, names())}")
    return _registered[name]


def signature(name: str) -> inspect.Signature:
    """Returns the arguments of a model, without Gluon's own `prefix`, `params` and `**kwargs`.

    Raises:
        ModelError: there is no such model.
    """
    full = inspect.signature(find(name), eval_str=True)
    own = [
        parameter
        for parameter in full.parameters.values()
        if parameter.name not in ("prefix", "params") and parameter.kind is not parameter.VAR_KEYWORD
    ]
    return full.replace(parameters=own)


def create(name: str, **arguments: Any) -> HybridBlock:
    """Makes a model; its parameters are not initialised yet.

    Args:
        name: A registered name, or "package.module:Class" of a class found on `sys.path`.
        **arguments: All arguments of the model, by name.

    Raises:
        ModelError: no such model, or an argument is missing, unknown or unfit.
    """
    expected = signature(name).parameters
    for argument in arguments:
        if argument not in expected:
            raise ModelError(f"model {name!r} has no argument {argument!r}{_nearest(argument, expected)}")
    missing = [
        parameter.name
        for parameter in expected.values()
        if parameter.default is parameter.empty and parameter.name not in arguments
    ]
    if missing:
        raise ModelError(f"model {name!r} also needs {', '.join(missing)}")
    return find(name)(**arguments)


def _find_elsewhere(name: str) -> type[HybridBlock]:
    module_name, _, class_name = name.partition(":")
    try:
        model = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # a user's module may fail in any way
        reason = " ".join(str(error).split())
        raise ModelError(f"model {name!r} cannot be imported: {type(error).__name__}: {reason}") from error
    if not (inspect.isclass(model) and issubclass(model, HybridBlock)):
        raise ModelError(f"model {name!r} is not a subclass of mxnet.gluon.HybridBlock")
    return model


def _where(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _nearest(name: str, candidates: Iterable[str]) -> str:
    candidates = list(candidates)
    close = difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(candidates)}"
