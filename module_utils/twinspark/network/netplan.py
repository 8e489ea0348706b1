"""netplan files: the rails' own, and how the rails are taken out of others.

YAML is parsed on the controller only, so hosts need nothing but the standard library.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inventory.fabric import Rail
from ..proof.foreign import ForeignError, yaml_of
from .state import Link

HEADER = "# Managed by twinspark: changes made by hand are seen and undone. Settings: twinspark_rails.\n"
# Keys of netplan whose values are secrets (Wi-Fi, 802.1X, WireGuard): they stay on the host.
_SECRET = re.compile(
    r"""\b(password|client-key-password|key|private|shared|psk)(["']?[ \t]*:[ \t]*)"""
    r"""("[^"\n]*"|'[^'\n]*'|[^\s,{}\[\]"'|>][^,}\n]*)"""
)

_KIND = re.compile(r"^([ \t]+)(ethernets|wifis|bonds|bridges|vlans)[ \t]*:[ \t]*(#.*)?$")
_TRIVIAL = re.compile(r"network:|(version|renderer):[ \t]*[\w-]+[ \t]*(#.*)?")
LONGEST_KEY = 100  # characters; a name of an interface has 15


class NetplanError(ValueError):
    """A netplan file that can't be read; the message says which, where, and what to do."""


def render(rails: Sequence[Rail], mtu: int) -> str:
    """The text of 40-cx7.yaml for one host: the article's file; "" without rails."""
    if not rails:
        return ""
    lines = ["network:", "  version: 2", "  ethernets:"]
    for index, rail in enumerate(rails):
        said = index > 0
        lines += [
            f"    {rail.interface}:",
            "      dhcp4: no",
            "      dhcp6: no" + ("" if said else " # Explicitly disable DHCPv6"),
            "      link-local: []" + ("" if said else " # Restrict link-local addresses to static IPv4 only"),
            f"      mtu: {mtu}",
            f"      addresses: [{rail.cidr}]",
        ]
    return HEADER + "\n".join(lines) + "\n"


def render_sysctl(rails: Sequence[Rail], arp: Mapping[str, int]) -> str:
    """The text of the sysctl.d file. Both functions share one wire: each rail answers ARP for its own address only.

    Names are written with slashes, so that an interface name may hold a dot.
    """
    lines = [f"net/ipv4/conf/{rail.interface}/{key} = {value}" for rail in rails for key, value in sorted(arp.items())]
    return HEADER + "\n".join(lines) + "\n" if lines else ""


def redact(text: str) -> str:
    """A netplan file's text without the values of its secrets; its structure stays."""
    return _SECRET.sub(lambda found: f'{found[1]}{found[2]}"***"', text)


def parse(path: str, text: str) -> dict[str, Any]:
    """The `network` mapping of a netplan file. Raises NetplanError. Controller only: needs PyYAML."""
    try:
        document = yaml_of(text)
    except ForeignError as error:
        where = f" line {error.line}" if error.line else ""
        raise NetplanError(
            f"{path}{where} does not parse ({error}): correct it, or move it away, before the network is touched"
        ) from error
    if document is None:
        return {}
    if document == {}:
        return {}
    if not isinstance(document, dict) or "network" not in document:
        raise NetplanError(f"{path} has no 'network' mapping: correct it, or move it away")
    network = document["network"]
    if network is not None and not isinstance(network, dict):
        raise NetplanError(f"{path} has a 'network' that is no mapping: correct it, or move it away")
    return network or {}


def stanzas(network: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    """Every (kind, id, settings) of a parsed file: ("ethernets", "enp1s0f1np1", {...})."""
    for kind, members in network.items():
        if isinstance(members, Mapping):
            for name, settings in members.items():
                yield str(kind), str(name), settings if isinstance(settings, Mapping) else {}


def claimed(kind: str, name: str, settings: Mapping[str, Any], links: Mapping[str, Link]) -> set[str]:
    """The interfaces that a stanza names: by its id, by match, as a member, or as the link below it.

    links: by name, the interfaces that the host has.
    """
    listed = settings.get("interfaces")
    members = {str(member) for member in listed} if isinstance(listed, list | Mapping) else set()
    if settings.get("link"):
        members.add(str(settings["link"]))
    if kind not in ("ethernets", "wifis", "modems"):
        return members | {name}
    if "match" not in settings:
        return members | {name}
    match = settings["match"] if isinstance(settings["match"], Mapping) else {}  # empty: every link of the kind
    return members | {link for link, facts in links.items() if _matches(match, link, facts)}


def _matches(match: Mapping[str, Any], link: str, facts: Link) -> bool:
    """Whether netplan's `match` means this link. All of its keys must; driver may be a list, name and driver globs."""
    drivers = match.get("driver", "*")
    drivers = drivers if isinstance(drivers, list) else [drivers]
    mac = str(match.get("macaddress", facts.mac))
    return (
        fnmatch.fnmatchcase(link, str(match.get("name", "*")))
        and any(fnmatch.fnmatchcase(facts.driver, str(driver)) for driver in drivers)
        and mac.lower() == facts.mac.lower()
    )


def without_stanzas(text: str, names: Iterable[str]) -> str | None:
    """The file's text without the blocks of these ids; every other byte stays. None when nothing would be left.

    Works on the text, so that comments and secrets of the other stanzas survive. The caller compares the parsed
    results before it trusts them.
    """
    wanted = set(names)
    kept: list[str] = []
    depth: int | None = None
    for line in text.splitlines(keepends=True):
        indent = len(line) - len(line.lstrip(" \t"))
        blank = not line.strip()
        if depth is not None and (blank or indent > depth):
            continue
        opens = indent > 0 and not wanted.isdisjoint(_keys(line.strip()))
        depth = indent if opens else None
        if not opens:
            kept.append(line)
    return _without_empty_kinds(kept)


def _keys(line: str) -> Iterable[str]:
    """What may be the key that a line begins with: up to any of its colons, without quotes."""
    start = line[:LONGEST_KEY]
    for place, letter in enumerate(start):
        if letter == ":":
            yield start[:place].rstrip(" \t")
            yield start[:place].rstrip(" \t").strip("\"'")


def _without_empty_kinds(lines: list[str]) -> str | None:
    """Drop `ethernets:` and the like when nothing is below them any more."""
    result: list[str] = []
    below = -1  # indentation of the next line that says something, as seen from the end; -1 for none
    for line in reversed(lines):
        said = bool(line.strip()) and not line.lstrip().startswith("#")
        kind = _KIND.match(line)
        if not kind or below > len(kind[1]):
            result.append(line)
        if said:
            below = len(line) - len(line.lstrip(" \t"))
    result.reverse()
    words = [line.strip() for line in result if line.strip() and not line.strip().startswith("#")]
    return None if all(_TRIVIAL.fullmatch(word) for word in words) else "".join(result)


@dataclass(frozen=True, slots=True)
class Takeover:
    """A foreign file that names rails. ids: the stanzas to take out; remove: nothing would be left of it.

    refusal: why it can't be taken over, a sentence with its fix; "" when it can.
    """

    path: str
    interfaces: tuple[str, ...]
    ids: tuple[str, ...] = ()
    remove: bool = False
    refusal: str = ""


def takeover(path: str, text: str, rails: set[str], links: Mapping[str, Link]) -> Takeover | None:
    """How a foreign file would be taken over, or why it can't be.

    None when the file does not name a rail. Raises NetplanError when it does not parse.
    """
    network = parse(path, text)
    claims = {(kind, name): claimed(kind, name, settings, links) for kind, name, settings in stanzas(network)}
    mine = {key: names & rails for key, names in claims.items() if names & rails}
    if not mine:
        return None
    named = sorted(set().union(*mine.values()))
    for (kind, name), _ in mine.items():
        others = sorted((claims[kind, name] & set(links)) - rails)
        if others or kind != "ethernets":
            also = f"also {', '.join(others)}" if others else f"them as part of {kind} {name}"
            refusal = f"{path} names {', '.join(named)}, and its stanza {name} covers {also}"
            fix = "take the rails' interfaces out of it by hand"
            return Takeover(path, tuple(named), refusal=f"{refusal}: {fix}")
    ids = sorted(name for _, name in mine)
    expected = [(kind, name, dict(s)) for kind, name, s in stanzas(network) if (kind, name) not in mine]
    rest = without_stanzas(text, ids) if expected else None
    left = [] if rest is None else [(kind, name, dict(s)) for kind, name, s in stanzas(parse(path, rest))]
    if left != expected:
        refusal = f"{path} names {', '.join(named)} in a form that can't be taken out safely: do it by hand"
        return Takeover(path, tuple(named), refusal=refusal)
    return Takeover(path, tuple(named), tuple(ids), remove=rest is None)
