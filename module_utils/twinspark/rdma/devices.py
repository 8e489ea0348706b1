"""Judging the fabric before anything is measured: devices, links, cages, MTU, GIDs, PCIe, tools. Pure.

Facts are what twinspark_rdma_info returns, by host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .facts import DRIVER, MELLANOX

Verdict = dict[str, Any]
Facts = Mapping[str, Mapping[str, Any]]


def verdict(name: str, ok: bool, **more: Any) -> Verdict:
    """A verdict; `measured`, `required`, `unit`, `reason`, `fix`, `blocks` as twinspark_proof takes them."""
    kept = {key: value for key, value in more.items() if not (ok and key in ("reason", "fix"))}
    return {"name": name, "ok": ok, "blocks": more.pop("blocks", True), **kept}


def capacity(device: Mapping[str, Any] | None) -> float | None:
    """bit/s that a device of a known kind can carry at most: the lower of its link and its PCIe lanes.

    None for what is not known to tell the truth about itself: a Soft-RoCE device says 2.5 Gb/s whatever it carries.
    """
    if not device or device.get("vendor") != MELLANOX or not device.get("rate_bit_s"):
        return None
    rate = float(device["rate_bit_s"])
    return min(rate, float(device.get("pcie_bit_s") or rate))


def trouble(rail: Mapping[str, Any], facts: Mapping[str, Any]) -> Verdict | None:
    """Why nothing can be measured over this rail on this host: measured, required, reason, fix. None when it can."""
    devices = facts.get("devices", {})
    device = devices.get(rail["hca"], {})
    if not device.get("present"):
        return _missing(rail, device, facts)
    if device.get("state") != "ACTIVE":
        return _down(rail, device, devices)
    ours = [gid for gid in device.get("gids", []) if gid["type"] == "RoCE v2" and gid["address"] == rail["address"]]
    if not ours:
        return {
            "measured": "none",
            "required": f"RoCE v2 GID {rail['address']}",
            "reason": f"{rail['hca']} has no RoCE v2 GID for this rail's address",
            "fix": f"Run the network stage again; ip address show {rail['interface']} must show {rail['address']}",
        }
    return None


def _missing(rail: Mapping[str, Any], device: Mapping[str, Any], facts: Mapping[str, Any]) -> Verdict:
    function = facts.get("functions", {}).get(device.get("pci") or "", {})
    driver = function.get("driver")
    if driver and driver != DRIVER:
        return {
            "measured": driver,
            "required": DRIVER,
            "reason": f"the PCI function {device['pci']} of {rail['hca']} is bound to the driver {driver}",
            "fix": f"Unbind it and load {DRIVER} (driverctl unset-override {device['pci']}), or reboot",
        }
    known = sorted(name for name, other in facts.get("devices", {}).items() if other.get("present"))
    return {
        "measured": ", ".join(known) or "no device",
        "required": rail["hca"],
        "reason": f"there is no RDMA device {rail['hca']}"
        + ("" if function else f" and no PCI function {device.get('pci')}" if device.get("pci") else ""),
        "fix": "Correct hca in twinspark_rails for this host (ibdev2netdev shows the names), or load mlx5_ib",
    }


def _down(rail: Mapping[str, Any], device: Mapping[str, Any], devices: Mapping[str, Mapping[str, Any]]) -> Verdict:
    other = device.get("other_cage") or ""
    common = {"measured": device.get("state") or "unknown", "required": "ACTIVE"}
    if devices.get(other, {}).get("state") == "ACTIVE":
        return {
            **common,
            "reason": f"{rail['hca']} has no link and {other} has one: the cable is in the other cage on this host",
            "fix": f"Move the cable to the other cage, or give this host twinspark_rails with {other}",
        }
    cards = [entry for name, entry in devices.items() if name != rail["hca"] and name[-2:] == rail["hca"][-2:]]
    if any(entry.get("state") == "ACTIVE" for entry in cards):
        return {
            **common,
            "reason": f"one rail is down: {rail['hca']} has no link though its twin in the same cage has one",
            "fix": f"ip link set {rail['interface']} up on both hosts; reseat the cable if it stays down",
        }
    return {
        **common,
        "reason": f"{rail['hca']} has no link",
        "fix": "Check the cable on both hosts, that both are on, and that the interface is up (ip link)",
    }


def unusable(fabric: Sequence[Mapping[str, Any]], facts: Facts) -> dict[str, str]:
    """ "host/rail" to the reason, for every rail that nothing can be measured over."""
    found = ((f"{e['host']}/{rail['name']}", trouble(rail, facts[e["host"]])) for e in fabric for rail in e["rails"])
    return {key: wrong["reason"] for key, wrong in found if wrong}


def judge(fabric: Sequence[Mapping[str, Any]], facts: Facts, tools: Sequence[str]) -> list[Verdict]:
    """Every verdict on the fabric itself."""
    return [*_tools(facts, tools), *_devices(fabric, facts), *_mtus(fabric, facts)]


def _tools(facts: Facts, tools: Sequence[str]) -> Iterator[Verdict]:
    for host, fact in facts.items():
        missing = [tool for tool in tools if not fact.get("tools", {}).get(tool, {}).get("path")]
        yield verdict(
            f"perftest on {host}",
            not missing,
            measured="installed" if not missing else f"no {', '.join(missing)}",
            required="installed",
            reason="perftest is not installed",
            fix=f"apt install perftest on {host}",
        )


def _devices(fabric: Sequence[Mapping[str, Any]], facts: Facts) -> Iterator[Verdict]:
    for entry in fabric:
        for rail in entry["rails"]:
            wrong = trouble(rail, facts[entry["host"]])
            device = facts[entry["host"]].get("devices", {}).get(rail["hca"], {})
            yield verdict(
                f"{rail['name']} on {entry['host']} ({rail['hca']})",
                wrong is None,
                **(wrong or {"measured": device.get("state"), "required": "ACTIVE"}),
            )
            width = device.get("pcie_width")
            if width and device.get("vendor") == MELLANOX:
                yield verdict(
                    f"PCIe lanes of {rail['hca']} on {entry['host']}",
                    width >= 4,
                    blocks=False,
                    measured=width,
                    required=4,
                    reason="a width of x2 on one function points at old NIC firmware",
                    fix="Update the NIC firmware, one host at a time, then power both off and on",
                )


def _mtus(fabric: Sequence[Mapping[str, Any]], facts: Facts) -> Iterator[Verdict]:
    for rails in zip(*(entry["rails"] for entry in fabric), strict=True):
        hosts = [entry["host"] for entry in fabric]
        mtus = {
            host: facts[host].get("devices", {}).get(rail["hca"], {}).get("active_mtu")
            for host, rail in zip(hosts, rails, strict=True)
        }
        if None in mtus.values() or len(mtus) < 2:
            continue  # a missing device has its own verdict
        yield verdict(
            f"RoCE MTU of {rails[0]['name']}",
            len(set(mtus.values())) == 1,
            measured=", ".join(f"{mtu} on {host}" for host, mtu in mtus.items()),
            required="the same on every host",
            reason="a one-sided MTU degrades silently",
            fix="Run the network stage again: it sets the MTU on every host and proves it in both directions",
        )
