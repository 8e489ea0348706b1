"""The rails' netplan file: its text, who else names the rails' interfaces, and what would have to change.

Files' texts and the kernel's state come in, a plan goes out. YAML is parsed on the controller only, so hosts need
nothing but the standard library.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEADER = "# Managed by twinspark: changes made by hand are seen and undone. Settings: twinspark_rails.\n"
FUNCTIONS = re.compile(r"f\d+np\d+$")
# Keys of netplan whose values are secrets (Wi-Fi, 802.1X, WireGuard): they stay on the host.
_SECRET = re.compile(
    r"""\b(password|client-key-password|key|private|shared|psk)(["']?[ \t]*:[ \t]*)"""
    r"""("[^"\n]*"|'[^'\n]*'|[^\s,{}\[\]"'|>][^,}\n]*)"""
)


class NetplanError(ValueError):
    """A netplan file that can't be read; the message says which, where, and what to do."""


@dataclass(frozen=True)
class Plan:
    """What would be done to one host. `refusals` are sentences; with any of them nothing is done."""

    content: str
    sysctl_content: str
    refusals: list[str] = field(default_factory=list)
    takeovers: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)


def render(rails: Sequence[Mapping[str, Any]], mtu: int) -> str:
    """The text of 40-cx7.yaml for one host: the article's file. rails: interface, cidr."""
    lines = ["network:", "  version: 2", "  ethernets:"]
    for index, rail in enumerate(rails):
        said = index > 0
        lines += [
            f"    {rail['interface']}:",
            "      dhcp4: no",
            "      dhcp6: no" + ("" if said else " # Explicitly disable DHCPv6"),
            "      link-local: []" + ("" if said else " # Restrict link-local addresses to static IPv4 only"),
            f"      mtu: {mtu}",
            f"      addresses: [{rail['cidr']}]",
        ]
    return HEADER + "\n".join(lines) + "\n"


def render_sysctl(rails: Sequence[Mapping[str, Any]], arp: Mapping[str, int]) -> str:
    """The text of the sysctl.d file. Both functions share one wire: each rail answers ARP for its own address only.

    Names are written with slashes, so that an interface name may hold a dot.
    """
    lines = [
        f"net/ipv4/conf/{rail['interface']}/{key} = {value}" for rail in rails for key, value in sorted(arp.items())
    ]
    return HEADER + "\n".join(lines) + "\n" if lines else ""


def redact(text: str) -> str:
    """A netplan file's text without the values of its secrets; its structure stays."""
    return _SECRET.sub(lambda found: f'{found[1]}{found[2]}"***"', text)


def parse(path: str, text: str) -> dict[str, Any]:
    """The `network` mapping of a netplan file. Raises NetplanError. Controller only: needs PyYAML."""
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise NetplanError(
            f"{path}{where} does not parse ({problem}): correct it, or move it away, before the network is touched"
        ) from error
    if document is None:
        return {}
    network = document.get("network") if isinstance(document, dict) else None
    if network is None and document == {}:
        return {}
    if not isinstance(network, dict) and not (isinstance(document, dict) and "network" in document):
        raise NetplanError(f"{path} has no 'network' mapping: correct it, or move it away")
    return network or {}


