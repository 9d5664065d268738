"""What prediction needs to know of a net besides its parameters; ``net.json`` of an exported one."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.errors import UserError

FILE = "net.json"
FORMAT = 1


@dataclass(frozen=True)
class Modality:
    """One input of a net.

    Attributes:
        name: rgb, audio, ...
        width: of a frame's features.
        minimum, maximum: the values that the bytes 0 and 255 stand for; None where features are floats.
    """

    name: str
    width: int
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_bytes(self) -> bool:
        """Whether the net takes bytes, and turns them into floats itself."""
        return self.limits is not None

    @property
    def limits(self) -> tuple[float, float] | None:
        """The values that 0 and 255 stand for."""
        return None if self.minimum is None or self.maximum is None else (self.minimum, self.maximum)


@dataclass(frozen=True)
class Description:
    """A net, from outside.

    Attributes:
        modalities: its inputs, in their order.
        num_classes: how many probabilities it gives.
        single_label: whether they are a softmax's; else each is a sigmoid's.
        seg_num: frames of a video that it sees, one from the middle of each of so many segments; None for all.
        class_names: one a class; empty where nobody named them.
        model: the model's name and arguments.
        origin: where the parameters came from: a run and its experiment, or a file, with its SHA-256.
        extraction: how features are made from a raw video, as ``extraction.json`` says it; None if nobody knows.
    """

    modalities: list[Modality]
    num_classes: int
    single_label: bool
    seg_num: int | None
    class_names: list[str]
    model: dict[str, Any]
    origin: dict[str, Any]
    extraction: dict[str, Any] | None = None

    def name_of(self, number: int) -> str:
        """What a class is called; its number where it has no name."""
        return self.class_names[number] if number < len(self.class_names) else str(number)

    def title_of(self, number: int) -> str:
        """What a class is called where people read it."""
        return self.name_of(number) if number < len(self.class_names) else f"class {number}"

    def write(self, folder: Path) -> None:
        """Write it to ``folder/net.json``."""
        aside = folder / f".{FILE}.tmp"
        aside.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1))
        aside.replace(folder / FILE)


def read(folder: Path) -> Description:
    """The description of the net that was exported to ``folder``.

    Raises:
        UserError: if there is none, or it is not one of this version.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text())
        if content.pop("format") != FORMAT:
            raise UserError(f"{path}: of another version of this format; export the net again")
        modalities = [Modality(**own) for own in content.pop("modalities")]
        return _checked(Description(modalities=modalities, **content))
    except FileNotFoundError:
        raise UserError(f"{folder}: no exported net, there is no {FILE}; make one by run.py export") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: not readable; export the net again") from error


def _checked(net: Description) -> Description:
    """The same, if what is in it is of the kinds that it must be.

    Raises:
        TypeError: if it is not.
    """
    limits = [value for own in net.modalities for value in (own.minimum, own.maximum)]
    names, widths = [own.name for own in net.modalities], [own.width for own in net.modalities]
    sound = (
        bool(names)
        and all(isinstance(name, str) for name in [*names, *net.class_names])
        and all(type(count) is int and count > 0 for count in [*widths, net.num_classes])
        and all(value is None or type(value) in (int, float) for value in limits)
        and all(own.limits is None or own.limits[0] < own.limits[1] for own in net.modalities)
        and isinstance(net.single_label, bool)
        and (net.seg_num is None or (type(net.seg_num) is int and net.seg_num > 0))
        and isinstance(net.class_names, list)
        and isinstance(net.extraction, dict | None)
    )
    if not sound:
        raise TypeError("of another kind")
    return net
