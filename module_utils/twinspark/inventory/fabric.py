"""The fabric: which host has which rank, and which address on which rail. Pure arithmetic."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..proof.json_form import Json

RAIL_KEYS = ("name", "interface", "hca", "subnet")
RAIL_OPTIONAL_KEYS = ("address",)
LANES = 4  # of each function of a ConnectX-7 in a Spark
_SPARK_HCA = re.compile(r"^roce(P2)?(p1s0f[01])$")
INTERFACE = re.compile(r"^[^\s/:]{1,15}$")


class FabricError(ValueError):
    """The inventory does not describe a fabric. `problems`: every contradiction with its fix, one sentence each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Rail:
    """One host's end of a rail: its interface, its HCA, its address. cidr: the address with the prefix."""

    name: str
    interface: str
    hca: str
    subnet: str
    address: str
    prefix: int
    cidr: str


@dataclass(frozen=True, slots=True)
class RailPath(Json):
    """A way from one host to a peer over a rail: this end's interface and address, and the peer's address."""

    called = "path"

    rail: str
    peer: str
    interface: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Host(Json):
    """One host of the fabric. rank 0 is the head; management: the address that Ansible connects to."""

    called = "fabric entry"

    host: str
    rank: int
    management: str
    user: str
    rails: tuple[Rail, ...]

    def rail(self, name: str) -> Rail | None:
        """The host's end of the rail of that name."""
        return next((rail for rail in self.rails if rail.name == name), None)


