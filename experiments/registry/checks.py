"""Values against types, names against the names there are: one clear line for each mismatch."""

import difflib
import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from experiments.errors import UserError


def unknown(kind: str, name: str, known: Iterable[str], where: str) -> UserError:
    """The error for a ``name`` that is not among the ``known``, with the nearest suggested."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    return UserError(f"{where}: no {kind} named {name}; {hint}")


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value``, as YAML or a command line gives it, has the type ``hint``. An int is a float too."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (Any, inspect.Parameter.empty):
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, option) for option in arguments)
    if origin is Literal:
        return value in arguments
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin in (list, Sequence, tuple):
        return isinstance(value, list | tuple) and all(fits(item, arguments[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(
            fits(key, arguments[0]) and fits(item, arguments[1]) for key, item in value.items()
        )
    return not isinstance(hint, type) or isinstance(value, hint)  # a hint that we cannot check is the model's affair


def check_keys(given: Mapping[str, Any], hints: Mapping[str, Any], where: str) -> None:
    """Every key of ``hints`` present in ``given``, none besides, each of its type.

    Raises:
        UserError: at the first mismatch.
    """
    for key in given:
        if key not in hints:
            raise unknown("key", str(key), hints, where)
    missing = [key for key in hints if key not in given]
    if missing:
        raise UserError(f"{where}: {', '.join(missing)} missing; an entry names every argument")
    for key, hint in hints.items():
        check_type(key, given[key], hint, where)


def check_type(key: str, value: Any, hint: Any, where: str) -> None:
    """Raise a ``UserError`` unless ``value`` has the type ``hint``."""
    if not fits(value, hint):
        raise UserError(f"{where}: {key}={value!r} is not {describe(hint)}")


def typed(value: Any, hint: Any) -> Any:
    """``value``, but True or False for ``true`` or ``false``, which Sacred leaves as text, where ``hint`` is bool."""
    if hint is bool and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    return value


def check_kind(key: str, value: Any, before: Any, where: str) -> None:
    """Raise a ``UserError`` where ``value`` is of quite another kind than the ``before`` that it replaces.

    For model arguments, whose exact types are known only once MXNet is imported and the model made.
    """
    text, flag = isinstance(value, str), isinstance(value, bool)
    if before is not None and value is not None and (text, flag) != (isinstance(before, str), isinstance(before, bool)):
        raise UserError(f"{where}: {key}={value!r} is not of the kind of {before!r}")


def check_arguments(
    arguments: Mapping[str, Any], signature: inspect.Signature, given_by_data: set[str], where: str
) -> None:
    """Hold a model's arguments against its signature, but for those that the data give."""
    hints = {
        name: parameter.annotation for name, parameter in signature.parameters.items() if name not in given_by_data
    }
    required = {
        name: hint
        for name, hint in hints.items()
        if name in arguments or signature.parameters[name].default is inspect.Parameter.empty
    }
    check_keys(arguments, required, where)


def describe(hint: Any) -> str:
    """``hint`` in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    names = {int: "an integer", float: "a number", str: "text", bool: "True or False", type(None): "None"}
    if hint in names:
        return names[hint]
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join(describe(option) for option in arguments)
    if origin in (list, Sequence, tuple):
        return f"a list (each {describe(arguments[0])})"
    if origin in (dict, Mapping):
        return f"a mapping (each value {describe(arguments[1])})"
    return str(hint)
