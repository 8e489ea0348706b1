"""What a host must be before anything is changed: facts of all hosts in, findings out. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..proof.values import Findings, Measurement, Requirement, Verdict
from .fabric import LANES, twin_of
from .host_facts import GIB, Disk, HostFacts

# What must be the same on all hosts, and whether a difference stops the line.
PARITY = {
    "os": ("OS release", True, "bring all hosts to one release with DGX OS's own updater, one host at a time"),
    "kernel": ("kernel", True, "update all hosts to one kernel and reboot them, one at a time"),
    "driver": ("NVIDIA driver", True, "update all hosts to one driver and reboot them, one at a time"),
    "nic_firmware": ("NIC firmware", True, "update the firmware with the vendor's tool, one host at a time, cables in"),
    "docker": ("Docker", False, "update Docker on the older host"),
    "arch": ("architecture", True, "all hosts must be of one architecture"),
}
NAMES = {key: name for key, (name, _, _) in PARITY.items()}
SWAP_LIMIT = Requirement("<=", 0.25, "GiB")  # what a sound host leaves there after a long uptime


@dataclass(frozen=True, slots=True)
class KnownBad:
    """A version that owners found to be bad. what: a name of PARITY; pattern: as a shell matches names."""

    what: str
    pattern: str
    reason: str
    fix: str
    blocks: bool = True

    def __post_init__(self) -> None:
        if self.what not in PARITY:
            raise ValueError(f"what must be one of {', '.join(PARITY)}, not {self.what!r}")


@dataclass(frozen=True, slots=True)
class Needs:
    """What is asked of every host. memory_share, of all memory, counts where it is not 0, else memory_gib.

    differences: names of PARITY that may differ.
    """

    commands: tuple[str, ...]
    memory_gib: float
    memory_share: float
    clock_skew_seconds: float
    expect_gpu: bool
    expect_docker: bool
    known_bad: tuple[KnownBad, ...]
    differences: tuple[str, ...]


def judge(facts: Mapping[str, HostFacts], needs: Needs) -> Findings:
    """Verdicts and measurements of the preflight stage. facts: by host."""
    verdicts = [*parity(facts, needs.differences), *_together(facts, needs)]
    measurements = []
    for host, found in facts.items():
        verdicts += [
            *known_bad(host, found.versions(), needs.known_bad),
            *_tools(host, found, needs),
            *_docker(host, found, needs),
            *_pcie(host, found),
            *_space(host, found),
            *_memory(host, found, needs),
            *_ports(host, found),
        ]
        measurements.append(Measurement("memory_available", found.memory.available, "byte", host))
        measurements += [Measurement("disk_free", disk.free, "byte", f"{host} {disk.what}") for disk in found.disks]
    return Findings(tuple(verdicts), tuple(measurements))


def parity(facts: Mapping[str, HostFacts], allowed: Collection[str]) -> list[Verdict]:
    """One verdict for each thing that must be the same on all hosts."""
    if len(facts) < 2:
        return []
    found = []
    same_everywhere = Requirement("words", "the same")
    for key, (name, blocks, fix) in PARITY.items():
        by_host = {host: fact.versions()[key] for host, fact in facts.items()}
        title, one = f"same {name} on all hosts", next(iter(by_host.values())) or "none"
        shown = ", ".join(f"{host} {value or 'none'}" for host, value in by_host.items())
        if len(set(by_host.values())) == 1:
            found.append(Verdict(title, True, one, same_everywhere, blocks=blocks))
        elif key in allowed:
            reason = "different, and allowed by preflight_differences"
            found.append(Verdict(title, True, shown, same_everywhere, blocks=blocks, reason=reason))
        else:
            found.append(Verdict(title, False, shown, same_everywhere, "", "hosts differ", fix, blocks))
    return found


def known_bad(host: str, found: Mapping[str, str], listed: Sequence[KnownBad]) -> list[Verdict]:
    """A verdict for each known-bad version that the host has, and one that all is well when it has none."""
    hits = [
        Verdict.told(
            f"known-bad {NAMES[entry.what]} on {host}", False, found[entry.what], f"not {entry.pattern}",
            reason=entry.reason, fix=entry.fix, blocks=entry.blocks,
        )
        for entry in listed
        if found[entry.what]
        and any(fnmatch.fnmatchcase(version, entry.pattern) for version in found[entry.what].split(", "))
    ]  # fmt: skip
    fine = Verdict.told(f"known-bad versions on {host}", True, f"none of {len(listed)}", "none")
    return hits or [fine]


def _together(facts: Mapping[str, HostFacts], needs: Needs) -> list[Verdict]:
    """Clocks, names and users, which only all hosts together can get wrong."""
    offsets = [fact.clock.offset for fact in facts.values()]
    hostnames = {host: fact.hostname for host, fact in facts.items()}
    users = {host: fact.user for host, fact in facts.items()}
    return [
        Verdict.of(
            "clocks of the hosts agree", round(max(offsets) - min(offsets), 1),
            Requirement("<=", needs.clock_skew_seconds, "s"),
            reason="certificates and logs need one time", fix="`timedatectl set-ntp true` on each host",
        ),
        Verdict.told(
            "each host has a name of its own", len(set(hostnames.values())) == len(facts), _shown(hostnames),
            "distinct", reason="two hosts have one name", fix="`hostnamectl set-hostname NAME`", blocks=False,
        ),
        Verdict.told(
            "the login user is the same", len(set(users.values())) == 1, _shown(users), "the same",
            reason="files copied between the hosts keep their numbers", fix="give the user one uid and gid everywhere",
            blocks=False,
        ),
    ]  # fmt: skip


def _shown(by_host: Mapping[str, str]) -> str:
    return ", ".join(f"{host} {value}" for host, value in by_host.items())


def _tools(host: str, fact: HostFacts, needs: Needs) -> list[Verdict]:
    missing = [command for command in needs.commands if not fact.commands.get(command)]
    found = [
        Verdict.of(
            f"tools on {host}", f"without {', '.join(missing)}" if missing else "all there",
            Requirement("==", "all there"),
            reason="the stages use them", fix=f"install what brings {', '.join(missing)}",
        ),
        Verdict.of(
            f"becoming root on {host}", "root" if fact.root else "not root", Requirement("==", "root"),
            reason="sudo did not make us root", fix="allow the login user sudo",
        ),
        Verdict.of(
            f"time of {host} is synchronized", "yes" if fact.clock.synchronized else "no", Requirement("==", "yes"),
            reason="systemd sees no time source", fix="`timedatectl set-ntp true`", blocks=False,
        ),
    ]  # fmt: skip
    if needs.expect_gpu:
        gpu = fact.gpu
        there = f"{', '.join(gpu.names)}, driver {gpu.driver}"
        found.append(
            Verdict.told(
                f"GPU of {host} answers", bool(gpu.driver), there if gpu.driver else gpu.problem or "no nvidia-smi",
                "a GPU", reason="nvidia-smi fails", fix="reboot; if it stays away, reinstall the driver",
            )
        )  # fmt: skip
    return found


def _docker(host: str, fact: HostFacts, needs: Needs) -> list[Verdict]:
    if not needs.expect_docker:
        return []
    return [
        Verdict.told(
            f"Docker's daemon on {host} answers", bool(fact.docker), fact.docker or "no answer", "a version",
            reason="the image is built and served by it",
            fix="`sudo systemctl enable --now docker`, and see `journalctl -u docker`",
        )
    ]  # fmt: skip


def _pcie(host: str, fact: HostFacts) -> list[Verdict]:
    """The functions of a ConnectX-7, each with its lanes and its twin. Both hosts may have the same fault."""
    widths = {nic.hca: int(nic.width) for nic in fact.nics if nic.width.isdecimal() and len(nic.width) < 4}
    if not widths:
        return []
    missing = sorted({twin for hca in widths if (twin := twin_of(hca))} - {nic.hca for nic in fact.nics})
    return [
        Verdict.told(
            f"PCIe width of the NIC's functions on {host}",
            len(set(widths.values())) == 1 and min(widths.values()) >= LANES,
            ", ".join(f"{hca} x{width}" for hca, width in widths.items()), f"x{LANES} or more, and the same",
            reason="a function has fewer lanes: old firmware is known for it",
            fix="update the NIC's firmware with the vendor's tool, one host at a time, cables in; then cut its power",
            blocks=False,
        ),
        Verdict.told(
            f"functions of the NIC on {host}", not missing, f"no {', '.join(missing)}" if missing else "in pairs",
            "both functions of a cage", reason="a cage is fed by two functions, and one of them is gone",
            fix="cut the host's power for 60 s with the cables in; a firmware update and a reboot are known to lose it",
            blocks=False,
        ),
    ]  # fmt: skip


def _space(host: str, fact: HostFacts) -> list[Verdict]:
    """Needs on one file system are added up; what is there already needs no room."""
    groups: dict[int, list[Disk]] = {}
    for disk in fact.disks:
        groups.setdefault(disk.device, []).append(disk)
    return [
        Verdict.of(
            f"space for {' and '.join(disk.what for disk in disks)} on {host}", disks[0].free / GIB,
            Requirement(">=", round(sum(max(0, disk.need - disk.present) for disk in disks) / GIB, 1), "GiB"),
            reason=f"too little is free below {disks[0].path}", fix=f"make room on {disks[0].mount}", digits=1,
        )
        for disks in groups.values()
    ]  # fmt: skip


def _memory(host: str, fact: HostFacts, needs: Needs) -> list[Verdict]:
    memory = fact.memory
    needed = needs.memory_share * memory.total / GIB if needs.memory_share else needs.memory_gib
    required = Requirement(">=", round(needed, 1), "GiB")
    name = f"memory for the engine on {host}"
    enough = Verdict.of(
        name, memory.available / GIB, required, reason="unified memory that runs out takes the host down",
        fix="end other engines and desktops, or reboot", digits=1,
    )  # fmt: skip
    if not enough.ok and fact.own_units:
        words = Requirement("words", required.words, "GiB")
        enough = Verdict(name, True, enough.measured, words, reason="our own service runs and uses it")
    swap = Verdict.of(
        f"swap of {host} is not in use", (memory.swap_total - memory.swap_free) / GIB, SWAP_LIMIT,
        reason="pages are swapped out: memory has been short",
        fix="find what eats memory, then `swapoff -a && swapon -a`", blocks=False, digits=1,
    )  # fmt: skip
    return [enough, swap]


def _ports(host: str, fact: HostFacts) -> list[Verdict]:
    found = []
    for entry in fact.ports:
        name, free = f"port {entry.port} of {host} is free", Requirement("==", "free")
        if entry.holder and fact.own_units:
            reason = "our own service runs and listens there"
            found.append(Verdict(name, True, entry.holder, Requirement("words", "free"), reason=reason))
            continue
        held = f"held by {entry.holder}" if entry.holder else "free"
        fix = f"end {entry.holder}, or choose another port"
        found.append(Verdict.of(name, held, free, reason="another program listens there", fix=fix))
    return found
