"""Python environments on hosts: what is wanted, what is there, and what that makes necessary.

Pure: reading the disk and running commands is the module's part.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<extras>\[[A-Za-z0-9,._ -]+\])?"
    r"==(?P<version>[A-Za-z0-9.!+_-]+)\s*(?P<marker>;.+)?$"
)


class RequirementError(ValueError):
    """A requirement that is not one pinned package; the message names it and the fix."""


@dataclass(frozen=True)
class Requirement:
    """One pinned package; ``conditional`` when a marker lets the installer leave it out."""

    name: str
    version: str
    conditional: bool


@dataclass(frozen=True)
class Desired:
    """The environment asked for. ``python`` is an executable, ``installer`` is ``uv`` or ``pip``."""

    path: str
    requirements: tuple[str, ...]
    python: str
    installer: str = "uv"
    uv: str = ""


@dataclass(frozen=True)
class Actual:
    """What the disk says. ``python`` is the resolved interpreter or empty; ``packages`` is name -> version;
    ``stamp`` is what the last successful run wrote (``digest`` and ``packages``), or empty.
    """

    python: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    stamp: dict[str, object] = field(default_factory=dict)
    owner: str = ""


@dataclass(frozen=True)
class Plan:
    """``reasons`` are ``{name, current, desired}``; no reasons means nothing to do."""

    create: bool
    install: bool
    reasons: tuple[dict[str, str], ...]


def normalise(name: str) -> str:
    """The one spelling of a distribution's name: ``Huggingface_Hub`` -> ``huggingface-hub``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_requirement(text: str) -> Requirement:
    """``name[extra]==version ; marker`` to a Requirement; anything looser is refused."""
    match = PIN.match(text.strip())
    if not match:
        raise RequirementError(f"{text!r} is not pinned: write name==version, so that every host gets the same")
    return Requirement(normalise(match["name"]), match["version"], bool(match["marker"]))


def parse_requirements(lines: list[str]) -> tuple[str, ...]:
    """Drop comments and blank lines of a requirements file; keep the rest, each one pinned."""
    kept = [line.split(" #")[0].strip() for line in lines]
    kept = [line for line in kept if line and not line.startswith("#")]
    for line in kept:
        parse_requirement(line)
    return tuple(kept)


def digest(desired: Desired) -> str:
    """sha256 over what the environment is made from; the order of the list does not matter."""
    body = {"requirements": sorted(desired.requirements), "python": desired.python, "installer": desired.installer}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def packages_of(dist_infos: list[str]) -> dict[str, str]:
    """Names of ``*.dist-info`` folders to name -> version."""
    found = {}
    for entry in dist_infos:
        name, _, version = entry.removesuffix(".dist-info").rpartition("-")
        if name:
            found[normalise(name)] = version
    return found


def plan(desired: Desired, actual: Actual) -> Plan:
    """Compare package by package; an interpreter that is gone or another one means making it anew."""
    create = actual.python != desired.python
    reasons = [{"name": "python", "current": actual.python, "desired": desired.python}] if create else []
    present = {} if create else actual.packages
    wanted = {r.name: r for r in map(parse_requirement, desired.requirements)}
    for name, requirement in wanted.items():
        current = present.get(name, "")
        if current != requirement.version and (current or not requirement.conditional):
            reasons.append({"name": name, "current": current, "desired": requirement.version})
    if not create:
        reasons += _drift(wanted, actual)
    if not reasons and actual.stamp.get("digest") != digest(desired):
        reasons.append({"name": "stamp", "current": str(actual.stamp.get("digest", "")), "desired": digest(desired)})
    return Plan(create=create, install=bool(reasons), reasons=tuple(reasons))


def _drift(wanted: dict[str, Requirement], actual: Actual) -> list[dict[str, str]]:
    """Packages that nobody pins, but that are no longer as the last run left them."""
    kept = actual.stamp.get("packages")
    recorded = {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}
    if not recorded:
        return []
    names = sorted((set(recorded) | set(actual.packages)) - set(wanted))
    return [
        {"name": name, "current": actual.packages.get(name, ""), "desired": recorded.get(name, "")}
        for name in names
        if actual.packages.get(name, "") != recorded.get(name, "")
    ]


def predicted(desired: Desired, actual: Actual, todo: Plan) -> dict[str, str]:
    """The packages after the plan, as far as they are known before asking an index."""
    after = {} if todo.create else dict(actual.packages)
    for reason in todo.reasons:
        if reason["name"] in ("python", "stamp"):
            continue
        after[reason["name"]] = reason["desired"]
    return {name: version for name, version in after.items() if version}


def listing(path: str, python: str, packages: dict[str, str]) -> str:
    """The environment as text for a diff; empty when there is none."""
    if not python:
        return ""
    lines = [f"{name}=={version}" for name, version in sorted(packages.items())]
    return "\n".join([f"# {path} on {python}", *lines]) + "\n"


def create_argv(desired: Desired) -> list[str]:
    """Command that makes the empty environment, replacing a broken one."""
    if desired.installer == "pip":
        return [desired.python, "-m", "venv", "--clear", desired.path]
    return [desired.uv, "venv", "--quiet", "--clear", "--no-python-downloads", "--python", desired.python, desired.path]


def install_argv(desired: Desired) -> list[str]:
    """Command that makes the packages what is asked for, and with uv nothing besides."""
    if desired.installer == "pip":
        argv = [f"{desired.path}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    else:
        argv = [desired.uv, "pip", "install", "--quiet", "--exact", "--python", f"{desired.path}/bin/python"]
    return argv + list(desired.requirements)