def stanzas(network: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    """Every (kind, id, settings) of a parsed file: ("ethernets", "enp1s0f1np1", {...})."""
    for kind, members in network.items():
        if isinstance(members, Mapping):
            for name, settings in members.items():
                yield str(kind), str(name), settings if isinstance(settings, Mapping) else {}


def claimed(kind: str, name: str, settings: Mapping[str, Any], links: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The interfaces that a stanza names: by its id, by match, as a member, or as the link below it.

    links: name to {mac, driver} of the interfaces that the host has.
    """
    members = {str(member) for member in settings.get("interfaces") or []}
    if settings.get("link"):
        members.add(str(settings["link"]))
    if kind not in ("ethernets", "wifis", "modems"):
        return members | {name}
    match = settings.get("match")
    if not isinstance(match, Mapping) or not match:
        return members | {name}
    return members | {link for link, facts in links.items() if _matches(match, link, facts)}


def _matches(match: Mapping[str, Any], link: str, facts: Mapping[str, Any]) -> bool:
    """Whether netplan's `match` means this link. All of its keys must; driver may be a list, name and driver globs."""
    drivers = match.get("driver", "*")
    drivers = drivers if isinstance(drivers, list) else [drivers]
    mac = str(match.get("macaddress", facts.get("mac", "")))
    return (
        fnmatch.fnmatchcase(link, str(match.get("name", "*")))
        and any(fnmatch.fnmatchcase(str(facts.get("driver", "")), str(driver)) for driver in drivers)
        and mac.lower() == str(facts.get("mac", "")).lower()
    )


def without_stanzas(text: str, names: Iterable[str]) -> str | None:
    """The file's text without the blocks of these ids; every other byte stays. None when nothing would be left.

    Works on the text, so that comments and secrets of the other stanzas survive. The caller compares the parsed
    results before it trusts them.
    """
    wanted = "|".join(re.escape(name) for name in names)
    opening = re.compile(rf"""^([ \t]+)["']?(?:{wanted})["']?[ \t]*:""")
    kept: list[str] = []
    depth: int | None = None
    for line in text.splitlines(keepends=True):
        indent = len(line) - len(line.lstrip(" \t"))
        blank = not line.strip()
        if depth is not None and (blank or indent > depth):
            continue
        found = opening.match(line)
        depth = len(found[1]) if found else None
        if not found:
            kept.append(line)
    return _without_empty_kinds(kept)


def _without_empty_kinds(lines: list[str]) -> str | None:
    """Drop `ethernets:` and the like when nothing is below them any more."""
    result: list[str] = []
    for index, line in enumerate(lines):
        kind = re.match(r"^([ \t]+)(ethernets|wifis|bonds|bridges|vlans)[ \t]*:[ \t]*(#.*)?$", line)
        if kind:
            rest = [other for other in lines[index + 1 :] if other.strip() and not other.lstrip().startswith("#")]
            deeper = rest and len(rest[0]) - len(rest[0].lstrip(" \t")) > len(kind[1])
            if not deeper:
                continue
        result.append(line)
    words = [line.strip() for line in result if line.strip() and not line.strip().startswith("#")]
    trivial = all(re.fullmatch(r"network:|(version|renderer):[ \t]*[\w-]+[ \t]*(#.*)?", word) for word in words)
    return None if trivial else "".join(result)


def takeover(path: str, text: str, rails: set[str], links: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """How a foreign file would be taken over: {path, interfaces, ids, remove} or, when it can't be, {path, refusal}.

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
            return {
                "path": path,
                "interfaces": named,
                "refusal": f"{path} names {', '.join(named)}, and its stanza {name} covers {also}: "
                "take the rails' interfaces out of it by hand",
            }
    ids = sorted(name for _, name in mine)
    expected = [(kind, name, dict(s)) for kind, name, s in stanzas(network) if (kind, name) not in mine]
    rest = without_stanzas(text, ids) if expected else None
    left = [] if rest is None else [(kind, name, dict(s)) for kind, name, s in stanzas(parse(path, rest))]
    if left != expected:
        return {
            "path": path,
            "interfaces": named,
            "refusal": f"{path} names {', '.join(named)} in a form that can't be taken out safely: do it by hand",
        }
    return {"path": path, "interfaces": named, "ids": ids, "remove": rest is None}


def plan(
    me: Mapping[str, Any],
    states: Mapping[str, Mapping[str, Any]],
    fabric: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> Plan:
    """Compare what a host is with what it shall be.

    me: the host's fabric entry. states: host to what twinspark_network_info found there (links, files, management,
    wire, free_bytes, foreign, sysctls). settings: path, mtu, takeover (bool), arp (dict of sysctl values).
    """
    state = states[me["host"]]
    links = {link["name"]: link for link in state["links"]}
    rails = me["rails"]
    names = {rail["interface"] for rail in rails}
    takeovers, refusals = _owners(state, names, links, settings)
    refusals = [
        *_unfit(state, settings),
        *_missing(me, links),
        *_management(me, state),
        *_carrier(me, states, fabric),
        *_overlaps(me, state),
        *_on_the_wire(me, state),
        *refusals,
    ]
    return Plan(
        content=render(rails, settings["mtu"]),
        sysctl_content=render_sysctl(rails, settings["arp"]),
        refusals=refusals,
        takeovers=takeovers,
        drift=drift(rails, state, settings),
    )


def drift(
    rails: Sequence[Mapping[str, Any]], state: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """How the running kernel differs from the plan: [{interface, what, current, desired}]. Files are compared apart."""
    links = {link["name"]: link for link in state["links"]}
    found: list[dict[str, Any]] = []
    for rail in rails:
        link = links.get(rail["interface"], {"addresses": [], "mtu": None, "up": False})
        values = [
            ("addresses", sorted(link["addresses"]), [rail["cidr"]]),
            ("mtu", link["mtu"], settings["mtu"]),
            ("up", link["up"], True),
        ]
        sysctls = state["sysctls"].get(rail["interface"], {})
        values += [(key, sysctls.get(key), value) for key, value in sorted(settings["arp"].items())]
        found += [
            {"interface": rail["interface"], "what": what, "current": current, "desired": desired}
            for what, current, desired in values
            if current != desired
        ]
    return found


def _owners(
    state: Mapping[str, Any], names: set[str], links: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    takeovers: list[dict[str, Any]] = []
    refusals = [
        f"{owner['path']} ({owner['kind']}) configures {owner['interface']}: remove it, so that netplan owns the rail"
        for owner in state.get("foreign", [])
        if any(fnmatch.fnmatchcase(name, owner["interface"]) for name in names)
    ]
    for file in state["files"]:
        if file["path"] == settings["path"]:
            continue
        try:
            found = takeover(file["path"], file["text"], names, links)
        except NetplanError as error:
            refusals.append(str(error))
            continue
        if found and found.get("refusal"):
            refusals.append(found["refusal"])
        elif found and not settings["takeover"]:
            refusals.append(
                f"{found['path']} also configures {', '.join(found['interfaces'])}: remove that, or consent with "
                "cx7_network_takeover: true, which keeps the original for uninstall"
            )
        elif found:
            takeovers.append(found)
    return takeovers, refusals


def _unfit(state: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    found = []
    if not state.get("netplan_installed"):
        found.append("netplan is not installed: apt-get install netplan.io")
    for place, free in state.get("free_bytes", {}).items():
        if free < settings.get("min_free_bytes", 1 << 20):
            found.append(f"{place} has {free} bytes free, too few to write a file safely: make room")
    return found


def _missing(me: Mapping[str, Any], links: Mapping[str, Any]) -> list[str]:
    alike = sorted(name for name in links if FUNCTIONS.search(name))
    there = f"it has {', '.join(alike)}" if alike else "it has no ConnectX interface"
    return [
        f"interface {rail['interface']} of {rail['name']} is not there ({there}): correct twinspark_rails for this host"
        for rail in me["rails"]
        if rail["interface"] not in links
    ]


def _management(me: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    management = state.get("management", {})
    carriers = {management.get("interface"), *management.get("lower", [])}
    return [
        f"{rail['interface']} carries the management connection: {rail['name']} can't use it; "
        "connect over another interface, or name another in twinspark_rails"
        for rail in me["rails"]
        if rail["interface"] in carriers
    ] + [
        f"{path} holds a change of {management['interface']} that was never applied, and it carries the management "
        "connection: apply it yourself (`netplan try`), or take it back, before twinspark applies the rails"
        for path in _waiting(state, management.get("interface", ""))
    ]


def _waiting(state: Mapping[str, Any], interface: str) -> list[str]:
    """Files that name the management's interface when netplan would now generate something else for it."""
    links = {link["name"]: link for link in state["links"]}
    others = state.get("boot", {}).get("others", [])
    found = []
    for file in state["files"]:
        try:
            network = parse(file["path"], file["text"])
        except NetplanError:
            continue  # refused elsewhere, in a sentence of its own
        for kind, name, settings in stanzas(network):
            generated = re.compile(rf"netplan-{re.escape(name)}[.-]")
            if interface in claimed(kind, name, settings, links) and any(map(generated.search, others)):
                found.append(file["path"])
    return found


def _carrier(
    me: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]], fabric: Sequence[Mapping[str, Any]]
) -> list[str]:
    """No carrier counts only when the peers' ends are up: a peer that is still down takes the light with it."""
    found = []
    links = {link["name"]: link for link in states[me["host"]]["links"]}
    mine = {rail["interface"] for rail in me["rails"]}
    lit = sorted(n for n, link in links.items() if FUNCTIONS.search(n) and link["carrier"] and n not in mine)
    for rail in me["rails"]:
        link = links.get(rail["interface"])
        if link is None or not link["up"] or link["carrier"]:
            continue
        ends = [
            {other["name"]: other for other in states[entry["host"]]["links"]}.get(peer["interface"])
            for entry in fabric
            if entry["host"] != me["host"]
            for peer in entry["rails"]
            if peer["name"] == rail["name"]
        ]
        if all(end is not None and end["up"] for end in ends):
            hint = (
                f"but {', '.join(lit)} has: the cable is in the other cage; name those interfaces in twinspark_rails"
                if lit
                else "check the cable and both of its ends"
            )
            found.append(f"{rail['interface']} of {rail['name']} has no carrier, {hint}")
    return found


def _overlaps(me: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    mine = {rail["interface"] for rail in me["rails"]}
    return [
        f"{rail['name']} ({rail['subnet']}) overlaps with {address} on {link['name']}: choose another subnet"
        for rail in me["rails"]
        for link in state["links"]
        if link["name"] not in mine
        for address in link["addresses"]
        if ":" not in address and ipaddress.ip_interface(address).network.overlaps(ipaddress.ip_network(rail["subnet"]))
    ]


def _on_the_wire(me: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    return [
        f"{rail['address']} of {rail['name']} is already used on the wire by {mac}: find that device, or choose "
        "another address"
        for rail in me["rails"]
        if (mac := state.get("wire", {}).get(rail["address"]))
    ]
