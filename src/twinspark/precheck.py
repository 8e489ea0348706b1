"""What can be seen to be wrong before Ansible starts: options, and files that don't parse."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.twinspark.inventory import host_keys
from ansible.module_utils.twinspark.inventory.rules import did_you_mean, is_ours
from ansible.module_utils.twinspark.inventory.secret_names import named_in, secret_names
from ansible.module_utils.twinspark.proof.proofs import STAGES

# By these a variable would change the checking of host keys, whatever ansible.cfg and the environment say.
UNPINNED = re.compile(rf"host_key_(?:checking|auto_add)$|^(?:{'|'.join((host_keys.FIRST, *host_keys.EXECUTABLES))})$")
UNPINNED_OPTION = re.compile("|".join((*host_keys.OPTIONS, "GlobalKnownHostsFile")), re.IGNORECASE)
YAML_NAMES = {".yml", ".yaml"}
# Ansible reads such files of group_vars and host_vars as YAML.
VARIABLES_NAMES = {*YAML_NAMES, ".json", ""}


class UsageError(ValueError):
    """The owner asked for something that can't be; the message is one sentence with its fix."""


class _AnyTag(yaml.SafeLoader):
    """Reads a file for its syntax and names only: `!vault` and other tags of Ansible are let through."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A key that stands twice is told: the second would win, and a host or a setting be lost unheard."""
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in first:
                    problem = f"{key.value!r} stands twice, first in line {first[key.tag, key.value]}"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                first[key.tag, key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A day that no calendar has, or `!!int x`, is told like any other mistake: PyYAML lets Python complain."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError, LookupError) as error:
            kind = node.tag.rpartition(":")[2]
            problem = f"{node.value!r} is no {kind} (if it is meant as text, quote it)"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


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


def inventory(path: Path, project: Path) -> None:
    """Every YAML file of the inventory must parse, since Ansible would only warn and go on without it; and no setting
    may be lost. What the hosts of sparks have in the end, of any format, the first task of every playbook judges.
    """
    if path.is_file() and not os.access(path, os.X_OK):  # an executable one is a program that prints an inventory
        read(path)
    overruled(path, {role.name for role in (project / "roles").glob("*")})


def overruled(path: Path, roles: Collection[str]) -> None:
    """What `vars:` of a group in the inventory file sets and group_vars/all sets otherwise would be silently lost. Only
    this project's variables are looked at: others may be meant for other hosts, where their owner knows best.
    """
    folder = path if path.is_dir() else path.parent
    found = files(path)
    loaded = {file: loads(file) for file in found}
    general = [file for file in found if file.is_relative_to(folder / "group_vars/all") or file.stem == "all"]
    settings = {
        name: (value, file) for file in general for name, value in loaded[file].items() if is_ours(str(name), roles)
    }
    for file in found:
        if file.parent != folder:
            continue
        for where, held in mappings(loaded[file]):
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
    """The YAML files of an inventory: its own, then those of group_vars and host_vars beside it.

    Ansible reads no hidden files and folders there, nor an editor's backups. A file without a suffix, right in
    group_vars or host_vars, it reads only if a group or host has that name, which is certain of `all` alone.
    """
    folder = path if path.is_dir() else path.parent
    own = [path] if path.is_file() else [entry for entry in sorted(folder.iterdir()) if entry.is_file()]
    found = [file for file in own if file.suffix in YAML_NAMES]
    for name in ("group_vars", "host_vars"):
        top = folder / name
        for parent, folders, names in top.walk(follow_symlinks=True):
            folders[:] = visible(folders)
            read_there = [parent / entry for entry in visible(names) if Path(entry).suffix in VARIABLES_NAMES]
            found += [file for file in read_there if file.suffix or parent != top or file.name == "all"]
    return found


def visible(names: Sequence[str]) -> list[str]:
    """Those that Ansible looks at, sorted."""
    return sorted(name for name in names if not name.startswith(".") and not name.endswith("~"))


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
