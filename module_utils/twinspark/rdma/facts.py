"""RDMA facts of one host, read from sysfs (or from a recorded tree) and from rdma-core's and iproute2's output.

Units: bits per second, bytes, PCIe in GT/s and lanes. Nothing here runs a program or changes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

MELLANOX = "0x15b3"
DRIVER = "mlx5_core"
ROCE_HEADERS = 90  # bytes: Ethernet, IPv4, UDP, BTH, RETH and ICRC around one packet's data, rounded up
MTUS = (4096, 2048, 1024, 512, 256)  # what an RDMA port can be set to, ibv_mtu
_NAME = re.compile(r"^(?:roce|ib)(?:P(\d{1,5}))?p(\d{1,3})s(\d{1,2})(?:f(\d))?$")


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


def read(root: Path, names: Iterable[str] = ()) -> dict[str, Any]:
    """Devices by name, and Mellanox PCI functions by address, of the tree below `root` (/ on a real host).

    `names` are devices that are asked for; one that is not there appears with `present: false` and what its PCI
    function says, so that a device bound to another driver is told from one that does not exist.
    """
    base = root / "sys/class/infiniband"
    found = sorted(path.name for path in base.iterdir()) if base.is_dir() else []
    functions = _functions(root)
    devices = {name: _device(root, name) for name in found}
    for name in names:
        devices.setdefault(name, {"present": False, "pci": pci_of(name)})
    for name, device in devices.items():
        device["driver"] = functions.get(device["pci"] or "", {}).get("driver")
        device["vendor"] = functions.get(device["pci"] or "", {}).get("vendor")
        device["other_cage"] = other_cage(name)
    return {"devices": devices, "functions": functions}


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> float | None:
    """The number that a sysfs file begins with ('200 Gb/sec (4X HDR)' is 200)."""
    match = re.match(r"\d+(?:\.\d+)?", _text(path) or "")
    return float(match[0]) if match else None


def _functions(root: Path) -> dict[str, dict[str, Any]]:
    base = root / "sys/bus/pci/devices"
    paths = sorted(base.iterdir()) if base.is_dir() else []
    return {
        path.name: {"vendor": MELLANOX, "driver": _link(path / "driver"), **_pcie(path)}
        for path in paths
        if _text(path / "vendor") == MELLANOX
    }


def _link(path: Path) -> str | None:
    return path.resolve().name if path.exists() else None


def _pcie(path: Path) -> dict[str, Any]:
    speed, width = _number(path / "current_link_speed"), _number(path / "current_link_width")
    lanes = int(width) if width else None
    return {"pcie_speed_gt": speed, "pcie_width": lanes, "pcie_bit_s": pcie_bit_s(speed, lanes)}


def _device(root: Path, name: str) -> dict[str, Any]:
    path = root / "sys/class/infiniband" / name
    port = path / "ports/1"
    rate = _number(port / "rate")
    gids = _gids(port)
    pci = (path / "device").resolve().name if (path / "device").exists() else None
    netdev = _text(path / "parent") or next((gid["netdev"] for gid in gids if gid["netdev"]), None)
    mtu = _netdev_mtu(root, netdev) if netdev else None
    return {
        "present": True,
        "pci": pci,
        "netdev": netdev,
        "netdev_mtu": mtu,
        "active_mtu": mtu_of(mtu) if mtu else None,
        "firmware": _text(path / "fw_ver") or None,  # Soft-RoCE has none
        "board": _text(path / "board_id"),
        "state": (_text(port / "state") or "").partition(": ")[2] or None,
        "physical_state": (_text(port / "phys_state") or "").partition(": ")[2] or None,
        "link_layer": _text(port / "link_layer"),
        "rate_bit_s": rate * 1e9 if rate else None,
        "gids": gids,
        **_pcie(path / "device"),
    }


def _netdev_mtu(root: Path, netdev: str) -> int | None:
    # A recorded tree has no MTU: that one is the running kernel's own.
    mtu = _number(root / "sys/class/net" / netdev / "mtu") or _number(Path("/sys/class/net") / netdev / "mtu")
    return int(mtu) if mtu else None


def _gids(port: Path) -> list[dict[str, Any]]:
    folder = port / "gids"
    indexes = sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit()) if folder.is_dir() else []
    found = []
    for index in indexes:
        gid = _text(folder / str(index))
        kind = _text(port / f"gid_attrs/types/{index}")  # an unused slot can't be read: EINVAL
        if gid and kind and gid.strip("0:"):
            netdev = _text(port / f"gid_attrs/ndevs/{index}")
            found.append({"index": index, "gid": gid, "type": kind, "netdev": netdev, "address": address_of(gid)})
    return found


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
            found[name] = int(value.split()[0]) if value.split()[0].isdigit() else 0
    return {name: mtu for name, mtu in found.items() if mtu}


def links(text: str) -> dict[str, dict[str, str]]:
    """State and netdev by device, from `rdma -j link show`. Empty for text that is not its JSON."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    entries = data if isinstance(data, list) else []
    return {
        str(entry["ifname"]): {key: str(entry[key]) for key in ("state", "physical_state", "netdev") if key in entry}
        for entry in entries
        if isinstance(entry, dict) and "ifname" in entry
    }


def with_tools(facts: dict[str, Any], devinfo: str, link: str) -> dict[str, Any]:
    """`facts` with what the tools know better than sysfs: the active MTU, and the netdev behind a device."""
    mtus, known = active_mtus(devinfo), links(link)
    for name, device in facts["devices"].items():
        device["active_mtu"] = mtus.get(name, device.get("active_mtu"))
        device["netdev"] = device.get("netdev") or known.get(name, {}).get("netdev")
    return facts
