"""The way to the hosts by the system's own ssh, without a play: what the inventory says of each, and the command line.

For what has to be quick, or goes on for long: the state of the pair, and its logs.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import paths

if TYPE_CHECKING:
    from .place import Place

GROUP = "sparks"
REMEMBERED = "connections.json"
SCHEMA = 1
# Ansible's variables for one thing each, the one that wins first.
ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port")
USER = ("ansible_user", "ansible_ssh_user")
KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
# In this order they follow each other on Ansible's own command line.
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
STATE_DIR = "twinspark_state_dir"
READ = (*ADDRESS, *PORT, *USER, *KEY, *ARGUMENTS, "ansible_connection", STATE_DIR)
# ssh takes the first value that it meets, so nothing of the inventory's loosens these. A connection of its own each
# time: one that is kept would hide a host key that has changed since.
FIRST = ("StrictHostKeyChecking=yes", "BatchMode=yes", "ControlMaster=no", "ControlPath=none")


class ReachError(ValueError):
    """There is no way to a host, or none that may be gone; the message is a clause."""


@dataclass(frozen=True)
class Host:
    """How one host is reached. `rank`: its place in the group; `why_not`: a clause where it can't be by ssh.

    user, port, key: empty where ssh's own configuration decides. arguments: further ones for ssh. local: it is this
    machine, by the inventory's word.
    """

    name: str
    rank: int
    address: str
    user: str = ""
    port: str = ""
    key: str = ""
    arguments: tuple[str, ...] = ()
    local: bool = False
    state_dir: str = "/var/lib/twinspark"
    why_not: str = ""

    @property
    def state_file(self) -> str:
        """Where the supervisor keeps its state, if this is the head."""
        return f"{self.state_dir}/serve/state.json"


def host(name: str, rank: int, variables: Mapping[str, Any]) -> Host:
    """A host by its variables in the inventory, as Ansible's ssh connection would take them."""
    from ansible.module_utils.twinspark.inventory import host_keys

    templates = [known for known in READ if "{{" in str(variables.get(known, ""))]
    connection = str(variables.get("ansible_connection") or "ssh")
    problems = host_keys.problems(name, variables)
    why_not = ""
    if templates:
        why_not = f"{templates[0]} is a template, which only a play can fill in"
    elif connection not in {"ssh", "smart", "local"}:
        why_not = f"it is reached by {connection}, not by ssh"
    elif problems:
        why_not = problems[0]
    key = first(variables, KEY)
    return Host(
        name=name,
        rank=rank,
        address=first(variables, ADDRESS) or name,
        user=first(variables, USER),
        port=first(variables, PORT),
        key=str(Path(key).expanduser()) if key else "",
        arguments=tuple(word for known in ARGUMENTS for word in words(variables.get(known))),
        local=connection == "local",
        state_dir=str(variables.get(STATE_DIR) or Host.state_dir),
        why_not=why_not,
    )


def first(variables: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these variables that says something."""
    return next((str(variables[name]) for name in names if variables.get(name) not in (None, "")), "")


def words(given: object) -> list[str]:
    """Arguments as Ansible splits them, from a text or a list."""
    if isinstance(given, list | tuple):
        return [str(word) for word in given]
    return shlex.split(str(given)) if given else []


def argv(to: Host, command: str, timeout: int) -> list[str]:
    """The command line that runs a command of the shell's on a host; `timeout`: seconds for the connection.

    Raises ReachError where there is no such way.
    """
    if to.why_not:
        raise ReachError(to.why_not)
    if to.local:
        return ["sh", "-c", command]
    options = [*FIRST, f"ConnectTimeout={timeout}", "ServerAliveInterval=15", "ServerAliveCountMax=4"]
    line = ["ssh", *(word for option in options for word in ("-o", option)), *to.arguments]
    line += ["-o", f"Port={to.port}"] if to.port else []
    line += ["-o", f"IdentityFile={json.dumps(to.key)}"] if to.key else []
    line += ["-l", to.user] if to.user else []
    # What follows `--` is never taken for an option, whatever an inventory calls its host.
    return [*line, "-T", "--", to.address, command]


def ranked(listing: Mapping[str, Any]) -> list[str]:
    """The hosts of the group in rank order, from `ansible-inventory --list`."""
    found: list[str] = []
    groups = [GROUP]
    while groups:
        group = listing.get(groups.pop(0), {})
        found += [name for name in group.get("hosts", []) if name not in found]
        groups += group.get("children", [])
    return found


def reduced(listing: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each host in rank order what is read here, and nothing else: no secret is kept."""
    of = listing.get("_meta", {}).get("hostvars", {})
    return {
        name: {known: value for known, value in of.get(name, {}).items() if known in READ} for name in ranked(listing)
    }


def hosts(place: Place) -> list[Host]:
    """The hosts in rank order. Ansible is asked only where the inventory has changed since it last was.

    Raises UsageError for an inventory that it can't read, SealedError for one that is encrypted.
    """
    variables = recall(place)
    if variables is None:
        from . import precheck

        listing = precheck.inventory(place.inventory, place.content)
        variables = reduced(listing)
        remember(place, listing)
    return [host(name, rank, given) for rank, (name, given) in enumerate(variables.items())]


def remember(place: Place, listing: Mapping[str, Any]) -> None:
    """Keep what the inventory says of the way to the hosts, bound to its files as they are now."""
    mark = fingerprint(place)
    if mark is None:
        return
    document = {"schema": SCHEMA, "files": mark, "hosts": reduced(listing)}
    try:
        target = paths.prepare_site(place.inventory) / REMEMBERED
        fresh = target.with_name(f"{REMEMBERED}.{os.getpid()}")
        fresh.write_text(json.dumps(document, indent=1) + "\n")
        fresh.replace(target)
    except (OSError, paths.PathError):
        return  # the next one asks Ansible again


def recall(place: Place) -> dict[str, dict[str, Any]] | None:
    """What was kept, if the inventory is still the same; None where Ansible has to be asked."""
    try:
        document = json.loads((place.site / REMEMBERED).read_text())
        kept: dict[str, dict[str, Any]] = document["hosts"]
        same = document["schema"] == SCHEMA and document["files"] == fingerprint(place)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kept if same and isinstance(kept, dict) and kept else None


def fingerprint(place: Place) -> list[list[Any]] | None:
    """Name, size and time of every file that the inventory is made of; None for one that is more than its files."""
    found = []
    for path in sorted(set(inventory_files(place))):
        try:
            state = path.stat()
        except OSError:
            continue
        if lives(path, state.st_mode):
            return None
        found.append([str(path), state.st_size, state.st_mtime_ns])
    return found


def lives(path: Path, mode: int) -> bool:
    """Whether a file is a program, or the settings of a plugin: these say something else each time."""
    if "vars" in path.parts[-2] or any("_vars" in part for part in path.parts):
        return False
    if mode & 0o111:
        return True
    try:
        return any(line.startswith("plugin:") for line in path.read_text(errors="replace").splitlines())
    except OSError:
        return True


def inventory_files(place: Place) -> Iterator[Path]:
    """The inventory's own files, and those of variables beside it."""
    given = place.inventory
    folder = given if given.is_dir() else given.parent
    yield place.content / "ansible.cfg"
    if given.is_dir():
        yield from (path for path in given.iterdir() if path.is_file())
    else:
        yield given
    for kind in ("group_vars", "host_vars"):
        for parent, _, names in (folder / kind).walk(follow_symlinks=True):
            yield from (Path(parent, name) for name in names)
