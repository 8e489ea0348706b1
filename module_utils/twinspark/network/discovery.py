"""Which hosts there are, how they are cabled, and the inventory that says so. Pure: reports in, text out.

A report is what playbooks/discover.yml brings from a host, as `state.Network` describes it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..proof.foreign import ForeignError, json_of
from . import netplan
from .state import Link, Network

BEACON = b"twinspark-beacon "
ETHERTYPE = 0x88B5  # IEEE 802: for local experiments
NAME = re.compile(r"^(?=.{0,15}$)en(?P<slot>[A-Za-z0-9]*s\d+)f(?P<function>\d+)(?:np(?P<port>\d+))?$")  # IFNAMSIZ
CAGES = {"p0": "next to the RJ-45", "p1": "outermost"}
FIRST_SUBNET = 177


class DiscoveryError(ValueError):
    """The hosts can't be made into an inventory; the message says why and what to do."""


@dataclass(frozen=True)
class Host:
    """One host with the cage that its rails use. cages: cage to links in slot order; wires: cage to (host, cage)."""

    name: str
    address: str
    report: Network
    cages: Mapping[str, Sequence[Link]]
    wires: Mapping[str, Sequence[tuple[str, str]]]
    cage: str = ""
    why: str = ""


@dataclass(frozen=True)
class Found:
    """All hosts in rank order, the rails' subnets, and sentences for the owner."""

    hosts: list[Host]
    subnets: list[str]
    notes: list[str] = field(default_factory=list)


def cage_of(link: Link) -> str:
    """ "p0" or "p1": by phys_port_name, else by the port or function in PCI address or name; "" when it is no cage's.

    Never by the slot prefix: the two functions of a cage are in different PCI domains.
    """
    name = NAME.match(link.name)
    if re.fullmatch(r"p\d+", link.phys_port_name) and (name or link.hca):
        return link.phys_port_name
    if not name or name["port"] is None:
        return ""
    function = re.search(r"\.(\d)$", link.pci)
    return f"p{function[1] if function else name['port']}"


def hca_of(link: Link) -> str:
    """The RoCE device of a link: as sysfs says, else as the kernel names it (enP2p1s0f1np1 has roceP2p1s0f1)."""
    if link.hca:
        return link.hca
    name = NAME.match(link.name)
    return f"roce{name['slot']}f{name['function']}" if name else ""


def cages(links: Iterable[Link]) -> dict[str, list[Link]]:
    """Cage to its links, the one in the lower PCI domain first."""
    found: dict[str, list[Link]] = {}
    for link in links:
        cage = cage_of(link)
        if cage:
            found.setdefault(cage, []).append(link)
    for members in found.values():
        # Without PCI addresses the kernel's names do: enp1s0... is domain 0, enP2p1s0... is domain 2.
        members.sort(key=lambda link: (link.pci, "P" in link.name, link.name))
    return dict(sorted(found.items()))


def discover(reports: Mapping[str, Network]) -> Found:
    """reports: address to report, in rank order."""
    names = _names(reports)
    hosts = []
    of_address = {address: cages(report.links) for address, report in reports.items()}
    for address, report in reports.items():
        mine = of_address[address]
        wires = {cage: _wires(mine[cage], report.heard, of_address, names) for cage in mine}
        cage, why = _choose(mine, wires, len(reports))
        hosts.append(Host(names[address], address, report, mine, wires, cage, why))
    return Found(hosts, _subnets(hosts), _notes(hosts))


def _names(reports: Mapping[str, Network]) -> dict[str, str]:
    short = {address: re.sub(r"[^a-z0-9-]", "", r.hostname.split(".")[0].lower()) for address, r in reports.items()}
    if len(set(short.values())) < len(short) or not all(short.values()):
        return {address: f"spark{index}" for index, address in enumerate(reports, 1)}
    return short


