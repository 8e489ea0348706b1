"""A requirement: what a measured value must be, for a machine to compare and for people to read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeGuard

from .json_form import from_json, read, to_json

Operator = Literal[">=", "<=", ">", "<", "==", "!=", "in", "contains", "words"]
# How each operator reads before its value. `words` is what only the judge can tell: "the same on every host".
PHRASES: dict[str, str] = {
    ">=": "at least ", "<=": "at most ", ">": "more than ", "<": "less than ",
    "==": "", "!=": "not ", "in": "one of ", "contains": "", "words": "",
}  # fmt: skip
ORDERS = (">=", "<=", ">", "<")
# `at least 90` of schema 1, and of whoever writes a verdict by hand in a playbook.
IN_WORDS = re.compile(r"(at least|at most|more than|less than) (-?\d{1,15}(?:\.\d{1,9})?)\Z")


def number(value: object) -> TypeGuard[float]:
    """Whether it is a number that can be compared: true, NaN and infinity are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def text_of(value: object) -> str:
    """A value in a sentence: 90 for 90.0, lists with commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value)) or "none"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a measured value must be, for a machine to compare and for people to read.

    value: a finite number for the orders, a list for `in`, anything for the rest.
    """

    operator: Operator
    value: Any
    unit: str = ""

    def __post_init__(self) -> None:
        if self.operator not in PHRASES:
            raise ValueError(f"operator must be one of {' '.join(PHRASES)}, not {self.operator!r}")
        if self.operator in ORDERS and not number(self.value):
            raise ValueError(f"value of {self.operator} must be a finite number, not {self.value!r}")
        if self.operator == "in" and not isinstance(self.value, list | tuple):
            raise ValueError(f"value of in must be a list, not {self.value!r}")

    def holds(self, measured: object) -> bool | None:
        """Whether `measured`, in the requirement's unit, is as required; None where only the judge can tell.

        A missing value, and one that is not of a kind with the requirement, does not hold.
        """
        if self.operator == "words":
            return None
        if measured is None or (isinstance(measured, float) and not math.isfinite(measured)):
            return False
        if self.operator in ORDERS:
            return number(measured) and self._ordered(measured)
        if self.operator == "in":
            return any(_same(measured, choice) for choice in self.value)
        if self.operator == "contains":
            wanted = self.value if isinstance(self.value, list | tuple) else [self.value]
            return isinstance(measured, str | list | tuple) and all(one in measured for one in wanted)
        return _same(measured, self.value) is (self.operator == "==")

    def _ordered(self, measured: Any) -> bool:
        return bool(
            {
                ">=": measured >= self.value,
                "<=": measured <= self.value,
                ">": measured > self.value,
                "<": measured < self.value,
            }[self.operator]
        )

    @property
    def words(self) -> str:
        """Without the unit: `at least 90`."""
        return PHRASES[self.operator] + text_of(self.value)

    def __str__(self) -> str:
        return f"{self.words} {self.unit}".rstrip()

    @classmethod
    def from_json(cls, given: object, where: str = "required", unit: str = "") -> Self:
        """A mapping; or, as in schema 1, text or a bare number: `at least 90` is compared, anything else is words."""
        if isinstance(given, Mapping):
            return from_json(cls, {"unit": unit, **given}, where)
        said = IN_WORDS.match(given) if isinstance(given, str) else None
        if said:
            operator = next(name for name, phrase in PHRASES.items() if phrase.strip() == said[1])
            return cls(operator, read(float, said[2], where), unit)  # type: ignore[arg-type]
        return cls("words", given, unit)


def _same(one: object, other: object) -> bool:
    """Equal, and of a kind: true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and to_json(one) == to_json(other)
