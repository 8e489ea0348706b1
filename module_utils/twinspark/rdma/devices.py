"""Judging the fabric before anything is measured: devices, links, cages, MTU, GIDs, PCIe, tools. Pure.

Facts are what twinspark_rdma_info returns, by host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..inventory.fabric import LANES, Host, Rail, twin_of
from ..proof.values import Requirement, Verdict
from .facts import DRIVER, MELLANOX, Device, HostFacts, pci_of

Facts = Mapping[str, HostFacts]
ACTIVE = Requirement("==", "ACTIVE")
WIDTH = Requirement(">=", LANES, "")
GONE_FIX = (
    "Cut the host's power for 60 s with the cables in; a firmware update and a reboot are known to lose a function"
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing can be measured over a rail on a host: what is there, what would have to be, and what to do."""

    measured: str
    required: str
    reason: str
    fix: str


def capacity(device: Device) -> float | None:
    """bit/s that a device of a known kind can carry at most: the lower of its link and its PCIe lanes.

    None for what is not known to tell the truth about itself: a Soft-RoCE device says 2.5 Gb/s whatever it carries.
    """
    if device.vendor != MELLANOX or not device.rate_bit_s:
        return None
    return min(device.rate_bit_s, device.pcie_bit_s or device.rate_bit_s)


def trouble(rail: Rail, facts: HostFacts) -> Trouble | None:
    """Why nothing can be measured over this rail on this host. None when it can."""
    device = facts.device(rail.hca)
    if not device.present:
        return _missing(rail, device, facts)
    if device.state != "ACTIVE":
        return _down(rail, device, facts)
    if not any(gid.type == "RoCE v2" and gid.address == rail.address for gid in device.gids):
        return Trouble(
            "none",
            f"RoCE v2 GID {rail.address}",
            f"{rail.hca} has no RoCE v2 GID for this rail's address",
            f"Run the network stage again; ip address show {rail.interface} must show {rail.address}",
        )
    return None


def _missing(rail: Rail, device: Device, facts: HostFacts) -> Trouble:
    function = facts.functions.get(device.pci or "")
    driver = function.driver if function else None
    if driver and driver != DRIVER:
        return Trouble(
            driver,
            DRIVER,
            f"the PCI function {device.pci} of {rail.hca} is bound to the driver {driver}",
            f"Unbind it and load {DRIVER} (driverctl unset-override {device.pci}), or reboot",
        )
    known = sorted(name for name, other in facts.devices.items() if other.present)
    nowhere = f" and no PCI function {device.pci}" if device.pci and not function else ""
    return Trouble(
        ", ".join(known) or "no device",
        rail.hca,
        f"there is no RDMA device {rail.hca}{nowhere}",
        "Correct hca in twinspark_rails for this host (ibdev2netdev shows the names), or load mlx5_ib",
    )


def _down(rail: Rail, device: Device, facts: HostFacts) -> Trouble:
    other, state = device.other_cage or "", device.state or "unknown"
    if facts.device(other).state == "ACTIVE":
        return Trouble(
            state,
            "ACTIVE",
            f"{rail.hca} has no link and {other} has one: the cable is in the other cage on this host",
            f"Move the cable to the other cage, or give this host twinspark_rails with {other}",
        )
    twins = [entry for name, entry in facts.devices.items() if name != rail.hca and name[-2:] == rail.hca[-2:]]
    if any(entry.state == "ACTIVE" for entry in twins):
        return Trouble(
            state,
            "ACTIVE",
            f"one rail is down: {rail.hca} has no link though its twin in the same cage has one",
            f"ip link set {rail.interface} up on both hosts; reseat the cable if it stays down",
        )
    return Trouble(
        state,
        "ACTIVE",
        f"{rail.hca} has no link",
        "Check the cable on both hosts, that both are on, and that the interface is up (ip link)",
    )


