"""What would be done to a host's network, and what speaks against it: a host's state comes in, a plan goes out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..inventory.fabric import Host, Rail
from .netplan import NetplanError, Takeover, claimed, parse, render, render_sysctl, stanzas, takeover
from .state import Difference, Link, Network, Settings

FUNCTIONS = re.compile(r"f\d+np\d+$")


@dataclass(frozen=True)
class Plan:
    """What would be done to one host. `refusals` are sentences; with any of them nothing is done.

    `former` are interfaces that our own file configures now and that are no rails any more, with their addresses.
    """

    content: str
    sysctl_content: str
    refusals: list[str] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    drift: list[Difference] = field(default_factory=list)
    former: dict[str, list[str]] = field(default_factory=dict)


def plan(
    me: Host,
    states: Mapping[str, Network],
    fabric: Sequence[Host],
    settings: Settings,
) -> Plan:
    """Compare what a host is with what it shall be.

    me: the host's fabric entry. states: what was found, by host.
    """
    state = states[me.host]
    links = state.by_name()
    rails = me.rails
    names = {rail.interface for rail in rails}
    takeovers, refusals = _owners(state, names, links, settings)
    former = _former(state, names, settings)
    refusals = [
        *_unfit(state, settings),
        *_missing(me, links),
        *_management(me, state),
        *_carrier(me, states, fabric),
        *_overlaps(me, state, former),
        *_on_the_wire(me, states),
        *refusals,
    ]
    return Plan(
        content=render(rails, settings.mtu),
        sysctl_content=render_sysctl(rails, settings.arp),
        refusals=refusals,
        takeovers=takeovers,
        drift=drift(rails, state, settings),
        former=former,
    )


def drift(rails: Sequence[Rail], state: Network, settings: Settings) -> list[Difference]:
    """How the running kernel differs from the plan. Files are compared apart."""
    links = state.by_name()
    found: list[Difference] = []
    for rail in rails:
        link = links.get(rail.interface, Link(rail.interface))
        values: list[tuple[str, Any, Any]] = [
            ("addresses", sorted(link.addresses), [rail.cidr]),
            ("mtu", link.mtu, settings.mtu),
            ("up", link.up, True),
        ]
        sysctls = state.sysctls.get(rail.interface, {})
        values += [(key, sysctls.get(key), value) for key, value in sorted(settings.arp.items())]
        found += [
            Difference(rail.interface, what, current, desired)
            for what, current, desired in values
            if current != desired
        ]
    return found


def _former(state: Network, names: set[str], settings: Settings) -> dict[str, list[str]]:
    """What our own file configures beside today's rails: a cable was moved to the other cage."""
    found: dict[str, list[str]] = {}
    for file in state.files:
        if file.path != settings.path:
            continue
        try:
            network = parse(file.path, file.text)
        except NetplanError:
            continue  # it is written anew
        for kind, name, stanza in stanzas(network):
            if kind == "ethernets" and name not in names:
                found[name] = [str(address) for address in stanza.get("addresses") or []]
    return found


def _owners(
    state: Network, names: set[str], links: Mapping[str, Link], settings: Settings
) -> tuple[list[Takeover], list[str]]:
    takeovers: list[Takeover] = []
    refusals = [
        f"{path} ({kind}) configures {', '.join(mine)}: {_fix(others)}, so that netplan owns the rails"
        for (path, kind), claims in _claims(state).items()
        if (mine := sorted(claims & names)) and (others := sorted(claims - names)) is not None
    ]
    for file in state.files:
        if file.path == settings.path:
            continue
        try:
            found = takeover(file.path, file.text, names, links)
        except NetplanError as error:
            refusals.append(str(error))
            continue
        if found and found.refusal:
            refusals.append(found.refusal)
        elif found and not settings.takeover:
            refusals.append(
                f"{found.path} also configures {', '.join(found.interfaces)}: remove that, or consent with "
                "cx7_network_takeover: true, which keeps the original for uninstall"
            )
        elif found:
            takeovers.append(found)
    return takeovers, refusals


def _claims(state: Network) -> dict[tuple[str, str], set[str]]:
    """(path, kind) of each file beside netplan's to the links that it configures."""
    found: dict[tuple[str, str], set[str]] = {}
    for owner in state.foreign:
        found.setdefault((owner.path, owner.kind), set()).add(owner.interface)
    return found