def fabric(hosts: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> list[Host]:
    """Work out rank, management address and rail addresses of every host.

    hosts: inventory names in rank order. settings[host]: ``twinspark_rails`` (list of name, interface, hca,
    subnet and, rarely, address), ``twinspark_rails_first_host`` (int), ``twinspark_user``, ``ansible_host``.
    A rail's address is network + first host + rank, unless the rail names an address itself.
    Raises FabricError with all contradictions in one message.
    """
    problems: list[str] = []
    if len(hosts) == 0:
        raise FabricError("the inventory group 'sparks' is empty: name at least one host in it")
    entries = []
    for rank, host in enumerate(hosts):
        found, wrong = _entry(host, rank, settings[host])
        entries.append(found)
        problems.extend(wrong)
    if not problems:
        problems = [*_management_problems(entries), *_rail_problems(entries)]
    if problems:
        raise FabricError(*problems)
    return entries


def twin_of(hca: str) -> str | None:
    """The other function that feeds the same cage of a Spark: roceP2p1s0f1 for rocep1s0f1. None for any other name."""
    match = _SPARK_HCA.match(hca)
    return f"roce{'' if match[1] else 'P2'}{match[2]}" if match else None


def hosts_of(entries: Sequence[object]) -> list[Host]:
    """The hosts from a fabric's JSON. Raises ShapeError."""
    return [Host.from_json(entry) for entry in entries]


def peers_of(entries: Sequence[Host], host: str) -> list[Host]:
    """All entries but the host's own, in rank order."""
    return [entry for entry in entries if entry.host != host]


def me_of(entries: Sequence[Host], host: str) -> Host:
    """The host's own entry. Raises FabricError when it has none."""
    for entry in entries:
        if entry.host == host:
            return entry
    raise FabricError(f"{host} is not in the inventory group 'sparks'")


def paths_of(entries: Sequence[Host], host: str) -> list[RailPath]:
    """Every path that starts at host: one a rail and peer."""
    mine = {rail.name: rail for rail in me_of(entries, host).rails}
    return [
        RailPath(rail.name, peer.host, mine[rail.name].interface, mine[rail.name].address, rail.address)
        for peer in peers_of(entries, host)
        for rail in peer.rails
    ]


def _entry(host: str, rank: int, given: Mapping[str, Any]) -> tuple[Host, list[str]]:
    problems: list[str] = []
    ends: list[Rail] = []
    rails = given.get("twinspark_rails")
    first = given.get("twinspark_rails_first_host", 11)
    entry = Host(
        str(host),
        rank,
        str(given.get("ansible_host") or host),
        str(given.get("twinspark_user") or given.get("ansible_user") or ""),
        (),
    )
    if not isinstance(first, int) or isinstance(first, bool) or first < 1:
        wrong = f"twinspark_rails_first_host must be a whole number of at least 1, not {first!r}"
        return entry, [f"{host}: {wrong}"]
    if not isinstance(rails, list) or any(not isinstance(rail, Mapping) for rail in rails):
        return entry, [f"{host}: twinspark_rails must be a list of {{{', '.join(RAIL_KEYS)}}}"]
    for rail in rails:
        label = f"{host}, rail {rail.get('name', '?')}"
        missing = [key for key in RAIL_KEYS if not rail.get(key)]
        unknown = [str(key) for key in rail if key not in RAIL_KEYS + RAIL_OPTIONAL_KEYS]
        if missing or unknown:
            keys = ", ".join(RAIL_KEYS)
            problems.extend(f"{label}: {key} is missing: give each rail {keys}" for key in missing)
            problems.extend(f"{label}: {key} is not a key of a rail ({keys}): remove it" for key in unknown)
            continue
        try:
            ends.append(_rail(rail, first + rank))
        except ValueError as error:
            problems.append(f"{label}: {error}")
    for key in ("name", "interface", "hca"):
        values = [getattr(rail, key) for rail in ends]
        twice = sorted({value for value in values if values.count(value) > 1})
        problems.extend(f"{host}: {key} {value} is given to two rails: give each its own" for value in twice)
    return replace(entry, rails=tuple(ends)), problems


def _rail(rail: Mapping[str, Any], number: int) -> Rail:
    try:
        subnet = ipaddress.IPv4Network(str(rail["subnet"]))  # strict: host bits set are a slip worth naming
    except ValueError as error:
        raise ValueError(f"{error}: write the subnet like 192.168.177.0/24") from error
    if not INTERFACE.match(str(rail["interface"])):
        raise ValueError(f"{rail['interface']!r} can't be the name of an interface: `ip link` shows them")
    if rail.get("address"):
        address = ipaddress.ip_address(str(rail["address"]))
        if address not in subnet:
            raise ValueError(f"address {address} is not in its subnet {subnet}: correct one of them")
    else:
        address = subnet.network_address + number
    if address not in subnet or address in (subnet.network_address, subnet.broadcast_address):
        raise ValueError(
            f"host number {number} does not fit in {subnet}: "
            "use a larger subnet or a smaller twinspark_rails_first_host"
        )
    return Rail(
        name=str(rail["name"]),
        interface=str(rail["interface"]),
        hca=str(rail["hca"]),
        subnet=str(subnet),
        address=str(address),
        prefix=subnet.prefixlen,
        cidr=f"{address}/{subnet.prefixlen}",
    )


def _management_problems(entries: Sequence[Host]) -> list[str]:
    problems = []
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.management in seen:
            problems.append(
                f"{seen[entry.management]} and {entry.host} have the same management address "
                f"{entry.management}: correct ansible_host of one of them"
            )
        seen.setdefault(entry.management, entry.host)
    return problems


def _rail_problems(entries: Sequence[Host]) -> list[str]:
    problems = []
    first = entries[0]
    subnets = {rail.name: rail.subnet for rail in first.rails}
    if len(entries) > 1 and not subnets:
        problems.append(f"{first.host}: twinspark_rails is empty, but {len(entries)} hosts need a rail between them")
    for entry in entries[1:]:
        names = [rail.name for rail in entry.rails]
        if names != list(subnets):
            problems.append(
                f"{entry.host} has the rails {', '.join(names) or 'none'} and {first.host} has "
                f"{', '.join(subnets) or 'none'}: all hosts need the same rails in the same order"
            )
            continue
        problems.extend(
            f"rail {rail.name} is {subnets[rail.name]} on {first.host} and {rail.subnet} "
            f"on {entry.host}: both ends of a rail need one subnet"
            for rail in entry.rails
            if rail.subnet != subnets[rail.name]
        )
    return [*problems, *_overlaps(subnets, entries), *_duplicates(entries)]


def _overlaps(subnets: Mapping[str, str], entries: Sequence[Host]) -> list[str]:
    nets = [(name, ipaddress.ip_network(subnet)) for name, subnet in subnets.items()]
    problems = [
        f"rails {name} ({net}) and {other} ({othernet}) overlap: give each rail a subnet of its own"
        for i, (name, net) in enumerate(nets)
        for other, othernet in nets[i + 1 :]
        if net.overlaps(othernet)
    ]
    for entry in entries:
        try:
            management = ipaddress.ip_address(entry.management)
        except ValueError:
            continue  # a name: the host itself compares its real addresses before any change
        problems.extend(
            f"rail {name} ({net}) contains the management address {management} of {entry.host}: choose another subnet"
            for name, net in nets
            if management in net
        )
    return problems


def _duplicates(entries: Sequence[Host]) -> list[str]:
    owners: dict[str, str] = {}
    problems = []
    for entry in entries:
        for rail in entry.rails:
            owner = owners.setdefault(rail.address, entry.host)
            if owner != entry.host:
                problems.append(f"{owner} and {entry.host} have the same rail address {rail.address}: change one")
    return problems
