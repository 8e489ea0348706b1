"""Who configures a link beside netplan: networkd's own files, NetworkManager's profiles. Parsers and rules only."""

from __future__ import annotations

import configparser
import fnmatch
from collections.abc import Iterable, Mapping

from .state import Link

# The name under which netplan generates a link's file. networkd takes the first file, by name, that matches a link.
NETPLAN_PREFIX = "10-netplan-"
WIRED = ("ethernet", "802-3-ethernet")


def sections(text: str) -> dict[str, dict[str, str]] | None:
    """An ini file as {section: {key: value}}, None when it is none. Secrets in it are the caller's to leave alone."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {name: {key: value or "" for key, value in parser.items(name)} for name in parser.sections()}


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
