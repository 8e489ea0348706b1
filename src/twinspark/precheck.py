"""What can be seen to be wrong before Ansible starts: options, and files that don't parse."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from twinspark.core import host_keys
from twinspark.core.inventory_rules import did_you_mean
from twinspark.core.proofs import STAGES
from twinspark.core.secret_names import named_in, secret_names

# By these a variable would change the checking of host keys, whatever ansible.cfg and the environment say.
UNPINNED = re.compile(r"host_key_(?:checking|auto_add)$", re.IGNORECASE)
UNPINNED_OPTION = re.compile("|".join((*host_keys.OPTIONS, "GlobalKnownHostsFile")), re.IGNORECASE)
YAML_NAMES = {".yml", ".yaml"}
# Ansible reads such files of group_vars and host_vars as YAML.
VARIABLES_NAMES = {*YAML_NAMES, ".json", ""}


class UsageError(ValueError):
    """The owner asked for something that can't be; the message is one sentence with its cure."""


class _AnyTag(yaml.SafeLoader):
    """Reads a file for its syntax and names only: `!vault` and other tags of Ansible are let through."""


_AnyTag.add_multi_constructor("!", lambda loader, suffix, node: None)


def stages(names: Sequence[str]) -> list[str]:
    """The names, each once, in the order of the line."""
    for name in names:
        if name not in STAGES:
            raise UsageError(f"there is no stage {name!r}{did_you_mean(name, STAGES)}")
    return [stage for stage in STAGES if stage in names]


def extra_vars(pairs: Sequence[str]) -> dict[str, Any]:
    """`k=v` pairs; a value that is JSON (true, 3, [..]) is taken as such, anything else as text.

    A secret is refused: it would be in the shell's history and in the process list.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        if pair.startswith(("{", "[", "@")):  # not quoted in the message: it may hold anything
            raise UsageError("-e takes name=value, not a mapping or a file: give each variable an -e of its own")
        name, separator, text = pair.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise UsageError(f"-e takes name=value, not {pair!r}")
        for secret in [*secret_names([name]), *named_in(text)]:
            inside = "" if secret == name else f" in {name}"
            raise UsageError(
                f"{secret}{inside} looks like a secret, which has no place on a command line: put it in a file or vault"
            )
        if UNPINNED.search(name) or (name.startswith("ansible_") and UNPINNED_OPTION.search(text)):
            raise UsageError(
                f"{name} would change how host keys are checked, which nothing on a command line may: "
                "log in once by hand, compare the fingerprint, and leave it pinned"
            )
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def inventory(path: Path) -> None:
    """Every YAML file of the inventory must parse, since Ansible would only warn and go on without it; and none may
    weaken the checking of host keys. What other formats and templates hold, the first task of every playbook judges.
    """
    if path.is_file() and not os.access(path, os.X_OK):  # an executable one is a program that prints an inventory
        read(path)
    for file in files(path):
        for where, held in mappings(loads(file)):
            plain = {name: value for name, value in held.items() if value is not None and "{{" not in str(value)}
            found = host_keys.problems(f"{file}{where and f', under {where}'}", plain)
            if found:
                raise UsageError(f"{found[0]}. Nothing was changed")
    overruled(path)


def overruled(path: Path) -> None:
    """What `vars:` of a group in the inventory file sets and group_vars/all sets otherwise would be silently lost."""
    folder = path if path.is_dir() else path.parent
    found = files(path)
    general = [file for file in found if file.is_relative_to(folder / "group_vars/all") or file.stem == "all"]
    settings = {name: (value, file) for file in general for name, value in loads(file).items()}
    for file in found:
        if file.parent != folder:
            continue
        for where, held in mappings(loads(file)):
            *above, last = where.split(".")
            if last != "vars" or "hosts" in above[-2:-1]:
                continue
            for name in held.keys() & settings.keys():
                value, winner = settings[name]
                if held[name] != value:
                    raise UsageError(
                        f"{file}: {name} under {where} is overruled by {winner}, which Ansible lets win: set it there, "
                        "or under each host's own name. Nothing was changed"
                    )


def files(path: Path) -> list[Path]:
    """The YAML files of an inventory: its own, then those of group_vars and host_vars beside it."""
    folder = path if path.is_dir() else path.parent
    own = [path] if path.is_file() else [entry for entry in sorted(folder.iterdir()) if entry.is_file()]
    found = [file for file in own if file.suffix in YAML_NAMES]
    for name in ("group_vars", "host_vars"):
        for parent, _, names in (folder / name).walk(follow_symlinks=True):
            visible = sorted(entry for entry in names if not entry.startswith(".") and not entry.endswith("~"))
            found += [parent / entry for entry in visible if Path(entry).suffix in VARIABLES_NAMES]
    return found


def mappings(value: Any, where: str = "", seen: tuple[int, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping in nested ones, with the dotted path to it; one that an alias puts into itself is not gone into."""
    if isinstance(value, Mapping) and id(value) not in seen:
        yield where, value
        for key, inner in value.items():
            yield from mappings(inner, f"{where}.{key}" if where else str(key), (*seen, id(value)))


def loads(file: Path) -> Mapping[str, Any]:
    """The file's YAML, a mapping as every file of an inventory is, or one sentence that says where it breaks."""
    text = read(file)
    if text.startswith("$ANSIBLE_VAULT"):
        return {}
    try:
        loaded = yaml.load(text, Loader=_AnyTag)  # noqa: S506 - a SafeLoader that ignores unknown tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{file} is not YAML{where}: {error.problem}. Correct it; nothing was changed") from error
    except RecursionError as error:
        raise UsageError(f"{file} is nested too deeply to be read: write it flatter. Nothing was changed") from error
    if not isinstance(loaded, Mapping | None):
        kind = "a list" if isinstance(loaded, list) else "a single value"
        raise UsageError(
            f"{file} is {kind}, but a file of an inventory is a mapping: write it like inventory/hosts.yml of the "
            "checkout. Nothing was changed"
        )
    return loaded or {}


def read(file: Path) -> str:
    """The file's text, or one sentence that says why it is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} is {error.object[error.start]:#04x}"
        raise UsageError(f"{file} is no text in UTF-8 ({where}): save it as UTF-8. Nothing was changed") from error
    except OSError as error:
        raise UsageError(f"{file} can't be read ({error.strerror}): make it readable. Nothing was changed") from error
    strange = re.search(yaml.reader.Reader.NON_PRINTABLE, text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        raise UsageError(
            f"{file} has the character {ord(strange[0]):#04x} in line {line}, which no text has: remove it. "
            "Nothing was changed"
        )
    return text
