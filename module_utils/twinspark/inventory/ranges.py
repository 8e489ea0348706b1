"""In which range a setting's number must be, as its argument specs tell it. Pure.

Argument specs have no key for it, so it is an entry of the description, in one of these forms: `Range: 1 to 9.`,
`Range: 0 or more.`, `Range: above 0.`, `Range: above 0, up to 1.` The role's README shows it, and this reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

NUMBER = r"-?\d+(?:\.\d+)?"
FORM = re.compile(
    rf"Range: (?:(?P<least>{NUMBER}) to (?P<most>{NUMBER})|(?P<lowest>{NUMBER}) or more"
    rf"|above (?P<above>{NUMBER})(?:, up to (?P<upto>{NUMBER}))?)\."
)


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most`, both included; `beyond`: the least itself is not. None: without a limit."""

    least: float
    most: float | None = None
    beyond: bool = False

    @classmethod
    def of(cls, option: Mapping[str, Any]) -> Self | None:
        """From an option of meta/argument_specs.yml; None where its description tells none.

        Raises ValueError for one in another form.
        """
        description = option.get("description") or ""
        entries = [description] if isinstance(description, str) else description
        told = next((str(entry) for entry in entries if str(entry).startswith("Range:")), "")
        if not told:
            return None
        found = FORM.fullmatch(told)
        if not found:
            raise ValueError(f"{told!r} is none of the forms of a range")
        most = found["most"] or found["upto"]
        return cls(
            least=float(found["least"] or found["lowest"] or found["above"]),
            most=float(most) if most else None,
            beyond=bool(found["above"]),
        )

    def holds(self, value: float) -> bool:
        """Whether a number is in it; what is no number (NaN) is not."""
        low = value > self.least if self.beyond else value >= self.least
        return low and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        least = f"{self.least:g}" if abs(self.least) < 1e6 else f"{self.least:.0f}"
        most = "" if self.most is None else f"{self.most:g}" if abs(self.most) < 1e6 else f"{self.most:.0f}"
        if self.beyond:
            return f"above {least}" + (f" and at most {most}" if most else "")
        return f"from {least} to {most}" if most else f"at least {least}"
