"""The JSON form of the project's values: dataclasses to plain dicts and back; a refusal names the part that is wrong.

Own code, since a host has nothing but Python's standard library.
"""

from __future__ import annotations

import math
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

# Metadata of a field that is left out of the JSON where it has its default.
SPARSE = {"sparse": True}
WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): "null"}


class ShapeError(ValueError):
    """What was given is not of the form that is read; the message names the part and what it must be."""


def to_json(value: Any) -> Any:
    """Dataclasses, mappings and sequences, however deep, as dicts and lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name))
            for field in fields(value)
            if not (field.metadata.get("sparse") and getattr(value, field.name) == field.default)
        }
    if isinstance(value, Mapping):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(inner) for inner in value]
    return value


def from_json[T](cls: type[T], given: object, where: str) -> T:
    """The dataclass `cls` from a mapping, by the types of its fields. `where` begins every refusal.

    Keys that `cls` does not have are passed over: a newer version may have written them. Numbers may be written as
    text, as `-e name=5` does. Raises ShapeError.
    """
    if not isinstance(given, Mapping):
        raise ShapeError(f"{where} must be a mapping, not {shown(given)}")
    hints = get_type_hints(cls)
    parts: dict[str, Any] = {}
    for field in fields(cls):  # type: ignore[arg-type]  # T is a dataclass; typing has no public name for that
        if field.name in given:
            parts[field.name] = read(hints[field.name], given[field.name], f"{where}: {field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ShapeError(f"{where}: {field.name} is missing")
    try:
        return cls(**parts)
    except ShapeError:
        raise
    except ValueError as error:
        raise ShapeError(f"{where}: {error}") from error


def read(kind: Any, given: Any, where: str) -> Any:
    """`given` as `kind`: a scalar, a dataclass, a sequence or mapping of one kind, X | Y, Literal or Any."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in (Any, object):
        return given
    if isinstance(kind, type) and is_dataclass(kind):
        if isinstance(given, kind):
            return given
        own = getattr(kind, "from_json", None)
        return own(given, where) if own else from_json(kind, given, where)
    if origin in (Union, types.UnionType):
        return _either(inner, given, where)
    if origin is Literal:
        if given not in inner:
            raise ShapeError(f"{where} must be one of {', '.join(map(str, inner))}, not {shown(given)}")
        return given
    if isinstance(origin or kind, type) and issubclass(origin or kind, Mapping):
        if not isinstance(given, Mapping):
            raise ShapeError(f"{where} must be a mapping, not {shown(given)}")
        return {key: read(inner[1], value, f"{where}: {key}") if inner else value for key, value in given.items()}
    if origin in (tuple, list, Sequence, Collection):
        if not isinstance(given, list | tuple):
            raise ShapeError(f"{where} must be a list, not {shown(given)}")
        return (list if origin is list else tuple)(
            read(inner[0], value, f"{where}, entry {n}") for n, value in enumerate(given, 1)
        )
    return _scalar(kind, given, where)


def _either(kinds: tuple[Any, ...], given: Any, where: str) -> Any:
    """The first of the kinds that fits; the refusal is that of the first one."""
    refusal: ShapeError | None = None
    for kind in sorted(kinds, key=lambda kind: type(given) is not kind):
        try:
            return read(kind, given, where)
        except ShapeError as error:
            refusal = refusal or error
    raise refusal or ShapeError(f"{where} has no kind")


def _scalar(kind: Any, given: Any, where: str) -> Any:
    if kind in (int, float) and isinstance(given, str):
        try:
            given = int(given) if kind is int or given.strip().lstrip("+-").isdigit() else float(given)
        except ValueError:
            raise ShapeError(f"{where} must be {WORDS[kind]}, not {shown(given)}") from None
    # A whole number is a number, too; true is none, although Python counts it as 1.
    fits = isinstance(given, (int, float) if kind is float else kind) and (kind is bool or not isinstance(given, bool))
    if not fits or (isinstance(given, int | float) and kind is not bool and not _finite(given, kind)):
        raise ShapeError(f"{where} must be {WORDS.get(kind, kind)}, not {shown(given)}")
    return given


class Json:
    """The base of a dataclass that crosses a joint. called: what a refusal begins with, if its reader names nothing."""

    __slots__ = ()
    called: ClassVar[str] = "value"

    def to_json(self) -> dict[str, Any]:
        """Its fields, however deep, as dicts and lists."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, given: object, where: str = "") -> Self:
        """From what `to_json` gives. Raises ShapeError."""
        return from_json(cls, given, where or cls.called)


def _finite(number: float, kind: Any) -> bool:
    """Whether a number is one to calculate with: as a float also a whole number must fit into one."""
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number of more than 308 digits
        return kind is not float


def shown(value: object) -> str:
    """A value in a refusal, not longer than a line has room for."""
    try:
        text = "null" if value is None else repr(value)
    except (ValueError, RecursionError):
        return "a value that is too long to show"
    return text if len(text) <= 60 else f"{text[:57]}..."
