"""What a VM of the lab looks like to QEMU. Pure: no file is touched here."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..shell import LabError

SSH_PORT = 2222
RAIL_PORTS = {"enp1s0f1np1": 7001, "enP2p1s0f1np1": 7002}
# Bytes that a cable's end may hold back. Soft-RoCE has up to 64 packets of 4 KiB under way for each queue pair; with
# the kernel's usual 208 KiB the cable lost one packet in six, and no bandwidth test came to its end.
CABLE_BYTES = 32 * 2**20
MIB = 1500  # memory of a host; perftest's buffers and systemd need a third of it
KVM = ("kvm", "max,-arch-capabilities")  # this feature can't be set everywhere, and nothing here needs it
# A plain processor takes no more time than the emulator's best. Without cx16: two kernels died of a double fault in
# their allocator, after 10 and 47 minutes, with flags that were none, as QEMU 7.2's cmpxchg16b may leave them. None
# died since.
TCG = ("tcg", "Nehalem,-cx16")


@dataclass(frozen=True)
class Vm:
    """One VM: `index` counts from 1, `folder` holds its disks, console log, pid and monitor."""

    lab: str
    host: str
    index: int
    folder: Path

    @property
    def overlay(self) -> Path:
        return self.folder / f"{self.host}.qcow2"

    @property
    def seed(self) -> Path:
        return self.folder / f"{self.host}.seed"

    @property
    def console(self) -> Path:
        return self.folder / f"{self.host}.console"

    @property
    def monitor(self) -> Path:
        return self.folder / f"{self.host}.qmp"

    @property
    def pidfile(self) -> Path:
        return self.folder / f"{self.host}.pid"

    @property
    def address(self) -> str:
        """Management address: one of loopback's own, so that every host has its own and no port is shared."""
        return loopback(self.lab, self.index)

    def mac(self, card: int) -> str:
        """Address of a card: 0 is management, 1 and 2 the rails. The root's .link files name the cards by it."""
        return f"52:54:00:75:{self.index:02x}:{card:02x}"


def loopback(lab: str, index: int) -> str:
    """127.A.B.(10 + index), A and B from the lab's name: two labs don't meet."""
    first, second = hashlib.sha256(lab.encode()).digest()[:2]
    return f"127.{first % 250 + 2}.{second}.{10 + index}"


def qemu_command() -> str:
    """QEMU's command for this machine's own architecture."""
    machine = platform.machine()
    if machine not in ("x86_64", "AMD64"):
        raise LabError(f"VM hosts are made for x86-64 so far, this machine is {machine}: use container hosts")
    return "qemu-system-x86_64"


def qemu_argv(vm: Vm, boot: Path, accelerator: tuple[str, str], cables: Mapping[str, int]) -> list[str]:
    """QEMU for `vm`. `boot` holds `kernel` and `initrd`; `accelerator` is (name, CPU model).

    `cables`: rail to the file descriptor of this end's datagram socket, which is connected to the other host's:
    cabled by datagrams, either host may restart alone.
    """
    name, cpu = accelerator
    argv = [qemu_command(), "-name", f"ts-{vm.lab}-{vm.host}", "-machine", f"q35,accel={name}", "-cpu", cpu]
    argv += ["-smp", "1", "-m", str(MIB), "-nodefaults", "-no-user-config", "-display", "none"]
    argv += ["-serial", f"file:{vm.console}", "-kernel", str(boot / "kernel"), "-initrd", str(boot / "initrd")]
    # tsc=reliable: beside other work the kernel's watchdog takes a late emulated processor for a bad clock, and goes
    # over to the HPET. A look at that takes microseconds, and perftest, which compares the two, then has no figure.
    argv += ["-append", "root=LABEL=tsroot rw console=ttyS0 mitigations=off tsc=reliable quiet panic=1"]
    argv += _disk("root", f"file={vm.overlay},format=qcow2,cache=unsafe")
    argv += _disk("seed", f"file={vm.seed},format=raw,readonly=on")
    forward = f"hostfwd=tcp:{vm.address}:{SSH_PORT}-:22"
    argv += _card(vm, 0, "management", f"user,{forward}")
    for card, interface in enumerate(RAIL_PORTS, start=1):
        argv += _card(vm, card, interface, f"dgram,local.type=fd,local.str={cables[interface]}")
    argv += ["-device", "virtio-rng-pci"]
    return [*argv, "-qmp", f"unix:{vm.monitor},server=on,wait=off", "-pidfile", str(vm.pidfile), "-daemonize"]


def _disk(name: str, options: str) -> list[str]:
    return ["-drive", f"if=none,id={name},{options}", "-device", f"virtio-blk-pci,drive={name}"]


def _card(vm: Vm, card: int, name: str, backend: str) -> list[str]:
    kind, _, rest = backend.partition(",")
    device = f"virtio-net-pci,id=card-{name},netdev={name},mac={vm.mac(card)},romfile="
    return ["-netdev", f"{kind},id={name},{rest}", "-device", device]


def vms(lab: str, hosts: Sequence[str], folder: Path) -> list[Vm]:
    """The lab's VMs in rank order. Two, since two are what a back-to-back cable joins."""
    if len(hosts) != 2:
        raise LabError(f"VM hosts are cabled back to back and so are two, not {len(hosts)}")
    return [Vm(lab, host, index, folder) for index, host in enumerate(hosts, start=1)]
