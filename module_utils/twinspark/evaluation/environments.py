"""Python environments on hosts: what is asked for, the commands that make it, and what uv or pip say would change.

Pure: running the commands is the module's part. The comparison itself is theirs: `uv pip sync --check`, and for the
environment that holds uv, which can't use it yet, pip's dry run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..proof.foreign import ForeignError, json_of

PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[A-Za-z0-9,._ -]+\])?"
    r"==(?P<version>[A-Za-z0-9.!+_-]+)\s*(?P<marker>;.+)?$"
)


class RequirementError(ValueError):
    """A requirement that is not one pinned package; the message names it and the fix."""


@dataclass(frozen=True)
class Desired:
    """The environment asked for. ``python`` is an executable, ``installer`` is ``uv`` or ``pip``."""

    path: str
    requirements: tuple[str, ...]
    python: str
    installer: str = "uv"
    uv: str = ""


def change(name: str, current: str, desired: str) -> dict[str, str]:
    """One reason for a change; a version is empty where the package is not there, or not wanted."""
    return {"name": name, "current": current, "desired": desired}


def pinned(text: str) -> re.Match[str]:
    """``name[extra]==version ; marker`` in its parts; anything looser is refused, since uv would take the newest."""
    match = PIN.match(text)
    if not match:
        raise RequirementError(f"{text!r} is not pinned: write name==version, so that every host gets the same")
    return match


def parse_requirements(lines: Sequence[str]) -> tuple[str, ...]:
    """Drop comments and blank lines of a requirements file; keep the rest, each one pinned."""
    kept = [line.split(" #")[0].strip() for line in lines]
    kept = [line for line in kept if line and not line.startswith("#")]
    for line in kept:
        pinned(line)
    return tuple(kept)


def create_argv(desired: Desired) -> list[str]:
    """Command that makes the environment without packages, in an empty folder."""
    if desired.installer == "pip":
        return [desired.python, "-m", "venv", desired.path]
    return [desired.uv, "venv", "--quiet", "--no-python-downloads", "--python", desired.python, desired.path]


def sync_argv(desired: Desired, *look: str) -> list[str]:
    """Command that makes the packages what its standard input lists, and tells the changes as JSON.

    ``look`` are options by which it tells them only. uv removes what the list does not have, and installs no
    dependency that it does not have either; pip does neither.
    """
    python = f"{desired.path}/bin/python"
    if desired.installer == "pip":
        options = ["--quiet", "--disable-pip-version-check", "--report", "-", *look]
        return [python, "-m", "pip", "install", *options, "-r", "/dev/stdin"]
    options = ["--quiet", "--output-format", "json", "--allow-empty-requirements", *look]
    return [desired.uv, "pip", "sync", *options, "--python", python, "-"]


def lacking_argv(desired: Desired) -> list[str]:
    """Command that fails where a package of the environment lacks another one: `uv pip sync` adds none by itself."""
    return [desired.uv, "pip", "check", "--quiet", "--python", f"{desired.path}/bin/python"]


def looks(desired: Desired) -> list[tuple[str, ...]]:
    """Options for looking only, in the order to try them.

    Without an index first: an environment that is as wanted needs none, and what is wanted can be had offline or not
    at all. Only a package that is to come has to be asked for.
    """
    return [("--dry-run",)] if desired.installer == "pip" else [("--check", "--offline"), ("--check",)]


def changes(desired: Desired, report: str) -> list[dict[str, str]] | None:
    """Reasons for a change from what ``sync_argv`` printed, by name; None where it printed none but failed."""
    try:
        return _changes(desired, json_of(report))
    except (ForeignError, KeyError, TypeError):
        return None


def _changes(desired: Desired, told: Any) -> list[dict[str, str]]:
    if desired.installer == "pip":
        return [change(entry["metadata"]["name"], "", entry["metadata"]["version"]) for entry in told["install"]]
    found: dict[str, dict[str, str]] = {}
    for entry in told["changes"]:
        known = found.setdefault(entry["name"], change(entry["name"], "", ""))
        known["current" if entry["action"] == "uninstalled" else "desired"] = entry["version"]
    return [found[name] for name in sorted(found)]


def predicted(desired: Desired) -> list[dict[str, str]]:
    """What would come into an empty environment, as far as it is known before asking an index: not by marker."""
    found = map(pinned, desired.requirements)
    return [change(match["name"], "", match["version"]) for match in found if not match["marker"]]


def listing(reasons: Sequence[dict[str, str]], which: str) -> str:
    """One side of a diff: ``current`` or ``desired`` of every reason, a line each."""
    return "".join(f"{reason['name']} {reason[which]}\n" for reason in reasons if reason[which])
