"""Values as JSON and MongoDB have them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from experiments.errors import UserError


def number(name: str, value: Any) -> float | int:
    """``value`` as a plain number, whatever kind of number or array of one number it is.

    Raises:
        UserError: if it is none.
    """
    try:
        if hasattr(value, "asscalar"):  # MXNet's arrays
            value = value.asscalar()
        if hasattr(value, "item"):  # NumPy's
            value = value.item()
        if not isinstance(value, str):
            return int(value) if isinstance(value, bool | int) else float(value)
    except (TypeError, ValueError):
        pass
    raise UserError(f"metric {name}: {value!r} is not one number; log each of its numbers under its own name")


def plain(value: Any) -> Any:
    """``value`` in what JSON has: a NumPy number becomes a number, an array a list, anything strange its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "asnumpy"):
        value = value.asnumpy()
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return value.tolist()
    return str(value)
