"""Who configures a link beside netplan: networkd's own files, NetworkManager's profiles. Parsers and rules only."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

from .state import Link

# The name under which netplan generates a link's file. networkd takes the first file, by name, that matches a link.
NETPLAN_PREFIX = "10-netplan-"
WIRED = ("ethernet", "802-3-ethernet")


def sections(text: str) -> dict[str, dict[str, str]] | None:
    """An ini file as {section: {key: value}}, None when it is none. Secrets in it are the caller's to leave alone.

    The last of several values counts. Own code: Python's configparser takes the square of a line's length, and raises
    an AttributeError where a key without a value is followed by an indented line.
    """
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1], {})
            continue
        if section is None:
            return None
        key, _, value = line.partition("=")
        section[key.strip()] = value.strip()
    return found


def networkd_links(filename: str, text: str, links: Iterable[Link]) -> list[str]:
    """The links that a .network file takes before netplan's own file could.

    A file that comes after netplan's in the order of names never gets a link that netplan has a file for.
    """
    match = (sections(text) or {}).get("Match", {})
    if not match:
        return []
    return [
        link.name
        for link in links
        if link.name != "lo" and filename < f"{NETPLAN_PREFIX}{link.name}" and _networkd_matches(match, link)
    ]


def _networkd_matches(match: Mapping[str, str], link: Link) -> bool:
    """Whether all conditions of [Match] that can be judged hold; one that can't be (Path=, ...) is taken to hold."""
    macs = f"{match.get('MACAddress', '')} {match.get('PermanentMACAddress', '')}".lower().split()
    return (
        _globs(match.get("Name", ""), link.name)
        and _globs(match.get("Driver", ""), link.driver)
        and (not macs or link.mac.lower() in macs)
        and _globs(match.get("Type", ""), "ether")
    )


def _globs(patterns: str, value: str) -> bool:
    """Whether systemd's list of globs means the value; an empty list means all, a leading ! the others."""
    words = patterns.split()
    if not words:
        return True
    if words[0].startswith("!"):
        return not any(fnmatch.fnmatchcase(value, word.lstrip("!")) for word in words)
    return any(fnmatch.fnmatchcase(value, word) for word in words)


def profile_links(text: str, links: Iterable[Link]) -> list[str]:
    """The links that a NetworkManager profile may be activated on by itself."""
    found = sections(text) or {}
    profile = found.get("connection", {})
    if profile.get("type", "") not in WIRED or profile.get("autoconnect", "true").lower() in ("false", "0", "no"):
        return []
    wired = {**found.get("802-3-ethernet", {}), **found.get("ethernet", {})}
    mac = wired.get("mac-address", "").lower()
    names = found.get("match", {}).get("interface-name", "").replace(";", " ")
    return [
        link.name
        for link in links
        if link.name != "lo"
        and profile.get("interface-name", "") in ("", link.name)
        and mac in ("", link.mac.lower())
        and _globs(names, link.name)
    ]


def networkd_runtime(text: str) -> str:
    """/run/systemd/netif/links/INDEX: the file by which networkd has configured a link, "" when it leaves it alone."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return pairs.get("NETWORK_FILE", "") if pairs.get("ADMIN_STATE") not in ("unmanaged", "", None) else ""


def manager_runtime(text: str) -> dict[str, str]:
    """`nmcli -t -f DEVICE,FILENAME connection show --active` as link to its profile's file."""
    rows = (line.replace("\\:", "\0").split(":") for line in text.splitlines())
    return {row[0].replace("\0", ":"): row[1].replace("\0", ":") for row in rows if len(row) == 2 and row[0]}
