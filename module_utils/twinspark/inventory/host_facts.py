"""What twinspark_preflight_info finds on a host, and how the text that it reads becomes that. Sizes in bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..proof.foreign import whole

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Release:
    """Names of the operating system and of DGX OS, "" where there is none."""

    name: str
    dgx: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """The NVIDIA driver and its GPUs, or why nvidia-smi gave none."""

    driver: str
    names: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Nic:
    """A RoCE device, its firmware, and the PCIe lanes that it has now, as sysfs writes them."""

    hca: str
    firmware: str = ""
    width: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """offset: seconds against the controller, the connection's delay included."""

    offset: float
    synchronized: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """/proc/meminfo."""

    total: int
    available: int
    swap_total: int
    swap_free: int


@dataclass(frozen=True, slots=True)
class Disk:
    """Room for one need below `path`. device: st_dev, the same for what shares a file system."""

    what: str
    path: str
    mount: str
    device: int
    free: int
    need: int
    present: int


@dataclass(frozen=True, slots=True)
class Port:
    """holder: the program that listens there, "" for none."""

    port: int
    holder: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host. user: name, uid and gid. commands: which are there. own_units: the project's, active now."""

    os: Release
    kernel: str
    arch: str
    hostname: str
    user: str
    root: bool
    gpu: Gpu
    docker: str
    clock: Clock
    memory: Memory
    nics: tuple[Nic, ...] = ()
    disks: tuple[Disk, ...] = ()
    ports: tuple[Port, ...] = ()
    commands: Mapping[str, bool] = field(default_factory=dict)
    own_units: tuple[str, ...] = ()

    def versions(self) -> dict[str, str]:
        """The versions that are compared and looked up; "" for what a host does not have."""
        firmware = sorted({nic.firmware for nic in self.nics if nic.firmware})
        return {
            "os": " ".join(filter(None, [self.os.name, self.os.dgx])),
            "kernel": self.kernel,
            "driver": self.gpu.driver,
            "nic_firmware": ", ".join(firmware),
            "docker": self.docker,
            "arch": self.arch,
        }


def listeners(text: str) -> dict[int, str]:
    """`ss -H -l -t -n -p` as port to the name of the program that listens there ("a program" when it is not told)."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        port = whole(words[3].rpartition(":")[2]) if len(words) > 3 else None
        if port is None:
            continue
        name = re.search(r'users:\(\("([^"]+)"', line)
        found[port] = name[1] if name else "a program"
    return found


def os_release(text: str) -> dict[str, str]:
    """os-release or dgx-release as a dict."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip('"') for key, value in pairs}


def meminfo(text: str) -> Memory:
    """/proc/meminfo as bytes; 0 for what it does not say."""
    words = (line.split() for line in text.splitlines())
    found = {word[0].rstrip(":"): (whole(word[1]) or 0) * 1024 for word in words if len(word) > 1}
    return Memory(*(found.get(name, 0) for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")))
