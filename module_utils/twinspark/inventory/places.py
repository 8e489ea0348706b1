"""Where a site sets its variables, and what of it has no effect, in one sentence each. Pure.

Ansible's order, the weakest first: `vars:` of a group in an inventory file, group_vars (all, then other groups), a
host's own variables in an inventory file, host_vars. It says nothing about what it passes over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .rules import did_you_mean

KINDS = {"group": "group_vars", "host": "host_vars"}
EXTENSIONS = (".yml", ".yaml", ".json")
# What people leave in a folder for each other.
FOR_PEOPLE = ("README", "LICENSE")


@dataclass(frozen=True)
class File:
    """A file of variables that Ansible reads. of: the name of the group or host; path: as the owner would write it."""

    kind: str
    of: str
    path: str
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """What an inventory and the files beside it set.

    groups: by host of the group sparks, those that it is in. hosts, group_variables: what the inventory itself gives to
    each. inventory: its path as the owner would write it. present: every file in group_vars and host_vars, by kind, as
    (entry of that folder, path). all_groups, all_hosts: names of all that the inventory has.
    """

    groups: Mapping[str, Collection[str]]
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group_variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inventory: str = ""
    files: Sequence[File] = ()
    present: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    all_groups: Collection[str] = ()
    all_hosts: Collection[str] = ()

    def names(self) -> list[str]:
        """Every variable that is set anywhere."""
        mappings = [*self.hosts.values(), *self.group_variables.values(), *(file.variables for file in self.files)]
        return sorted({str(name) for mapping in mappings for name in mapping})

    def where(self, name: str) -> list[str]:
        """The files that set a variable."""
        own = any(name in mapping for mapping in (*self.hosts.values(), *self.group_variables.values()))
        files = [file.path for file in self.files if name in file.variables]
        return list(dict.fromkeys([*[self.inventory] * own, *files]))


def remarks(site: Site, settings: Collection[str]) -> list[str]:
    """Everything that has no effect. settings: names of this project's; other variables are none of its business."""
    return [*unread(site), *beaten(site, settings), *replaced(site, settings)]


def unread(site: Site) -> list[str]:
    """Files that Ansible does not read."""
    read = {file.path for file in site.files}
    found = []
    for kind, files in site.present.items():
        names = site.all_groups if kind == "group" else site.all_hosts
        used = {entry for entry, path in files if path in read}
        strangers = {entry for entry, _ in files if stem(entry) not in names and entry not in used}
        for entry in sorted(strangers):
            if not entry.startswith(FOR_PEOPLE):
                folder = KINDS[kind]
                near = did_you_mean(stem(entry), sorted(names))
                found.append(f"{folder}/{entry} is not read, for the inventory has no {kind} {stem(entry)}{near}")
        found += [
            f"{path} is not read{why(entry, path, used)}"
            for entry, path in files
            if path not in read and entry not in strangers and not path.rpartition("/")[2].startswith(FOR_PEOPLE)
        ]
    return found


def stem(entry: str) -> str:
    """The group or host that an entry of group_vars or host_vars is for. A host's name may have dots."""
    return next((entry.removesuffix(end) for end in EXTENSIONS if entry.endswith(end)), entry)


def why(entry: str, path: str, used: Collection[str]) -> str:
    """Why Ansible passes over a file of a group or host that there is."""
    name = path.rpartition("/")[2]
    if "." in name and not name.endswith(EXTENSIONS):
        return f": give it a name that ends in {', '.join(EXTENSIONS)}, or that has no dot"
    rival = next((other for other in sorted(used) if stem(other) == stem(entry)), "")
    return f", for Ansible reads {rival} instead, which is beside it: put both into one" if rival else ""


def beaten(site: Site, settings: Collection[str]) -> list[str]:
    """Variables of a group in the inventory that group_vars give another value, which wins."""
    found = []
    for group, variables in site.group_variables.items():
        members = [host for host, groups in site.groups.items() if group in groups]
        for name in sorted(settings & variables.keys()):
            winners = [
                file.path
                for file in site.files
                if file.kind == "group"
                and name in file.variables
                and any(file.of in site.groups[host] for host in members)
                and differ(file.variables[name], variables[name])
            ]
            if winners:
                found.append(
                    f"{name} under vars: of the group {group} in {site.inventory} has no effect: {winners[-1]} sets "
                    "it, too, and wins. Set it there, or for a host under its name in the inventory"
                )
    return found


def replaced(site: Site, settings: Collection[str]) -> list[str]:
    """Variables of group_vars that have no effect, since every host has a value of its own in the inventory.

    That one host has its own is how a host is set apart; that all have it, an owner who edits group_vars can't expect.
    """
    found = []
    for file in site.files:
        members = [host for host, groups in site.groups.items() if file.of in groups]
        if file.kind != "group" or not members:
            continue
        own = [site.hosts.get(host, {}) for host in members]
        found += [
            f"{name} in {file.path} has no effect: each host has its own under its name in {site.inventory}, which "
            "wins. Change it there, or remove it there"
            for name in sorted(settings & file.variables.keys())
            if all(name in mine and differ(mine[name], file.variables[name]) for mine in own)
        ]
    return found


def differ(one: Any, other: Any) -> bool:
    """Whether two values of a setting are not the same."""
    return bool(one != other)


def told(paths: Iterable[str]) -> str:
    """` (set in A and B)`, empty for no place that is known."""
    found = " and ".join(paths)
    return f" (set in {found})" if found else ""
