"""Settings as frozen dataclasses whose fields say their default, their help text and the values they take.

Flags are generated from such classes, sweeps and studies construct them; both get the same checks.
"""

import dataclasses
import math
import os
import types
import typing
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from clgan_tf.common.errors import ConfigError


def setting(
    help_text: str,
    *,
    default: Any = dataclasses.MISSING,
    choices: Collection[str] = (),
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
) -> Any:
    """A field of a settings class.

    Args:
      help_text: one sentence for `--help`.
      default: none where the setting must be given.
      choices: the texts it takes, where they are few; what is registered there later counts too.
      least, most: bounds of a number, themselves allowed; above: a bound that is not.
    """
    metadata = {"help": help_text, "choices": choices, "least": least, "most": most, "above": above}
    return dataclasses.field(default=default, metadata=metadata)


class Settings:
    """Base of settings classes: values are checked, and paths expanded, when an instance is made.

    Raises:
      ConfigError: a value is not one that its field takes; the sentence names the flag.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Path):
                object.__setattr__(self, field.name, expanded(f"--{field.name}", str(value)))
            elif isinstance(value, tuple) and value and isinstance(value[0], Path):
                whole = tuple(expanded(f"--{field.name}", str(path)) for path in value)
                object.__setattr__(self, field.name, whole)
            else:
                _check(field, value)


def _check(field: dataclasses.Field, value: Any) -> None:
    limits = field.metadata
    if not limits:
        return
    if limits["choices"] and value not in limits["choices"]:
        raise ConfigError(f"--{field.name} takes {', '.join(limits['choices'])}, not {value!r}.")
    if any(limits[name] is not None for name in ("least", "most", "above")):
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ConfigError(f"--{field.name} must be a number, not {value!r}.")
        for name, word, holds in (
            ("least", "at least", lambda limit: value >= limit),
            ("most", "at most", lambda limit: value <= limit),
            ("above", "above", lambda limit: value > limit),
        ):
            if limits[name] is not None and not holds(limits[name]):
                raise ConfigError(f"--{field.name} must be {word} {limits[name]:g}, not {value:g}.")


def leaves(kind: type) -> Iterator[tuple[dataclasses.Field, Any]]:
    """The fields of a settings class and of the settings inside it, and the type of each without `| None`."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from leaves(hint)  # type: ignore[arg-type]
        else:
            options = [one for one in typing.get_args(hint) if one is not types.NoneType]
            is_optional = isinstance(hint, types.UnionType)
            yield field, options[0] if is_optional else hint


def values(settings: Any) -> dict[str, Any]:
    """The values of settings and of those inside them, by the names of their flags."""
    by_name: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        by_name |= values(value) if dataclasses.is_dataclass(value) else {field.name: value}
    return by_name


def nested(given: dict[str, Any], kind: type) -> dict[str, Any]:
    """Values by the names of flags as dictionaries like the settings class: those of inner settings inside them."""
    hints = typing.get_type_hints(kind)
    placed = {name: value for name, value in given.items() if name in hints}
    for name, hint in hints.items():
        if dataclasses.is_dataclass(hint):
            names = {field.name for field, _ in leaves(hint)}  # type: ignore[arg-type]
            placed[name] = nested({one: given[one] for one in names & given.keys()}, hint)  # type: ignore[arg-type]
    return placed


def as_flags(settings: Any, without: Iterable[str] = ()) -> list[str]:
    """The settings as one writes them on the command line, a flag a line; those that are not given are left out."""
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name in without or value is None:
            continue
        if dataclasses.is_dataclass(value):
            lines += as_flags(value)
        elif isinstance(value, bool):
            lines.append(f"--{field.name}" if value else f"--no{field.name}")
        else:
            lines.append(f"--{field.name}={as_text(value)}")
    return lines


def as_text(value: Any) -> str:
    """A value as one writes it on the command line."""
    if isinstance(value, tuple | list):
        return ",".join(map(as_text, value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def expanded(name: str, value: str) -> Path:
    """`value` with ~ and environment variables replaced. Raises ConfigError, with its name, where that fails."""
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{name}={value} names a home directory that is not there; give a path.") from error
    if "$" in value and path.exists():  # A name may hold a dollar sign.
        return path
    whole = os.path.expandvars(path)
    if "$" in whole:
        raise ConfigError(f"{name}={value} names an environment variable that is not set; set it or give a path.")
    return Path(whole)
