"""What a running rank was started with against what it should run: flags and variables that differ, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..inventory.secret_names import secret_names

ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `name` is a flag (--max-num-seqs), a variable of the environment, or "command"."""

    name: str
    current: str
    desired: str


def flags(argv: Sequence[str]) -> dict[str, str]:
    """An engine's arguments by flag, values joined by blanks; what stands before the first flag is the "command".

    A flag alone has the value "set". `--name=value` is the same as `--name value`; of a flag given twice both count.
    """
    found: dict[str, list[str]] = {"command": []}
    at = "command"
    for word in argv:
        if word.startswith("--"):
            at, _, value = word.partition("=")
            found.setdefault(at, [])
            found[at] += [value] if value else []
        else:
            found[at].append(word)
    return {name: " ".join(values) or "set" for name, values in found.items()}


def changes(
    argv: Sequence[str], env: Sequence[str], wanted_argv: Sequence[str], wanted_env: Mapping[str, str]
) -> list[Change]:
    """What differs between a container's command and environment (NAME=value lines) and those that it should have.

    A variable that is no longer wanted is not told: the image has variables of its own, and nothing says whose it was.
    Of one whose name looks like a secret's no value is shown: reasons are in a proof that everybody may read.
    """
    current, desired = flags(argv), flags(wanted_argv)
    given = dict(line.partition("=")[::2] for line in env)
    found = [Change(name, current.get(name, ABSENT), desired.get(name, ABSENT)) for name in sorted(current | desired)]
    found += [Change(name, given.get(name, ABSENT), value) for name, value in sorted(wanted_env.items())]
    differ = [change for change in found if change.current != change.desired]
    hidden = secret_names(change.name for change in differ)
    return [Change(change.name, "hidden", "hidden") if change.name in hidden else change for change in differ]
