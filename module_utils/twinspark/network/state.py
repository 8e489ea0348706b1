"""What twinspark_network_info, twinspark_ping_info and twinspark_peer_login_info find on a host, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..proof.json_form import Json


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. addresses: with their prefix. driver, pci, hca, phys_port_name: from sysfs, or ""."""

    name: str
    mac: str = ""
    mtu: int | None = None
    up: bool = False
    carrier: bool = False
    master: str = ""
    addresses: tuple[str, ...] = ()
    driver: str = ""
    pci: str = ""
    hca: str = ""
    phys_port_name: str = ""


@dataclass(frozen=True, slots=True)
class NetplanFile:
    """text: without secrets. mode: octal, as `0600`."""

    path: str
    text: str
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A file beside netplan's that configures an interface. kind: networkd or NetworkManager."""

    path: str
    kind: str
    interface: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The daemon that runs an interface, and its file."""

    kind: str
    file: str


@dataclass(frozen=True, slots=True)
class Management:
    """What carries the controller's connection. lower: the members of a bond or bridge."""

    address: str = ""
    interface: str = ""
    lower: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """How the kernel would send to an address; empty where it has no route."""

    device: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Boot:
    """Whether the next boot brings the rails as they are. others: generated files of other interfaces that differ."""

    same: bool = False
    reason: str = "netplan was not asked"
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network(Json):
    """One host's network. wire: address to the MAC that answers for it; free_bytes: by folder; sysctls: by interface.

    heard: interface to the (host, interface) pairs whose beacons arrived on it; endpoint: connection variables of this
    host alone (both of `twinspark init`).
    """

    called = "network"

    links: tuple[Link, ...]
    files: tuple[NetplanFile, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    owners: Mapping[str, Owner] = field(default_factory=dict)
    management: Management = field(default_factory=Management)
    sysctls: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    wire: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    free_bytes: Mapping[str, int] = field(default_factory=dict)
    netplan_installed: bool = False
    boot: Boot = field(default_factory=Boot)
    hostname: str = ""
    model: str = ""
    heard: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    endpoint: Mapping[str, Any] = field(default_factory=dict)

    def by_name(self) -> dict[str, Link]:
        """The links by name."""
        return {link.name: link for link in self.links}


@dataclass(frozen=True)
class Difference:
    """One thing of an interface that the kernel has otherwise than the plan. what: addresses, mtu, up or a sysctl."""

    interface: str
    what: str
    current: Any
    desired: Any


@dataclass(frozen=True, slots=True)
class Ping:
    """Full frames over one path. rtt_ms: the average, None without an answer; small_ok: whether small frames passed."""

    rail: str
    peer: str
    source: str
    target: str
    sent: int
    received: int
    rtt_ms: float | None
    problem: str
    small_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A login over one path. problem: why it failed, one clause."""

    rail: str
    peer: str
    ok: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the rails shall be. path: the netplan file; arp: sysctl values; takeover: consent to edit other files."""

    path: str
    mtu: int
    arp: Mapping[str, int]
    takeover: bool = False
    min_free_bytes: int = 1 << 20