def unusable(fabric: Sequence[Host], facts: Facts) -> dict[str, str]:
    """ "host/rail" to the reason, for every rail that nothing can be measured over."""
    found = (
        (f"{entry.host}/{rail.name}", trouble(rail, facts[entry.host])) for entry in fabric for rail in entry.rails
    )
    return {key: wrong.reason for key, wrong in found if wrong}


def judge(fabric: Sequence[Host], facts: Facts, tools: Sequence[str]) -> list[Verdict]:
    """Every verdict on the fabric itself."""
    return [
        *_tools(facts, tools),
        *_devices(fabric, facts),
        *_functions(fabric, facts),
        *_mtus(fabric, facts),
    ]


def gone(before: HostFacts, after: HostFacts) -> list[str]:
    """The PCI functions that were there before and are not any more."""
    return sorted(before.functions.keys() - after.functions.keys())


def _tools(facts: Facts, tools: Sequence[str]) -> Iterator[Verdict]:
    for host, fact in facts.items():
        missing = [tool for tool in tools if tool not in fact.tools or not fact.tools[tool].path]
        yield Verdict.of(
            f"perftest on {host}",
            f"no {', '.join(missing)}" if missing else "installed",
            Requirement("==", "installed"),
            reason="perftest is not installed",
            fix=f"apt install perftest on {host}",
        )


def _devices(fabric: Sequence[Host], facts: Facts) -> Iterator[Verdict]:
    for entry in fabric:
        for rail in entry.rails:
            wrong = trouble(rail, facts[entry.host])
            device = facts[entry.host].device(rail.hca)
            name = f"{rail.name} on {entry.host} ({rail.hca})"
            if wrong:
                yield Verdict.told(name, False, wrong.measured, wrong.required, reason=wrong.reason, fix=wrong.fix)
            else:
                yield Verdict.of(name, device.state, ACTIVE)
            if device.pcie_width and device.vendor == MELLANOX:
                yield Verdict.of(
                    f"PCIe lanes of {rail.hca} on {entry.host}",
                    device.pcie_width,
                    WIDTH,
                    blocks=False,
                    reason="a width of x2 on one function points at old NIC firmware",
                    fix="Update the NIC firmware, one host at a time, then power both off and on",
                )


def _functions(fabric: Sequence[Host], facts: Facts) -> Iterator[Verdict]:
    """Both functions of the cabled cage, also of one that no rail uses: that both hosts lack it is no excuse."""
    for entry in fabric:
        hcas = {rail.hca for rail in entry.rails}
        wanted = {
            pci for hca in hcas for name in (hca, twin_of(hca)) if name and twin_of(hca) and (pci := pci_of(name))
        }
        there = facts[entry.host].functions
        if not wanted or not there:
            continue  # no Spark's names, or no ConnectX at all: Soft-RoCE has no function
        missing = sorted(wanted - there.keys())
        yield Verdict.of(
            f"PCI functions of the cabled cage on {entry.host}",
            f"no {', '.join(missing)}" if missing else "all there",
            Requirement("==", "all there"),
            blocks=False,
            cause="function_gone",
            reason="a cage is fed by two functions, and without both one cable carries half",
            fix=GONE_FIX,
        )


def _mtus(fabric: Sequence[Host], facts: Facts) -> Iterator[Verdict]:
    hosts = [entry.host for entry in fabric]
    for rails in zip(*(entry.rails for entry in fabric), strict=True):
        mtus = {host: facts[host].device(rail.hca).active_mtu for host, rail in zip(hosts, rails, strict=True)}
        if None in mtus.values() or len(mtus) < 2:
            continue  # a missing device has its own verdict
        yield Verdict.told(
            f"RoCE MTU of {rails[0].name}",
            len(set(mtus.values())) == 1,
            ", ".join(f"{mtu} on {host}" for host, mtu in mtus.items()),
            "the same on every host",
            reason="a one-sided MTU degrades silently",
            fix="Run the network stage again: it sets the MTU on every host and proves it in both directions",
        )
