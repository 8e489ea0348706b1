"""The running state of a host's links around a network change: before it, as wished, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .state import Difference, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the running state of a link shall be. What is null or empty is left alone.

    absent: addresses to delete. routes: lines of `ip route show dev`.
    """

    mtu: int | None = None
    up: bool | None = None
    addresses: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    sysctls: Mapping[str, int] = field(default_factory=dict)
    routes: tuple[str, ...] = ()


def runtime_commands(links: Mapping[str, Running]) -> list[list[str]]:
    """Commands that bring each link to this state, whatever the renderer did."""
    commands = []
    for name, link in links.items():
        if link.mtu:
            commands.append(["ip", "link", "set", "dev", name, "mtu", str(link.mtu)])
        commands += [["ip", "address", "del", address, "dev", name] for address in link.absent]
        commands += [["ip", "address", "replace", address, "dev", name] for address in link.addresses]
        for key, value in sorted(link.sysctls.items()):
            commands.append(["sysctl", "-q", "-w", f"net/ipv4/conf/{name}/{key}={value}"])
        if link.up is not None:
            commands.append(["ip", "link", "set", "dev", name, "up" if link.up else "down"])
        commands += [["ip", "route", "replace", *route.split(), "dev", name] for route in link.routes]
    return commands


def before(
    links: Mapping[str, Link],
    sysctls: Mapping[str, Mapping[str, int | None]],
    routes: Mapping[str, Sequence[str]],
    added: Mapping[str, Sequence[str]],
) -> dict[str, Running]:
    """The running state to go back to. added: addresses that the change brings, by interface."""
    return {
        name: Running(
            mtu=links[name].mtu,
            up=links[name].up,
            addresses=links[name].addresses,
            absent=tuple(address for address in wanted if address not in links[name].addresses),
            sysctls={key: value for key, value in sysctls.get(name, {}).items() if value is not None},
            routes=tuple(routes.get(name, ())),
        )
        for name, wanted in added.items()
        if name in links
    }


def desired(
    links: Mapping[str, Link], rails: Mapping[str, str], mtu: int, arp: Mapping[str, int]
) -> dict[str, Running]:
    """The running state of configured rails. rails: interface to cidr. Other addresses there are deleted."""
    now = {name: links[name].addresses if name in links else () for name in rails}
    return {
        name: Running(
            mtu=mtu, up=True, absent=tuple(address for address in now[name] if address != cidr), sysctls=dict(arp)
        )
        for name, cidr in rails.items()
    }


def left(links: Mapping[str, Link], former: Mapping[str, Sequence[str]]) -> dict[str, Running]:
    """The running state of interfaces that are no rails any more: without the addresses that they had as rails."""
    return {
        name: Running(absent=tuple(address for address in addresses if address in links[name].addresses))
        for name, addresses in former.items()
        if name in links
    }


def released(former: Mapping[str, Running], links: Mapping[str, Link], rails: Mapping[str, str]) -> dict[str, Running]:
    """The running state to leave when the rails are released: MTU and ARP as remembered, the rails' addresses gone.

    Other addresses are the former files' business, once netplan has applied them.
    """
    given = {}
    for name, cidr in rails.items():
        if name not in links:
            continue
        kept = former.get(name, Running())
        absent = (cidr,) if cidr in links[name].addresses else ()
        given[name] = Running(mtu=kept.mtu, up=kept.up, sysctls=kept.sysctls, absent=absent)
    return given


def differences(links: Mapping[str, Link], wished: Mapping[str, Running]) -> list[Difference]:
    """What of the wished running state is not so now, as the plan's drift."""
    found = []
    for name, wish in wished.items():
        now = links[name]
        addresses = list(now.addresses)
        pairs: list[tuple[str, object, object]] = [
            ("addresses", addresses, [address for address in addresses if address not in wish.absent])
        ]
        pairs += [("mtu", now.mtu, wish.mtu)] if wish.mtu is not None else []
        pairs += [("up", now.up, wish.up)] if wish.up is not None else []
        found += [Difference(name, what, current, desired) for what, current, desired in pairs if current != desired]
    return found