def _fix(others: Sequence[str]) -> str:
    """A file that means other links, too, may carry the management connection: it must not simply be removed."""
    return f"narrow it to {', '.join(others)}, which it configures, too" if others else "remove it"


def _unfit(state: Network, settings: Settings) -> list[str]:
    found = []
    if not state.netplan_installed:
        found.append("netplan is not installed: apt-get install netplan.io")
    for place, free in state.free_bytes.items():
        if free < settings.min_free_bytes:
            why = "too few to write a file safely: make room" if free else "or can't be written to: make room there"
            found.append(f"{place} has {free} bytes free, {why}")
    return found


def _missing(me: Host, links: Mapping[str, Link]) -> list[str]:
    alike = sorted(name for name in links if FUNCTIONS.search(name))
    there = f"it has {', '.join(alike)}" if alike else "it has no ConnectX interface"
    return [
        f"interface {rail.interface} of {rail.name} is not there ({there}): correct twinspark_rails for this host"
        for rail in me.rails
        if rail.interface not in links
    ]


def _management(me: Host, state: Network) -> list[str]:
    management = state.management
    carriers = {management.interface, *management.lower}
    return [
        f"{rail.interface} carries the management connection: {rail.name} can't use it; "
        "connect over another interface, or name another in twinspark_rails"
        for rail in me.rails
        if rail.interface in carriers
    ] + [
        f"{path} holds a change of {management.interface} that was never applied, and it carries the management "
        "connection: apply it yourself (`netplan try`), or take it back, before twinspark applies the rails"
        for path in _waiting(state, management.interface)
    ]


def _waiting(state: Network, interface: str) -> list[str]:
    """Files that name the management's interface when netplan would now generate something else for it."""
    links = state.by_name()
    others = state.boot.others
    found = []
    for file in state.files:
        try:
            network = parse(file.path, file.text)
        except NetplanError:
            continue  # refused elsewhere, in a sentence of its own
        for kind, name, settings in stanzas(network):
            generated = re.compile(rf"netplan-{re.escape(name)}[.-]")
            if interface in claimed(kind, name, settings, links) and any(map(generated.search, others)):
                found.append(file.path)
    return found


def _carrier(me: Host, states: Mapping[str, Network], fabric: Sequence[Host]) -> list[str]:
    """No carrier counts only when the peers' ends are up: a peer that is still down takes the light with it."""
    found = []
    links = states[me.host].by_name()
    mine = {rail.interface for rail in me.rails}
    lit = sorted(n for n, link in links.items() if FUNCTIONS.search(n) and link.carrier and n not in mine)
    for rail in me.rails:
        link = links.get(rail.interface)
        if link is None or not link.up or link.carrier:
            continue
        ends = [
            states[entry.host].by_name().get(peer.interface)
            for entry in fabric
            if entry.host != me.host
            for peer in entry.rails
            if peer.name == rail.name
        ]
        if all(end is not None and end.up for end in ends):
            hint = (
                f"but {', '.join(lit)} has: the cable is in the other cage; name those interfaces in twinspark_rails"
                if lit
                else "check the cable and both of its ends"
            )
            found.append(f"{rail.interface} of {rail.name} has no carrier, {hint}")
    return found


def _overlaps(me: Host, state: Network, former: Mapping[str, Sequence[str]]) -> list[str]:
    mine = {rail.interface for rail in me.rails} | set(former)
    return [
        f"{rail.name} ({rail.subnet}) overlaps with {address} on {link.name}: choose another subnet"
        for rail in me.rails
        for link in state.links
        if link.name not in mine
        for address in link.addresses
        if ":" not in address and ipaddress.ip_interface(address).network.overlaps(ipaddress.ip_network(rail.subnet))
    ]


def _on_the_wire(me: Host, states: Mapping[str, Network]) -> list[str]:
    ours = {link.mac: f"{link.name} of {host}" for host, state in states.items() for link in state.links}
    refusals = []
    for rail in me.rails:
        if mac := states[me.host].wire.get(rail.address):
            fix = f"take it away from {ours[mac]}" if mac in ours else "find that device"
            who = f"{ours[mac]} ({mac})" if mac in ours else mac
            words = f"{rail.address} of {rail.name} is already used on the wire by {who}"
            refusals.append(f"{words}: {fix}, or choose another address")
    return refusals
