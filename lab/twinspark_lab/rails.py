"""The cable: per rail one veth pair, straight between the two hosts' network namespaces, with the Sparks' own names."""

import hashlib
import json
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

import yaml

from .names import checkout
from .shell import LabError, output, run


@dataclass(frozen=True)
class Rail:
    """One PCIe function of the cabled cage: netdev, RoCE device, PCI address, subnet."""

    interface: str
    hca: str
    pci: str
    subnet: IPv4Network


# The article's cable: cage p1, seen as two functions.
DEFAULT = (
    Rail("enp1s0f1np1", "rocep1s0f1", "0000:01:00.1", IPv4Network("192.168.177.0/24")),
    Rail("enP2p1s0f1np1", "roceP2p1s0f1", "0002:01:00.1", IPv4Network("192.168.178.0/24")),
)


def rails() -> tuple[Rail, ...]:
    """The default rails with the subnets of the checkout's settings, where those are plain values."""
    settings = checkout() / "group_vars" / "all" / "settings.yml"
    if not settings.is_file():
        return DEFAULT
    listed = (yaml.safe_load(settings.read_text()) or {}).get("twinspark_rails") or []
    subnets = {entry["interface"]: IPv4Network(entry["subnet"]) for entry in listed if "subnet" in entry}
    return tuple(replace(rail, subnet=subnets.get(rail.interface, rail.subnet)) for rail in DEFAULT)


def mac(lab: str, host: str, interface: str) -> str:
    """A locally administered address that is the same for the same names, on every machine."""
    digest = hashlib.sha256(f"{lab}/{host}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def add_argv(interface: str, ends: tuple[tuple[int, str], tuple[int, str]]) -> list[str]:
    """Lay one rail; *ends* are (process in the namespace, MAC) of the two hosts."""
    (pid_a, mac_a), (pid_b, mac_b) = ends
    near = ["name", interface, "address", mac_a, "netns", str(pid_a)]
    far = ["name", interface, "address", mac_b, "netns", str(pid_b)]
    return ["ip", "link", "add", *near, "type", "veth", "peer", *far]


def within(pid: int, argv: list[str]) -> list[str]:
    """*argv* run in the network namespace of process *pid*."""
    return ["nsenter", "--target", str(pid), "--net", *argv]


def look(pid: int, interface: str) -> dict[str, Any] | None:
    """`ip -json link show` of *interface* where *pid* lives, or None."""
    done = run(within(pid, ["ip", "-json", "link", "show", "dev", interface]), check=False)
    found = json.loads(done.stdout or b"[]") if done.returncode == 0 else []
    return found[0] if found else None


def joined(near: dict[str, Any] | None, far: dict[str, Any] | None) -> bool:
    """Whether two looks are the two ends of one veth pair."""
    if near is None or far is None:
        return False
    return bool(near.get("link_index") == far["ifindex"] and far.get("link_index") == near["ifindex"])


def ensure_rail(lab: str, interface: str, pids: dict[str, int]) -> bool:
    """One rail between the (two) hosts whose init processes are *pids*; whether anything was done."""
    if len(pids) != 2:
        raise LabError("a cable has two ends: rails join exactly two hosts")
    looks = {host: look(pid, interface) for host, pid in pids.items()}
    if joined(*looks.values()):
        # An end that a test took down and left so.
        lowered = [pids[host] for host, found in looks.items() if found and "UP" not in found["flags"]]
        for pid in lowered:
            set_link(pid, interface, "up")
        return bool(lowered)
    for host, found in looks.items():
        if found is not None and look(pids[host], interface) is not None:
            run(within(pids[host], ["ip", "link", "delete", interface]))
    first, second = ((pid, mac(lab, host, interface)) for host, pid in pids.items())
    run(add_argv(interface, (first, second)))
    for pid in pids.values():
        # NetworkManager holds unconfigured ports up on a Spark, so that a cable shows a carrier.
        set_link(pid, interface, "up")
    return True


def set_link(pid: int, interface: str, state: str) -> None:
    """A fault for tests: one host's end of a rail goes down or up; the other end loses or gains its carrier."""
    output(within(pid, ["ip", "link", "set", "dev", interface, state]))
