"""Whether a setting has the type and is in the range that its role's argument specs give it, in plain words. Pure.

Types are taken as Ansible's own validation takes them, whose functions are given. It would refuse the same values, but
only when the role starts, which can be an hour after the first change, and with the names of Python's classes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .ranges import Range

# By type, functions that give a value as that type, or raise TypeError or ValueError.
type Validators = Mapping[str, Callable[[Any], Any]]

WORDS = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "str": "a text",
}
# Only where these are wanted a wrong value is shown: in place of a text or a mapping it could be a secret.
SHOWN = ("bool", "float", "int")
# Ansible's sentences, from ansible-core 2.21's parameters.py and arg_spec.py, and how they are said here.
CLASS = r"(?:<class ')?(\w+)(?:'>)?"
PLAINER = (
    (
        re.compile(rf"argument '(?P<name>[^']+)' is of type {CLASS}(?: found in '(?P<within>.+?)'\.?)?"
                   r" and we were unable to convert to (?P<kind>\w+)(?:: .*)?", re.S),
        "must be",
    ),
    (
        re.compile(rf"Elements value for option '(?P<name>[^']+)' is of type {CLASS}(?: found in '(?P<within>.+?)'\.?)?"
                   r" and we were unable to convert to (?P<kind>\w+)(?:: .*)?", re.S),
        "must have entries that are each",
    ),
)  # fmt: skip
UNSUPPORTED = re.compile(r"(?P<name>[\w.]+)\. Supported parameters include: (?P<known>.+)\.")
NAMELESS = "dictionary requested, could not parse JSON or key=value"  # comes before one that says of which setting


@dataclass(frozen=True, slots=True)
class Spec:
    """A setting's type as argument specs write it. options: by name, of a mapping or of each mapping of a list."""

    type: str = "str"
    elements: str = ""
    required: bool = False
    choices: tuple[Any, ...] = ()
    options: Mapping[str, Spec] = field(default_factory=dict)
    range: Range | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """From meta/argument_specs.yml; default and description, but for the range in it, are passed over."""
        return cls(
            type=str(given.get("type", "str")),
            elements=str(given.get("elements", "")),
            required=bool(given.get("required", False)),
            choices=tuple(given.get("choices") or ()),
            options={name: Spec.from_json(spec or {}) for name, spec in (given.get("options") or {}).items()},
            range=Range.of(given),
        )

    def entry(self) -> Spec:
        """What each entry of a list must be."""
        return Spec(self.elements or "raw", choices=self.choices, options=self.options, range=self.range)


def wrong(name: str, value: Any, spec: Spec, validators: Validators) -> Iterator[str]:
    """Clauses on what is wrong with a value; null is none, as for Ansible."""
    validator = validators.get(spec.type)
    if value is None or validator is None:
        return
    try:
        taken = validator(value)
    except (TypeError, ValueError):
        yield f"{name} must be {WORDS.get(spec.type, spec.type)}, is {said(value, spec.type)}"
        return
    if spec.type == "list":
        for number, entry in enumerate(taken, 1):
            yield from wrong(f"{name}, entry {number},", entry, spec.entry(), validators)
    elif spec.type == "dict" and spec.options:
        yield from _parts(name.rstrip(","), taken, spec.options, validators)
    elif spec.choices and taken not in spec.choices:
        yield f"{name} must be one of {', '.join(map(str, spec.choices))}, is {taken!r}"
    elif spec.range and isinstance(taken, int | float) and not spec.range.holds(taken):
        yield f"{name} must be {spec.range}, is {said(value, spec.type)}"


def _parts(name: str, value: Mapping[str, Any], options: Mapping[str, Spec], validators: Validators) -> Iterator[str]:
    lacking = [key for key, spec in options.items() if spec.required and value.get(key) is None]
    if lacking:
        yield f"{name} lacks {', '.join(lacking)}"
    for key, part in value.items():
        if key in options:
            yield from wrong(f"{name}: {key}", part, options[key], validators)
        else:
            yield f"{name} has a key {key}{meant(key, options)}"


def meant(key: object, known: Collection[str]) -> str:
    """The end of a clause on a key that nobody reads."""
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
    return f": did you mean {near[0]}?" if near else f", but only {', '.join(known)} are read"


def said(value: Any, wanted: str) -> str:
    """A wrong value, or its kind only."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if wanted not in SHOWN:
        return "a text" if isinstance(value, str) else "a number"
    return repr(str(value)) if isinstance(value, str) else str(value)


def defaults_alone(variables: Collection[str], profile: str, settings: Collection[str], *, weights: bool) -> str:
    """A remark where an inventory does not say what is served, as one without group_vars beside it; else empty.

    weights: whether repository and commit are given, by a play of one's own, say, so that the profile's do not count.
    """
    if not any(name in settings and not name.startswith("_") for name in variables):
        served = "" if weights else f"the profile {profile}, and "
        return (
            f"the inventory sets nothing of twinspark, so the roles' defaults hold: {served}rails in the outermost "
            "cage (twinspark_rails). Where they fit nothing is to be done; `twinspark init` writes others"
        )
    if "twinspark_profile" in variables or weights:
        return ""
    return f"twinspark_profile is set nowhere, so its default holds: the profile {profile}"


def plain(errors: Iterable[str]) -> list[str]:
    """Ansible's own sentences on wrong settings without classes of Python; others as they are."""
    errors = [error for error in errors if error != NAMELESS] or [NAMELESS]
    return [_plain(error) for error in errors]


def _plain(error: str) -> str:
    for pattern, must in PLAINER:
        if found := pattern.fullmatch(error):
            within = f" in {found['within']}" if found["within"] else ""
            kind = {"str": "a text", "list": "a list", "dict": "a mapping"}.get(found[2], "a number")
            return f"{found['name']}{within} {must} {WORDS.get(found['kind'], found['kind'])}, is {kind}"
    if found := UNSUPPORTED.fullmatch(error):
        name, _, key = found["name"].rpartition(".")
        return f"{name} has a key {key}{meant(key, found['known'].split(', '))}"
    return error
