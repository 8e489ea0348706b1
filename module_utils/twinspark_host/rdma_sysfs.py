"""RDMA facts of this host, read from sysfs or from a recorded tree. Runs no program and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..twinspark.proof.foreign import decimal
from ..twinspark.rdma.facts import (
    MELLANOX,
    Device,
    Function,
    Gid,
    HostFacts,
    address_of,
    mtu_of,
    other_cage,
    pci_of,
    pcie_bit_s,
)


def read(root: Path, names: Iterable[str] = ()) -> HostFacts:
    """Devices by name, and Mellanox PCI functions by address, of the tree below `root` (/ on a real host).

    `names` are devices that are asked for; one that is not there appears with `present: false` and what its PCI
    function says, so that a device bound to another driver is told from one that does not exist.
    """
    base = root / "sys/class/infiniband"
    found = sorted(path.name for path in base.iterdir()) if base.is_dir() else []
    functions = _functions(root)
    devices = {name: Device(pci=pci_of(name)) for name in names} | {name: _device(root, name) for name in found}
    return HostFacts(
        devices={
            name: replace(
                device,
                driver=functions.get(device.pci or "", Function()).driver,
                vendor=functions.get(device.pci or "", Function()).vendor,
                other_cage=other_cage(name),
            )
            for name, device in devices.items()
        },
        functions=functions,
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> float | None:
    """The number that a sysfs file begins with ('200 Gb/sec (4X HDR)' is 200)."""
    match = re.match(r"\d+(?:\.\d+)?", _text(path) or "")
    return decimal(match[0]) if match else None


def _functions(root: Path) -> dict[str, Function]:
    base = root / "sys/bus/pci/devices"
    paths = sorted(base.iterdir()) if base.is_dir() else []
    return {
        path.name: Function(MELLANOX, _link(path / "driver"), *_pcie(path))
        for path in paths
        if _text(path / "vendor") == MELLANOX
    }


def _link(path: Path) -> str | None:
    return path.resolve().name if path.exists() else None


def _pcie(path: Path) -> tuple[float | None, int | None, float | None]:
    """Speed, lanes, and what they carry together."""
    speed, width = _number(path / "current_link_speed"), _number(path / "current_link_width")
    lanes = int(width) if width else None
    return speed, lanes, pcie_bit_s(speed, lanes)


def _device(root: Path, name: str) -> Device:
    path = root / "sys/class/infiniband" / name
    port = path / "ports/1"
    rate = _number(port / "rate")
    gids = _gids(port)
    pci = (path / "device").resolve().name if (path / "device").exists() else None
    netdev = _text(path / "parent") or next((gid.netdev for gid in gids if gid.netdev), None)
    mtu = _netdev_mtu(root, netdev) if netdev else None
    speed, width, carries = _pcie(path / "device")
    return Device(
        present=True,
        pci=pci,
        netdev=netdev,
        netdev_mtu=mtu,
        active_mtu=mtu_of(mtu) if mtu else None,
        firmware=_text(path / "fw_ver") or None,  # Soft-RoCE has none
        board=_text(path / "board_id"),
        state=(_text(port / "state") or "").partition(": ")[2] or None,
        physical_state=(_text(port / "phys_state") or "").partition(": ")[2] or None,
        link_layer=_text(port / "link_layer"),
        rate_bit_s=rate * 1e9 if rate else None,
        gids=gids,
        pcie_speed_gt=speed,
        pcie_width=width,
        pcie_bit_s=carries,
    )


def _netdev_mtu(root: Path, netdev: str) -> int | None:
    # A recorded tree has no MTU: that one is the running kernel's own.
    mtu = _number(root / "sys/class/net" / netdev / "mtu") or _number(Path("/sys/class/net") / netdev / "mtu")
    return int(mtu) if mtu else None


def _gids(port: Path) -> tuple[Gid, ...]:
    folder = port / "gids"
    indexes = sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit()) if folder.is_dir() else []
    found = []
    for index in indexes:
        gid = _text(folder / str(index))
        kind = _text(port / f"gid_attrs/types/{index}")  # an unused slot can't be read: EINVAL
        if gid and kind and gid.strip("0:"):
            netdev = _text(port / f"gid_attrs/ndevs/{index}")
            found.append(Gid(kind, address_of(gid), index, gid, netdev))
    return tuple(found)
