"""Text that others wrote, read in bounded time: JSON, YAML, numbers, lines. One type of error, ForeignError.

What a peer, a tool, the Hub or an owner's file says may be anything: nested without end, a number of a million digits,
a YAML alias of an alias. Python's own readers answer that with RecursionError, OverflowError and worse, or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_LINE = 2000  # characters of a line that are looked at; what tools print for people is shorter
LONGEST_YAML = 1 << 20  # characters; a file of netplan's has some hundred
MOST_NODES = 100_000  # of a YAML document, those that its aliases repeat among them
DEEPEST = 100  # levels of a YAML document
LONGEST_NUMBER = 100  # characters: base 60 (1:30:00) takes the square of its length
_WHOLE = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,18}(?:\.[0-9]{0,18})?")
# Of the errors that json and PyYAML raise for text of their own syntax: `!!int ""` is an IndexError, `!!bool x` a
# KeyError, the 31st of February a ValueError.
_UNREAD = (ValueError, RecursionError, OverflowError, TypeError, AttributeError, LookupError)


class ForeignError(ValueError):
    """A text that can't be read; the message says why. line: where in it, 0 where that is not known."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(problem)
        self.line = line


def json_of(text: str | bytes) -> Any:
    """What a JSON text holds. Raises ForeignError, also for one that is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ForeignError("it is nested too deep") from error
    except ValueError as error:
        raise ForeignError(str(error)[:200]) from error


def yaml_of(text: str) -> Any:
    """What a YAML text holds, None where it is empty. Raises ForeignError. Controller only: needs PyYAML."""
    import yaml

    if len(text) > LONGEST_YAML:
        raise ForeignError(f"it is longer than {LONGEST_YAML >> 20} MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _weigh(text, loader)
        return yaml.load(text, Loader=loader)  # noqa: S506 - either is the safe one
    except ForeignError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ForeignError(getattr(error, "problem", None) or "it is not YAML", mark.line + 1 if mark else 0) from error
    except _UNREAD as error:
        raise ForeignError(f"a value in it is none: {str(error)[:100]}") from error


def _weigh(text: str, loader: Any) -> None:
    """Refuse what would take a reader too long: too many nodes, with all that aliases repeat, too deep, a huge number.

    The parser's events come one by one, so that this itself takes no longer than the text. PyYAML's C part has no
    limit of depth of its own: 100,000 brackets end the process.
    """
    import yaml

    nodes = 0
    known: dict[str, int] = {}
    above: list[tuple[str | None, int]] = []  # anchor of each open collection, and how many nodes came before it
    events: Iterator[Any] = yaml.parse(text, Loader=loader)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = above.pop()
            if anchor:
                known[anchor] = nodes - before
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in above):
                raise ForeignError("an alias in it repeats what it stands in", line)
            nodes += known.get(str(event.anchor), 1)
        else:
            nodes += 1
            if isinstance(event, yaml.CollectionStartEvent):
                above.append((event.anchor, nodes - 1))
            elif event.anchor:
                known[event.anchor] = 1
        if nodes > MOST_NODES:
            raise ForeignError(f"it has more than {MOST_NODES} values, those that its aliases repeat among them", line)
        if len(above) > DEEPEST:
            raise ForeignError(f"it is nested more than {DEEPEST} levels deep", line)
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_NUMBER and _may_be_number(event):
            raise ForeignError(f"it has a number of {len(event.value)} characters", line)


def _may_be_number(event: Any) -> bool:
    """Whether a scalar is going to be read as a number, unless it turns out to be none."""
    return bool(event.tag) or (not event.style and event.value[0] in "+-.0123456789")


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object as it is; an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """A JSON list as it is; an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def whole(text: object) -> int | None:
    """A whole number of up to 18 decimal digits; None for any other text."""
    return int(text) if isinstance(text, str) and _WHOLE.fullmatch(text) else None


def decimal(text: object) -> float | None:
    """A number like 12 or 12.5, without sign and exponent; None for any other text."""
    return float(text) if isinstance(text, str) and _DECIMAL.fullmatch(text) else None


def lines_of(text: str, longest: int = LONGEST_LINE) -> Iterator[str]:
    """The lines of a text, each cut at `longest`: for readers whose time grows with the square of a line."""
    return (line[:longest] for line in text.splitlines())