def _wires(
    members: Sequence[Link],
    heard: Mapping[str, Sequence[tuple[str, ...]]],
    of_address: Mapping[str, Mapping[str, Sequence[Link]]],
    names: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The (host, cage) ends whose beacons a cage has heard."""
    ends = {(pair[0], pair[1]) for link in members for pair in heard.get(link.name, [])}
    return sorted(
        {
            (names[address], cage)
            for address, interface in ends
            if address in of_address
            for cage, links in of_address[address].items()
            if any(link.name == interface for link in links)
        }
    )


def _choose(
    mine: Mapping[str, Sequence[Link]], wires: Mapping[str, Sequence[tuple[str, str]]], hosts: int
) -> tuple[str, str]:
    """The cage for the rails: the one that reaches most hosts, else one with carrier, else the outermost."""
    if not mine:
        return "", "no ConnectX interface was found"
    reach = {cage: len({host for host, _ in wires[cage]}) for cage in mine}
    best = max(mine, key=lambda cage: (reach[cage], any(link.carrier for link in mine[cage]), cage))
    if reach[best]:
        return best, f"its beacons reach {', '.join(f'{host} {cage}' for host, cage in wires[best])}"
    if any(link.carrier for link in mine[best]):
        return best, "it has carrier" if hosts == 1 else "it has carrier, though no beacon of another host arrived"
    return best, "nothing is seen on any cage: check the cable"


def _subnets(hosts: Sequence[Host]) -> list[str]:
    """One free /24 a rail, from 192.168.177.0 on: none that a host already uses elsewhere than on its rails."""
    count = max((len(host.cages[host.cage]) for host in hosts if host.cage), default=0)
    rails = {host.name: {link.name for link in host.cages.get(host.cage, [])} for host in hosts}
    used = [
        ipaddress.ip_interface(address).network
        for host in hosts
        for link in host.report.links
        if link.name not in rails[host.name]
        for address in link.addresses
        if ":" not in address
    ]
    free = (ipaddress.ip_network(f"192.168.{number}.0/24") for number in range(FIRST_SUBNET, 255))
    found = [str(network) for network in free if not any(network.overlaps(other) for other in used)]
    if len(found) < count:
        raise DiscoveryError("no free 192.168.x.0/24 is left for the rails: write twinspark_rails by hand")
    return found[:count]


def _notes(hosts: Sequence[Host]) -> list[str]:
    notes = [f"{host.name}: {host.why}" for host in hosts if not host.cage]
    counts = {host.name: len(host.cages[host.cage]) for host in hosts if host.cage}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        notes.append(
            f"the cabled cages show different numbers of interfaces ({shown}): one function may be missing or down"
        )
    by_name = {host.name: host for host in hosts}
    for host in hosts:
        reached = {name for name, _ in host.wires.get(host.cage, [])}
        lost = [name for name in by_name if name not in reached | {host.name}]
        if host.cage and lost and reached:
            notes.append(
                f"{host.name} {host.cage} reaches {', '.join(sorted(reached))} but not {', '.join(lost)}: a ring or a "
                "chain needs routes that twinspark does not write; put all hosts on one switch (docs/network.md)"
            )
    if len(hosts) > 1 and not any(wire for host in hosts for wire in host.wires.values()):
        notes.append(
            "no link-layer beacon arrived anywhere: links that are down can't carry one (--raise-links brings them up "
            "for the time of the look); the cages are a guess"
        )
    return notes


def rails_of(host: Host, subnets: Sequence[str]) -> list[dict[str, str]]:
    """twinspark_rails of a host."""
    return [
        {"name": f"rail{index}", "interface": link.name, "hca": hca_of(link), "subnet": subnet}
        for index, (link, subnet) in enumerate(zip(host.cages.get(host.cage, []), subnets, strict=False), 1)
    ]


def owners(host: Host, interface: str) -> list[str]:
    """Who configures an interface now: netplan files, networkd's or NetworkManager's, and the daemon that runs it."""
    links = host.report.by_name()
    found = []
    for file in host.report.files:
        try:
            network = netplan.parse(file.path, file.text)
        except netplan.NetplanError:
            found.append(f"{file.path} (does not parse)")
            continue
        claims = (netplan.claimed(kind, name, settings, links) for kind, name, settings in netplan.stanzas(network))
        if any(interface in claim for claim in claims):
            found.append(file.path)
    found += [f"{other.path} ({other.kind})" for other in host.report.foreign if other.interface == interface]
    daemon = host.report.owners.get(interface)
    if daemon and not found:
        return [f"{daemon.file} ({daemon.kind})"]
    return [*found, f"run by {daemon.kind}"] if daemon else found


def now(host: Host, link: Link) -> str:
    """The addresses of a link and whose they are."""
    owned = owners(host, link.name)
    whose = f"configured by {', '.join(owned)}" if owned else "set by hand" if link.addresses else ""
    return "; ".join(filter(None, [", ".join(link.addresses) or "no address", whose]))


def inventory(found: Found, connection: Mapping[str, Any], group: str = "") -> str:
    """The commented inventory. connection: ansible_* variables of all hosts; group: child group for the hosts."""
    lines = ["---", "# Written by `twinspark init` from what the hosts said. It is yours now: edit it as you like."]
    lines += ["# The order of the hosts is the rank: the first is the head."]
    lines += ["# What stands under a host's name (twinspark_rails) wins over group_vars: change it here.", "sparks:"]
    pad = "  "
    if group:
        lines += ["  children:", f"    {group}:"]
        pad = "      "
    lines.append(f"{pad}hosts:")
    for rank, host in enumerate(found.hosts):
        lines += [f"{pad}  {line}" for line in _host_lines(host, rank, found.subnets)]
    if connection:
        lines.append(f"{pad}vars:")
        lines += [f"{pad}  {key}: {json.dumps(value)}" for key, value in connection.items()]
    lines += [f"# Note: {note}" for note in found.notes]
    return "\n".join(lines) + "\n"


def _host_lines(host: Host, rank: int, subnets: Sequence[str]) -> list[str]:
    report = host.report
    lines = [f"# Rank {rank}{', the head' if rank == 0 else ''}: {report.model or 'model unknown'}"]
    links = report.by_name()
    management = report.management.interface
    if management:
        whose = f" ({', '.join(owners(host, management)) or 'set by hand'})" if management in links else ""
        lines.append(f"# Management: {management}, {report.management.address}{whose}")
    for cage, members in host.cages.items():
        place = f" ({CAGES[cage]})" if cage in CAGES else ""
        state = ", ".join(f"{m.name} {'up' if m.carrier else 'no carrier' if m.up else 'down'}" for m in members)
        lines.append(f"# Cage {cage}{place}: {state}")
    lines.append(f"# Rails on cage {host.cage}: {host.why}" if host.cage else f"# No rails: {host.why}")
    for link in host.cages.get(host.cage, []):
        lines.append(f"# {link.name} now: {now(host, link)}")
    lines.append(f"{host.name}:")
    lines += [f"  {key}: {value}" for key, value in (report.endpoint or {"ansible_host": host.address}).items()]
    rails = rails_of(host, subnets)
    lines.append("  twinspark_rails:" if rails else "  twinspark_rails: []")
    lines += [
        f"    - {{name: {r['name']}, interface: {r['interface']}, hca: {r['hca']}, subnet: {r['subnet']}}}"
        for r in rails
    ]
    return lines


def beacon(host: str, interface: str, mac: bytes) -> bytes:
    """A broadcast frame that says which interface of which host it left."""
    head = b"\xff" * 6 + mac + ETHERTYPE.to_bytes(2)
    return (head + BEACON + json.dumps([host, interface]).encode()).ljust(60, b" ")


def read_beacon(frame: bytes) -> tuple[str, str] | None:
    """(host, interface) of a beacon, None for any other frame."""
    if frame[12:14] != ETHERTYPE.to_bytes(2) or not frame[14:].startswith(BEACON):
        return None
    try:
        said = json_of(frame[14 + len(BEACON) :])
    except ForeignError:
        return None
    return tuple(said) if isinstance(said, list) and list(map(type, said)) == [str, str] else None


def avahi(text: str, pattern: str) -> list[str]:
    """Addresses from `avahi-browse --resolve --parsable --terminate _ssh._tcp` whose host name fits the pattern."""
    found = []
    for line in text.splitlines():
        words = line.split(";")
        if len(words) >= 9 and words[0] == "=" and words[2] == "IPv4" and re.search(pattern, words[6], re.IGNORECASE):
            found.append((words[6], words[7]))
    return list(dict.fromkeys(address for _, address in sorted(found)))
