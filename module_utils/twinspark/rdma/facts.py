"""RDMA facts of one host: what twinspark_rdma_info finds, and how names and tools' output become that.

Units: bits per second, bytes, PCIe in GT/s and lanes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address

from ..proof.foreign import ForeignError, items, json_of, mapping, whole

MELLANOX = "0x15b3"
DRIVER = "mlx5_core"
ROCE_HEADERS = 90  # bytes: Ethernet, IPv4, UDP, BTH, RETH and ICRC around one packet's data, rounded up
MTUS = (4096, 2048, 1024, 512, 256)  # what an RDMA port can be set to, ibv_mtu
_NAME = re.compile(r"^(?:roce|ib)(?:P(\d{1,5}))?p(\d{1,3})s(\d{1,2})(?:f(\d))?$")


@dataclass(frozen=True, slots=True)
class Gid:
    """An entry of the GID table. address: the IPv4 address that it is made of, None for a link-local one."""

    type: str
    address: str | None
    index: int = -1
    gid: str = ""
    netdev: str | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A PCI function and the driver that it is bound to."""

    vendor: str | None = None
    driver: str | None = None
    pcie_speed_gt: float | None = None
    pcie_width: int | None = None
    pcie_bit_s: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """An RDMA device; None for what can't be read. present: whether it is there at all. state: as ACTIVE or DOWN."""

    present: bool = False
    pci: str | None = None
    netdev: str | None = None
    netdev_mtu: int | None = None
    active_mtu: int | None = None
    firmware: str | None = None
    board: str | None = None
    state: str | None = None
    physical_state: str | None = None
    link_layer: str | None = None
    rate_bit_s: float | None = None
    gids: tuple[Gid, ...] = ()
    pcie_speed_gt: float | None = None
    pcie_width: int | None = None
    pcie_bit_s: float | None = None
    driver: str | None = None
    vendor: str | None = None
    other_cage: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: where it is, and the package that owns it."""

    path: str | None = None
    package: str | None = None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host: devices by name, PCI functions of the vendor by address, tools by name."""

    devices: Mapping[str, Device] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    tools: Mapping[str, Tool] = field(default_factory=dict)

    def device(self, hca: str) -> Device:
        """The device of that name; one that is not present where there is none."""
        return self.devices.get(hca, Device())


def pci_of(hca: str) -> str | None:
    """The PCI function behind a persistent RDMA name: roceP2p1s0f1 is 0002:01:00.1. None for any other name."""
    match = _NAME.match(hca)
    if not match:
        return None
    domain, bus, slot, function = (int(part or 0) for part in match.groups())
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def other_cage(hca: str) -> str | None:
    """The same PCIe slot's function in the other cage: rocep1s0f1 for rocep1s0f0. None for any other name."""
    if not _NAME.match(hca) or hca[-2:] not in ("f0", "f1"):
        return None
    return hca[:-1] + ("1" if hca.endswith("0") else "0")


def mtu_of(netdev_mtu: int) -> int | None:
    """The RoCE MTU that a netdev's MTU allows: 9000 gives 4096, 1500 gives 1024."""
    return next((mtu for mtu in MTUS if mtu + ROCE_HEADERS <= netdev_mtu), None)


def pcie_bit_s(speed: float | None, width: int | None) -> float | None:
    """What a link of `width` lanes at `speed` GT/s can carry before headers: Gen5 x4 is 126 Gb/s."""
    if not speed or not width:
        return None
    return speed * 1e9 * width * (128 / 130 if speed >= 8 else 8 / 10)


def address_of(gid: str) -> str | None:
    """The IPv4 address that a GID is made of (::ffff:a.b.c.d), None for a link-local one."""
    try:
        mapped = IPv6Address(gid).ipv4_mapped
    except ValueError:
        return None
    return str(mapped) if mapped else None


def active_mtus(text: str) -> dict[str, int]:
    """Active MTU by device, from ibv_devinfo's output."""
    found: dict[str, int] = {}
    name = ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(":")
        if key == "hca_id":
            name = value.strip()
        elif key == "active_mtu" and name and value.split():
            found[name] = whole(value.split()[0]) or 0
    return {name: mtu for name, mtu in found.items() if mtu}


def links(text: str) -> dict[str, dict[str, str]]:
    """State and netdev by device, from `rdma -j link show`. Empty for text that is not its JSON."""
    try:
        entries = items(json_of(text))
    except ForeignError:
        return {}
    return {
        entry["ifname"]: {
            key: entry[key] for key in ("state", "physical_state", "netdev") if isinstance(entry.get(key), str)
        }
        for entry in map(mapping, entries)
        if isinstance(entry.get("ifname"), str)
    }


def with_tools(facts: HostFacts, devinfo: str, link: str) -> HostFacts:
    """`facts` with what the tools know better than sysfs: the active MTU, and the netdev behind a device."""
    mtus, known = active_mtus(devinfo), links(link)
    devices = {
        name: replace(
            device,
            active_mtu=mtus.get(name, device.active_mtu),
            netdev=device.netdev or known.get(name, {}).get("netdev"),
        )
        for name, device in facts.devices.items()
    }
    return replace(facts, devices=devices)
